// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Kernel
internal import Web

struct CartPath: WireBody {
    let id: CartID
    static let schema = Schema.object("CartPath", CartPath.init, .required("id", \.id, .id()))
}

struct CartLinePath: WireBody {
    let id: CartID
    let line: OrderLineID
    static let schema = Schema.object(
        "CartLinePath", CartLinePath.init, .required("id", \.id, .id()), .required("line_id", \.line, .id()))
}

struct CartLineInput: WireBody {
    let variant: VariantID?
    let sku: String?
    let quantity: Int

    static let schema = Schema.object(
        "CartLineInput", CartLineInput.init,
        .optional("variant_id", \.variant, .id()),
        .optional("sku", \.sku, .string(1...100), "Instead of `variant_id`."),
        .standard("quantity", \.quantity, .integer(1...EditCart.quantityMax), 1)
    ).oneWay(of: ["variant_id"], ["sku"])

    func request() throws -> LineRequest {
        LineRequest(variant: try VariantReference(id: variant, sku: sku), quantity: quantity, unitPrice: nil)
    }
}

extension VariantReference {
    init(id: VariantID?, sku: String?) throws {
        switch (id, sku) {
        case (let id?, nil): self = .id(id)
        case (nil, let sku?): self = .sku(sku)
        case (nil, nil), (_?, _?): throw Problem(.invalidBody, "Each line names either variant_id or sku.")
        }
    }
}

struct QuantityInput: WireBody {
    let quantity: Int
    static let schema = Schema.object(
        "Quantity", QuantityInput.init,
        .required("quantity", \.quantity, .integer(0...EditCart.quantityMax), "0 takes the line out."))
}

struct CartInput: WireBody {
    let currency: Currency
    let customer: CustomerID?
    let email: String?
    let country: String?
    let lines: [CartLineInput]

    static let schema = Schema.object(
        "CartInput", CartInput.init,
        .required("currency", \.currency, .currency), .optional("customer_id", \.customer, .id()),
        .optional("email", \.email, .email),
        .optional("country", \.country, .country, "Where it would go, for shipping and tax."),
        .standard("lines", \.lines, .array(of: CartLineInput.schema, countMax: EditCart.linesMax), []))
}

struct CartPatch: WireBody {
    let customer: Patch<CustomerID>
    let email: Patch<String>
    let country: Patch<String>

    static let schema = Schema.object(
        "CartPatch", CartPatch.init,
        .patch("customer_id", \.customer, .id(), removable: true), .patch("email", \.email, .email, removable: true),
        .patch("country", \.country, .country, removable: true))

    func apply(to cart: inout Cart) {
        cart.customer = customer.applied(to: cart.customer)
        cart.email = email.applied(to: cart.email)
        cart.country = country.applied(to: cart.country)
    }
}

struct TotalsBody: WireBody {
    let subtotal: Money
    let shipping: Money
    let tax: Money
    let total: Money

    static let schema = Schema.object(
        "Totals", TotalsBody.init,
        .required("subtotal", \.subtotal, .money), .required("shipping", \.shipping, .money),
        .required("tax", \.tax, .money, "Contained in `total`."), .required("total", \.total, .money))
}

extension TotalsBody {
    init(_ totals: Totals) {
        self.init(subtotal: totals.subtotal, shipping: totals.shipping, tax: totals.tax, total: totals.total)
    }
}

struct CartLineBody: WireBody {
    let id: OrderLineID
    let variant: VariantID
    let product: ProductID?
    let sku: String?
    let title: String?
    let quantity: Int
    let unitPrice: Money?
    let total: Money?

    static let schema = Schema.object(
        "CartLine", CartLineBody.init,
        .required("id", \.id, .id()), .required("variant_id", \.variant, .id()),
        .optional("product_id", \.product, .id()), .optional("sku", \.sku, .string()),
        .optional("title", \.title, .string()), .required("quantity", \.quantity, .count),
        .optional("unit_price", \.unitPrice, .money, "Today's; missing when the variant is no longer sold."),
        .optional("total", \.total, .money))
}

struct CartBody: WireBody {
    let id: CartID
    let state: CartState
    let currency: Currency
    let customer: CustomerID?
    let email: String?
    let country: String?
    let lines: [CartLineBody]
    let totals: TotalsBody
    let expiresAt: Timestamp
    let createdAt: Timestamp

    static let schema = Schema.object(
        "Cart", CartBody.init,
        .required("id", \.id, .id()), .required("state", \.state, .word), .required("currency", \.currency, .currency),
        .optional("customer_id", \.customer, .id()), .optional("email", \.email, .string()),
        .optional("country", \.country, .country), .required("lines", \.lines, .array(of: CartLineBody.schema)),
        .required("totals", \.totals, TotalsBody.schema, "At today's prices."),
        .required("expires_at", \.expiresAt, .timestamp), .required("created_at", \.createdAt, .timestamp))
}

extension CartBody {
    init(_ view: CartView) {
        let cart = view.cart
        self.init(
            id: cart.id, state: cart.state, currency: cart.currency, customer: cart.customer, email: cart.email,
            country: cart.country, lines: view.lines.map { CartLineBody($0) }, totals: TotalsBody(view.totals),
            expiresAt: cart.expiresAt, createdAt: cart.createdAt)
    }
}

extension CartLineBody {
    init(_ line: CartView.Line) {
        self.init(
            id: line.line.id, variant: line.line.variant, product: line.offer?.productID, sku: line.offer?.sku,
            title: line.offer?.title, quantity: line.line.quantity, unitPrice: line.offer?.price, total: line.total)
    }
}
