// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
internal import Kernel
internal import Payments
internal import Web

struct OrderPath: WireBody {
    let id: OrderID
    static let schema = Schema.object("OrderPath", OrderPath.init, .required("id", \.id, .id()))
}

struct OrderQuery: WireBody {
    let customer: CustomerID?
    let email: String?
    let number: String?
    let externalID: String?
    let status: OrderState?
    let placedFrom: Timestamp?
    let placedBefore: Timestamp?

    static let schema = Schema.object(
        "OrderQuery", OrderQuery.init,
        .optional("customer_id", \.customer, .id()), .optional("email", \.email, .string(1...254)),
        .optional("number", \.number, .string(1...20)), .optional("external_id", \.externalID, .string(1...200)),
        .optional("status", \.status, .word), .optional("placed_from", \.placedFrom, .timestamp, "Inclusive."),
        .optional("placed_before", \.placedBefore, .timestamp, "Exclusive."))

    var filter: OrderStore.Filter {
        OrderStore.Filter(
            customer: customer, email: email, number: number, externalID: externalID, state: status,
            placedFrom: placedFrom, placedBefore: placedBefore)
    }
}

extension Order {
    /// Without what the shop keeps to itself.
    func shown(to reach: Reach) -> Order {
        guard reach.customer != nil else { return self }
        var copy = self
        (copy.externalID, copy.metadata) = (nil, [:])
        return copy
    }
}

// MARK: In

struct OrderLineInput: WireBody {
    let variant: VariantID?
    let sku: String?
    let quantity: Int
    let unitPrice: Money?

    static let schema = Schema.object(
        "OrderLineInput", OrderLineInput.init,
        .optional("variant_id", \.variant, .id()),
        .optional("sku", \.sku, .string(1...100), "Instead of `variant_id`."),
        .required("quantity", \.quantity, .integer(1...EditCart.quantityMax)),
        .optional("unit_price", \.unitPrice, .price, "As another system sold it; needs the scope import:orders.")
    ).oneWay(of: ["variant_id"], ["sku"])

    func request() throws -> LineRequest {
        LineRequest(variant: try VariantReference(id: variant, sku: sku), quantity: quantity, unitPrice: unitPrice)
    }
}

struct PaymentInput: WireBody {
    let card: String?
    let external: String?
    let capture: CaptureMode

    static let schema = Schema.object(
        "PaymentInput", PaymentInput.init,
        .optional("card", \.card, .string(1...200, example: "sandbox_approve"), "The provider's token for a card."),
        .optional(
            "external", \.external, .string(1...200),
            "Paid outside, under this reference; needs the scope import:orders."),
        .standard("capture", \.capture, .word, .automatic, "Whether the money is taken at once or on request.")
    ).oneWay(of: ["card"], ["external"])

    func method() throws -> PaymentMethod {
        switch (card, external) {
        case (let card?, nil): return .card(token: card)
        case (nil, let reference?): return .external(reference: reference)
        case (nil, nil), (_?, _?): throw Problem(.invalidBody, "payment names either card or external.")
        }
    }
}

struct OrderInput: WireBody {
    let cart: CartID?
    let lines: [OrderLineInput]?
    let currency: Currency?
    let customer: CustomerID?
    let email: String?
    let shippingAddress: PostalAddress?
    let billingAddress: PostalAddress?
    let payment: PaymentInput
    let externalID: String?
    let placedAt: Timestamp?
    let metadata: JSON

    /// The largest invoice on record has 1,114 lines.
    static let linesMax = 2_000

    static let schema = Schema.object(
        "OrderInput", OrderInput.init,
        .optional("cart_id", \.cart, .id(), "Order what is in this cart."),
        .optional(
            "lines", \.lines, .array(of: OrderLineInput.schema, countMax: linesMax),
            "Instead of `cart_id`. One article may stand on several lines."),
        .optional("currency", \.currency, .currency, "With `lines`."), .optional("customer_id", \.customer, .id()),
        .optional("email", \.email, .email), .optional("shipping_address", \.shippingAddress, .address),
        .optional("billing_address", \.billingAddress, .address), .required("payment", \.payment, PaymentInput.schema),
        .optional("external_id", \.externalID, .string(1...200), "Your own number for it; unique."),
        .optional(
            "placed_at", \.placedAt, .timestamp, "When another system took it; needs the scope import:orders."),
        .standard("metadata", \.metadata, .metadata, .object([]), "Your own; given back as it is.")
    ).oneWay(of: ["cart_id"], ["lines", "currency"])
}

struct OrderPatch: WireBody {
    let status: Patch<OrderState>
    let email: Patch<String>
    let shippingAddress: Patch<PostalAddress>
    let billingAddress: Patch<PostalAddress>
    let metadata: Patch<JSON>

    /// Whether anything but the state is to change.
    var changesDetails: Bool {
        email.isChange || shippingAddress.isChange || billingAddress.isChange || metadata.isChange
    }

    static let schema = Schema.object(
        "OrderPatch", OrderPatch.init,
        .patch(
            "status", \.status, .word,
            "`paid` captures, `completed` and `cancelled` do what they say; other states follow from what happens."),
        .patch("email", \.email, .email, removable: true),
        .patch("shipping_address", \.shippingAddress, .address, removable: true),
        .patch("billing_address", \.billingAddress, .address, removable: true),
        .patch("metadata", \.metadata, .metadata))
}

struct LineQuantityInput: WireBody {
    let line: OrderLineID
    let quantity: Int
    static let schema = Schema.object(
        "LineQuantity", LineQuantityInput.init,
        .required("line_id", \.line, .id()), .required("quantity", \.quantity, .integer(1...EditCart.quantityMax)))
}

extension [LineQuantityInput] {
    /// - Throws: ``Problem`` where a line is named twice.
    func quantities() throws -> [OrderLineID: Int] {
        var quantities: [OrderLineID: Int] = [:]
        for input in self where quantities.updateValue(input.quantity, forKey: input.line) != nil {
            throw Problem(.invalidBody, "The line \(input.line) is named twice.")
        }
        return quantities
    }
}

struct FulfilmentInput: WireBody {
    let lines: [LineQuantityInput]?
    let carrier: String?
    let tracking: String?

    static let schema = Schema.object(
        "FulfilmentInput", FulfilmentInput.init,
        .optional(
            "lines", \.lines, .array(of: LineQuantityInput.schema, countMax: OrderInput.linesMax),
            "All that is left where missing."),
        .optional("carrier", \.carrier, .string(1...100)), .optional("tracking", \.tracking, .string(1...200)))
}

struct RefundInput: WireBody {
    let amount: Money?
    let reason: String?
    static let schema = Schema.object(
        "RefundInput", RefundInput.init,
        .optional("amount", \.amount, .price, "All that is left where missing."),
        .optional("reason", \.reason, .string(1...300)))
}

struct OrderReturnInput: WireBody {
    let lines: [LineQuantityInput]
    let restock: Bool
    let refund: Bool
    let reason: String?

    static let schema = Schema.object(
        "OrderReturnInput", OrderReturnInput.init,
        .required("lines", \.lines, .array(of: LineQuantityInput.schema, countMin: 1, countMax: OrderInput.linesMax)),
        .standard("restock", \.restock, .boolean, true, "Whether the goods can be sold again."),
        .standard("refund", \.refund, .boolean, true, "Whether what they cost goes back."),
        .optional("reason", \.reason, .string(1...300)))
}

struct AuthenticationInput: WireBody {
    let succeeded: Bool
    static let schema = Schema.object(
        "Authentication", AuthenticationInput.init,
        .standard(
            "succeeded", \.succeeded, .boolean, true,
            "What the customer did; the sandbox believes it, a provider knows."))
}

// MARK: Out

struct OrderLineBody: WireBody {
    let id: OrderLineID
    let variant: VariantID
    let product: ProductID
    let sku: String
    let title: String
    let quantity: Int
    let unitPrice: Money
    let total: Money
    let fulfilled: Int
    let returned: Int

    static let schema = Schema.object(
        "OrderLine", OrderLineBody.init,
        .required("id", \.id, .id()), .required("variant_id", \.variant, .id()),
        .required("product_id", \.product, .id()), .required("sku", \.sku, .string()),
        .required("title", \.title, .string()), .required("quantity", \.quantity, .count),
        .required("unit_price", \.unitPrice, .money), .required("total", \.total, .money),
        .required("fulfilled", \.fulfilled, .count, "Units on their way."),
        .required("returned", \.returned, .count, "Units that came back."))
}

struct OrderBody: WireBody {
    let id: OrderID
    let number: String
    let externalID: String?
    let status: OrderState
    let cancelReason: CancelReason?
    let customer: CustomerID?
    let email: String?
    let currency: Currency
    let totals: TotalsBody
    let refunded: Money
    let lines: [OrderLineBody]?
    let shippingAddress: PostalAddress?
    let billingAddress: PostalAddress?
    let payments: [PaymentBody]?
    let customerBody: CustomerBody?
    let metadata: JSON
    let placedAt: Timestamp
    let updatedAt: Timestamp
    let expiresAt: Timestamp?

    static let schema = Schema.object(
        "Order", OrderBody.init,
        .required("id", \.id, .id()), .required("number", \.number, .string(), "For people; can be read aloud."),
        .optional("external_id", \.externalID, .string()), .required("status", \.status, .word),
        .optional("cancel_reason", \.cancelReason, .word), .optional("customer_id", \.customer, .id()),
        .optional("email", \.email, .string()), .required("currency", \.currency, .currency),
        .required("totals", \.totals, TotalsBody.schema), .required("refunded", \.refunded, .money),
        .optional("lines", \.lines, .array(of: OrderLineBody.schema), "In lists only with `expand=lines`."),
        .optional("shipping_address", \.shippingAddress, .address),
        .optional("billing_address", \.billingAddress, .address),
        .optional(
            "payments", \.payments, .array(of: PaymentBody.schema), "With `expand=payments`, and when it is placed."),
        .optional("customer", \.customerBody, CustomerBody.schema, "With `expand=customer`."),
        .required("metadata", \.metadata, .metadata), .required("placed_at", \.placedAt, .timestamp),
        .required("updated_at", \.updatedAt, .timestamp),
        .optional("expires_at", \.expiresAt, .timestamp, "When a pending order is given up."))
}

extension OrderBody {
    init(_ order: Order, payments: [Payment]? = nil, customer: Customer? = nil, withLines: Bool = true) {
        self.init(
            id: order.id, number: order.number, externalID: order.externalID, status: order.state,
            cancelReason: order.cancelReason, customer: order.customer, email: order.email, currency: order.currency,
            totals: TotalsBody(order.totals), refunded: order.refunded,
            lines: withLines ? order.lines.map { OrderLineBody($0) } : nil, shippingAddress: order.shippingAddress,
            billingAddress: order.billingAddress, payments: payments?.map { PaymentBody($0) },
            customerBody: customer.map { CustomerBody($0) }, metadata: order.metadata, placedAt: order.placedAt,
            updatedAt: order.updatedAt, expiresAt: order.expiresAt)
    }
}

extension OrderLineBody {
    init(_ line: OrderLine) {
        self.init(
            id: line.id, variant: line.variant, product: line.product, sku: line.sku, title: line.title,
            quantity: line.quantity, unitPrice: line.unitPrice, total: line.total, fulfilled: line.fulfilled,
            returned: line.returned)
    }
}

struct FulfilmentBody: WireBody {
    let id: FulfilmentID
    let order: OrderID
    let carrier: String?
    let tracking: String?
    let lines: [LineQuantityInput]
    let createdAt: Timestamp

    static let schema = Schema.object(
        "Fulfilment", FulfilmentBody.init,
        .required("id", \.id, .id()), .required("order_id", \.order, .id()), .optional("carrier", \.carrier, .string()),
        .optional("tracking", \.tracking, .string()), .required("lines", \.lines, .array(of: LineQuantityInput.schema)),
        .required("created_at", \.createdAt, .timestamp))
}

extension FulfilmentBody {
    init(_ fulfilment: Fulfilment) {
        self.init(
            id: fulfilment.id, order: fulfilment.order, carrier: fulfilment.carrier, tracking: fulfilment.tracking,
            lines: fulfilment.lines.map { LineQuantityInput(line: $0.line, quantity: $0.quantity) },
            createdAt: fulfilment.createdAt)
    }
}
