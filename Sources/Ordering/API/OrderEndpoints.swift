// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Inventory
internal import Kernel
internal import Payments
package import Web

extension OrderingModule {
    package var endpoints: [Endpoint] {
        cartEndpoints + orderEndpoints + returnEndpoints + ledgerEndpoints + privacyEndpoints
            + paymentEndpoints
    }

    private var orderEndpoints: [Endpoint] {
        [
            .list("/v1/orders", "listOrders", "List orders, latest first", use: listOrders)
                .scope(.readOrders).forCustomers(.own).cost(5).expands("lines"),
            .change(
                .post, "/v1/orders", "placeOrder", "Place an order, from a cart or from lines", status: 201,
                use: placeOrder
            )
            .scope(.writeOrders).forCustomers(.own).cost(10).essential().orLater()
            .mayAnswer(
                .paymentDeclined, .outOfStock, .cartNotOpen, .orderExpired, .externalIDTaken, .notForSale,
                .unknownParty),
            .get("/v1/orders/{id}", "getOrder", "Read an order", use: getOrder)
                .scope(.readOrders).forCustomers(.own).expands("payments", "customer"),
            .change(
                .patch, "/v1/orders/{id}", "patchOrder", "Move an order on, or change where it goes", use: patchOrder
            )
            .scope(.writeOrders).conditional().mayAnswer(.illegalTransition, .paymentState),
            .act(.post, "/v1/orders/{id}/cancel", "cancelOrder", "Cancel an order", use: cancelOrder)
                .scope(.writeOrders).forCustomers(.own).mayAnswer(.illegalTransition),
            .change(
                .post, "/v1/orders/{id}/authentication", "authenticatePayment",
                "Go on after the customer's second step", use: authenticate
            ).scope(.writeOrders).forCustomers(.own).essential().orLater().mayAnswer(.paymentDeclined, .orderExpired),
            .change(
                .post, "/v1/orders/{id}/fulfilments", "createFulfilment", "Send off what is left, or a part",
                status: 201,
                use: createFulfilment
            ).scope(.writeOrders).mayAnswer(.illegalTransition, .quantityNotAvailable),
            .list("/v1/orders/{id}/fulfilments", "listFulfilments", "List what was sent off", use: listFulfilments)
                .scope(.readOrders).forCustomers(.own),
            .change(.post, "/v1/orders/{id}/refunds", "createRefund", "Give money back", status: 201, use: createRefund)
                .scope(.writeOrders).mayAnswer(.refundTooLarge, .paymentState),
            .list("/v1/orders/{id}/refunds", "listRefunds", "List what went back", use: listRefunds)
                .scope(.readOrders).forCustomers(.own),
            .list(
                "/v1/customers/{id}/orders", "listCustomerOrders", "List a customer's orders", use: listCustomerOrders
            )
            .scope(.readOrders).forCustomers(.own).cost(5).expands("lines"),
        ]
    }

    // MARK: Reading

    private func listOrders(_ call: Call, _ query: OrderQuery) async throws -> Listing<OrderBody> {
        var filter = query.filter
        if let customer = call.reach.customer {
            // Asked for another's, they get what they would of a customer that there is not: an empty list.
            guard call.reach.includes(filter.customer ?? customer) else {
                return Listing(Page(elements: [], next: nil, previous: nil))
            }
            filter.customer = customer
        }
        return try await listing(filter, call)
    }

    private func listCustomerOrders(_ call: Call, _ path: CustomerPath) async throws -> Listing<OrderBody> {
        _ = try await call.read { try customers.existing(path.id, for: call.reach, in: $0) }
        return try await listing(OrderStore.Filter(customer: path.id), call)
    }

    private func listing(_ filter: OrderStore.Filter, _ call: Call) async throws -> Listing<OrderBody> {
        let withLines = call.expansions.contains("lines")
        let page = try await call.read {
            try OrderStore.page(filter, call.page, withLines: withLines, in: $0)
        }
        return Listing(page.map { OrderBody($0.shown(to: call.reach), withLines: withLines) })
    }

    private func getOrder(_ call: Call, _ path: OrderPath) async throws -> Answer<OrderBody> {
        try await call.read { connection in
            let order = try changing.find(path.id, for: call.reach, in: connection)
            let customer =
                try call.expansions.contains("customer")
                ? order.customer.flatMap { try customers.find($0, in: connection) } : nil
            let paid = try call.expansions.contains("payments") ? payments.payments(of: order.id, in: connection) : nil
            return .ok(
                OrderBody(
                    order.shown(to: call.reach), payments: paid, customer: customer?.shown(to: call.reach)),
                version: order.version)
        }
    }

    // MARK: Placing

    private func placeOrder(_ call: Call, _: NoBody, _ input: OrderInput) async throws -> Answer<OrderBody> {
        try await placingOnce.place(try command(input, call), call) { order, payments in
            Self.reply(order.shown(to: call.reach), payments) { .created($0, at: $1, version: $2) }
        }
    }

    /// What the client is told of an order that was placed, by where it stands.
    private static func reply(
        _ order: Order, _ payments: [Payment],
        _ made: (OrderBody, _ location: String, _ version: Int64) -> Answer<OrderBody>
    ) -> PlaceOrderOnce.Reply<OrderBody> {
        let location = "/v1/orders/\(order.id)"
        let body = OrderBody(order, payments: payments)
        let id = JSON.string(order.id.rawValue)
        switch (order.state, order.cancelReason) {
        case (.cancelled, .paymentDeclined):
            let reason = payments.last?.declineReason?.rawValue ?? DeclineReason.cardDeclined.rawValue
            return .refused(
                Problem(.paymentDeclined, "The payment was declined: \(reason).")
                    .with("reason", .string(reason)).with("order_id", id))
        case (.cancelled, .expired):
            return .refused(
                Problem(.orderExpired, "The order was given up before the payment came.").with("order_id", id))
        case (.pending, _) where payments.last?.status != .requiresAction:
            return .open(.accepted(body, at: location, version: order.version))
        default: return .final(made(body, location, order.version))
        }
    }

    private func command(_ input: OrderInput, _ call: Call) throws -> PlaceOrder.Command {
        try call.reach.requireShop(for: "external_id", where: input.externalID != nil)
        try call.reach.requireShop(for: "capture", where: input.payment.capture != .automatic)
        try call.reach.requireShop(for: "metadata", where: input.metadata.members?.isEmpty == false)
        if call.reach.customer != nil, !payments.areForCustomers {
            throw Problem(.notForCustomers, "This shop has no payment provider that moves money.")
        }
        let source: PlaceOrder.Command.Source
        switch (input.cart, input.lines) {
        case (let cart?, nil): source = .cart(cart)
        case (nil, let lines?):
            guard let currency = input.currency else { throw Problem(.invalidBody, "lines need a currency.") }
            source = .lines(try lines.map { try $0.request() }, currency)
        case (nil, nil), (_?, _?): throw Problem(.invalidBody, "Send either cart_id, or lines with a currency.")
        }
        let command = PlaceOrder.Command(
            source: source, reach: call.reach, customer: try call.reach.owner(input.customer), email: input.email,
            shippingAddress: input.shippingAddress,
            billingAddress: input.billingAddress, payment: try input.payment.method(), capture: input.payment.capture,
            externalID: input.externalID, placedAt: input.placedAt, metadata: input.metadata, actor: call.actor)
        if command.isRecorded { try call.requires(.importOrders) }
        return command
    }

    // MARK: Moving on

    private func patchOrder(_ call: Call, _ path: OrderPath, _ patch: OrderPatch) async throws -> Answer<OrderBody> {
        try await deciding(call) { transaction in
            var order = try changing.find(path.id, for: call.reach, if: call.precondition, in: transaction)
            if patch.changesDetails {
                try changing.edit(&order, by: call.actor, in: transaction) { order in
                    order.email = patch.email.applied(to: order.email)
                    order.shippingAddress = patch.shippingAddress.applied(to: order.shippingAddress)
                    order.billingAddress = patch.billingAddress.applied(to: order.billingAddress)
                    order.metadata = patch.metadata.applied(to: order.metadata)
                }
            }
            if case .set(let state) = patch.status, state != order.state {
                try changing.bring(&order, to: state, by: call.actor, in: transaction)
            }
            let paid = try payments.payments(of: order.id, in: transaction)
            return .ok(OrderBody(order, payments: paid), version: order.version)
        }
    }

    private func cancelOrder(_ call: Call, _ path: OrderPath) async throws -> Answer<OrderBody> {
        try await deciding(call) { transaction in
            var order = try changing.find(path.id, for: call.reach, if: call.precondition, in: transaction)
            try placing.advance(&order, .cancelled, by: call.actor, in: transaction)
            let paid = try payments.payments(of: order.id, in: transaction)
            return .ok(OrderBody(order.shown(to: call.reach), payments: paid), version: order.version)
        }
    }

    private func authenticate(
        _ call: Call, _ path: OrderPath, _ input: AuthenticationInput
    ) async throws -> Answer<OrderBody> {
        try await placingOnce.goOn(path.id, afterAction: input.succeeded, call) { order, payments in
            Self.reply(order.shown(to: call.reach), payments) { body, _, version in .ok(body, version: version) }
        }
    }

    private func createFulfilment(
        _ call: Call, _ path: OrderPath, _ input: FulfilmentInput
    ) async throws -> Answer<FulfilmentBody> {
        let lines = try input.lines?.quantities()
        return try await call.commit { transaction in
            let (_, fulfilment) = try fulfilling.fulfil(
                path.id, lines: lines, carrier: input.carrier, tracking: input.tracking, by: call.actor, in: transaction
            )
            return .created(FulfilmentBody(fulfilment), at: "/v1/orders/\(path.id)/fulfilments")
        }
    }

    private func listFulfilments(_ call: Call, _ path: OrderPath) async throws -> Listing<FulfilmentBody> {
        let all = try await call.read { connection in
            _ = try changing.find(path.id, for: call.reach, in: connection)
            return try OrderStore.fulfilments(of: path.id, in: connection)
        }
        return Listing(Page(elements: all.map { FulfilmentBody($0) }, next: nil, previous: nil))
    }

    private func createRefund(_ call: Call, _ path: OrderPath, _ input: RefundInput) async throws -> Answer<RefundBody>
    {
        try await deciding(call) { transaction in
            var order = try changing.find(path.id, for: call.reach, if: call.precondition, in: transaction)
            let refund = try changing.refund(
                &order, input.amount, reason: input.reason, by: call.actor, in: transaction)
            return .created(RefundBody(refund), at: "/v1/orders/\(path.id)/refunds")
        }
    }

    private func listRefunds(_ call: Call, _ path: OrderPath) async throws -> Listing<RefundBody> {
        let all = try await call.read { connection in
            _ = try changing.find(path.id, for: call.reach, in: connection)
            return try payments.refunds(of: path.id, in: connection)
        }
        return Listing(Page(elements: all.map { RefundBody($0) }, next: nil, previous: nil))
    }
}

struct CustomerPath: WireBody {
    let id: CustomerID
    static let schema = Schema.object("CustomerOrdersPath", CustomerPath.init, .required("id", \.id, .id()))
}
