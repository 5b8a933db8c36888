// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Inventory
internal import Kernel
internal import Payments
internal import Persistence
package import Web

extension OrderingModule {
    package var endpoints: [Endpoint] {
        cartEndpoints + orderEndpoints + returnEndpoints + ledgerEndpoints + privacyEndpoints
    }

    private var orderEndpoints: [Endpoint] {
        [
            .list("/v1/orders", "listOrders", "List orders, latest first", use: listOrders)
                .scope(.readOrders).cost(5).expands("lines"),
            .change(
                .post, "/v1/orders", "placeOrder", "Place an order, from a cart or from lines", status: 201,
                use: placeOrder
            )
            .scope(.writeOrders).cost(10)
            .mayAnswer(
                .paymentDeclined, .outOfStock, .cartNotOpen, .orderExpired, .externalIDTaken, .notForSale,
                .unknownParty),
            .get("/v1/orders/{id}", "getOrder", "Read an order", use: getOrder)
                .scope(.readOrders).expands("payments", "customer"),
            .change(
                .patch, "/v1/orders/{id}", "patchOrder", "Move an order on, or change where it goes", use: patchOrder
            )
            .scope(.writeOrders).conditional().mayAnswer(.illegalTransition, .paymentState),
            .act(.post, "/v1/orders/{id}/cancel", "cancelOrder", "Cancel an order", use: cancelOrder)
                .scope(.writeOrders).mayAnswer(.illegalTransition),
            .change(
                .post, "/v1/orders/{id}/authentication", "authenticatePayment",
                "Go on after the customer's second step", use: authenticate
            ).scope(.writeOrders).mayAnswer(.paymentDeclined, .orderExpired),
            .change(
                .post, "/v1/orders/{id}/fulfilments", "createFulfilment", "Send off what is left, or a part",
                status: 201,
                use: createFulfilment
            ).scope(.writeOrders).mayAnswer(.illegalTransition, .quantityNotAvailable),
            .list("/v1/orders/{id}/fulfilments", "listFulfilments", "List what was sent off", use: listFulfilments)
                .scope(.readOrders),
            .change(.post, "/v1/orders/{id}/refunds", "createRefund", "Give money back", status: 201, use: createRefund)
                .scope(.writeOrders).mayAnswer(.refundTooLarge, .paymentState),
            .list("/v1/orders/{id}/refunds", "listRefunds", "List what went back", use: listRefunds).scope(.readOrders),
            .list(
                "/v1/customers/{id}/orders", "listCustomerOrders", "List a customer's orders", use: listCustomerOrders
            )
            .scope(.readOrders).cost(5).expands("lines"),
        ]
    }

    // MARK: Reading

    private func listOrders(_ call: Call, _ query: OrderQuery) async throws -> Listing<OrderBody> {
        try await listing(query.filter, call)
    }

    private func listCustomerOrders(_ call: Call, _ path: CustomerPath) async throws -> Listing<OrderBody> {
        guard try await database.read({ try customers.find(path.id, in: $0) }) != nil else {
            throw CustomersError.notFound
        }
        return try await listing(OrderStore.Filter(customer: path.id), call)
    }

    private func listing(_ filter: OrderStore.Filter, _ call: Call) async throws -> Listing<OrderBody> {
        let withLines = call.expansions.contains("lines")
        let page = try await database.read {
            try OrderStore.page(filter, call.page, withLines: withLines, in: $0)
        }
        return Listing(page.map { OrderBody($0, withLines: withLines) })
    }

    private func getOrder(_ call: Call, _ path: OrderPath) async throws -> Answer<OrderBody> {
        try await database.read { connection in
            guard let order = try OrderStore.find(path.id, in: connection) else { throw OrderingError.orderNotFound }
            let customer =
                try call.expansions.contains("customer")
                ? order.customer.flatMap { try customers.find($0, in: connection) } : nil
            let paid = try call.expansions.contains("payments") ? payments.payments(of: order.id, in: connection) : nil
            return .ok(OrderBody(order, payments: paid, customer: customer), version: order.version)
        }
    }

    // MARK: Placing

    /// The three steps of `PlaceOrder`, with the idempotency record written beside the first and the last.
    private func placeOrder(_ call: Call, _: NoBody, _ input: OrderInput) async throws -> Answer<OrderBody> {
        let command = try command(input, call)
        let step: PlacingStep
        do {
            step = try await database.write { try begin(command, call, in: $0) }
        } catch {
            return try await call.refuse(error)
        }
        guard case .pay(let order, let isResumed) = step else { return try step.answer }
        let outcome = try await placing.askForMoney(order, isResumed: isResumed)
        return try await settle(order.id, outcome, call)
    }

    private enum PlacingStep {
        case done(Answer<OrderBody>)
        case pay(Order, isResumed: Bool)

        var answer: Answer<OrderBody> {
            get throws {
                guard case .done(let answer) = self else { throw Problem(.internalError, "The order is not settled.") }
                return answer
            }
        }
    }

    private func begin(_ command: PlaceOrder.Command, _ call: Call, in transaction: Transaction) throws -> PlacingStep {
        switch try call.begin(in: transaction) {
        case .answered(let response): return .done(call.replay(response))
        case .begun(let resource):
            let id = OrderID(unchecked: resource)
            guard var order = try OrderStore.find(id, in: transaction) else { throw OrderingError.orderNotFound }
            guard order.state == .pending else { return .done(try answer(order, call, in: transaction)) }
            if let until = order.attemptUntil, call.now < until {
                throw Problem(.inProgress, "The order is being placed; its payment is under way.")
                    .with(header: "Retry-After", "2").with("order_id", .string(resource))
            }
            order.attemptUntil = call.now.advanced(by: PaymentsModule.authorizationTimeMax)
            try OrderStore.update(&order, at: call.now, in: transaction)
            return .pay(order, isResumed: true)
        case .fresh:
            let order = try placing.reserve(command, in: transaction)
            guard order.state == .pending else { return .done(try answer(order, call, in: transaction)) }
            try call.remember(resource: order.id.rawValue, in: transaction)
            return .pay(order, isResumed: false)
        }
    }

    private func settle(_ id: OrderID, _ outcome: PaymentOutcome, _ call: Call) async throws -> Answer<OrderBody> {
        let (settled, hasLateMoney) = try await database.write { transaction in
            let order = try placing.settle(id, outcome, by: call.actor, in: transaction)
            let isLate = order.state == .cancelled && outcome.hasMoney
            return (try answer(order, call, in: transaction), isLate)
        }
        if hasLateMoney { try await payments.settle() }
        return settled
    }

    /// What the client is told of an order that was placed, by where it stands.
    private func answer(_ order: Order, _ call: Call, in transaction: Transaction) throws -> Answer<OrderBody> {
        let paid = try payments.payments(of: order.id, in: transaction)
        let location = "/v1/orders/\(order.id)"
        let body = OrderBody(order, payments: paid)
        switch (order.state, order.cancelReason) {
        case (.cancelled, .paymentDeclined):
            let reason = paid.last?.declineReason?.rawValue ?? DeclineReason.cardDeclined.rawValue
            let problem = Problem(.paymentDeclined, "The payment was declined: \(reason).")
                .with("reason", .string(reason)).with("order_id", .string(order.id.rawValue))
            return try call.finish(problem, in: transaction)
        case (.cancelled, .expired):
            let problem = Problem(.orderExpired, "The order was given up before the payment came.")
                .with("order_id", .string(order.id.rawValue))
            return try call.finish(problem, in: transaction)
        case (.pending, _) where paid.last?.status != .requiresAction:
            // Not final, so not stored: a retry with the same key finds out more.
            return .accepted(body, at: location, version: order.version)
        default:
            return try call.finish(.created(body, at: location, version: order.version), in: transaction)
        }
    }

    private func command(_ input: OrderInput, _ call: Call) throws -> PlaceOrder.Command {
        let source: PlaceOrder.Command.Source
        switch (input.cart, input.lines) {
        case (let cart?, nil): source = .cart(cart)
        case (nil, let lines?):
            guard let currency = input.currency else { throw Problem(.invalidBody, "lines need a currency.") }
            source = .lines(try lines.map { try $0.request() }, currency)
        case (nil, nil), (_?, _?): throw Problem(.invalidBody, "Send either cart_id, or lines with a currency.")
        }
        let command = PlaceOrder.Command(
            source: source, customer: input.customer, email: input.email, shippingAddress: input.shippingAddress,
            billingAddress: input.billingAddress, payment: try input.payment.method(), capture: input.payment.capture,
            externalID: input.externalID, placedAt: input.placedAt, metadata: input.metadata, actor: call.actor)
        if command.isRecorded { try call.requires(.importOrders) }
        return command
    }

    // MARK: Moving on

    private func patchOrder(_ call: Call, _ path: OrderPath, _ patch: OrderPatch) async throws -> Answer<OrderBody> {
        try await change(path.id, call) { order, transaction in
            order.email = patch.email.applied(to: order.email)
            order.shippingAddress = patch.shippingAddress.applied(to: order.shippingAddress)
            order.billingAddress = patch.billingAddress.applied(to: order.billingAddress)
            order.metadata = patch.metadata.applied(to: order.metadata)
            try OrderStore.update(&order, at: call.now, in: transaction)
            guard case .set(let state) = patch.status, state != order.state else { return }
            try changing.bring(&order, to: state, by: call.actor, in: transaction)
        }
    }

    private func cancelOrder(_ call: Call, _ path: OrderPath) async throws -> Answer<OrderBody> {
        try await change(path.id, call) { order, transaction in
            try placing.advance(&order, .cancelled, by: call.actor, in: transaction)
        }
    }

    private func change(
        _ id: OrderID, _ call: Call, _ edit: @escaping @Sendable (inout Order, Transaction) throws -> Void
    ) async throws -> Answer<OrderBody> {
        let answer: Answer<OrderBody> = try await call.commit { transaction in
            var order = try changing.find(id, if: call.precondition, in: transaction)
            try edit(&order, transaction)
            let paid = try payments.payments(of: id, in: transaction)
            return .ok(OrderBody(order, payments: paid), version: order.version)
        }
        // The decision stands; the money follows now, or by the chore should the provider be away.
        try await payments.settle()
        return answer
    }

    private func authenticate(
        _ call: Call, _ path: OrderPath, _ input: AuthenticationInput
    ) async throws -> Answer<OrderBody> {
        let payment = try await database.read { connection in
            guard let order = try OrderStore.find(path.id, in: connection) else { throw OrderingError.orderNotFound }
            return try payments.payments(of: order.id, in: connection).last
        }
        guard let payment else { throw OrderingError.noPayment }
        let outcome = try await payments.completeAction(payment, succeeded: input.succeeded)
        return try await settle(path.id, outcome, call)
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
        let all = try await database.read { try OrderStore.fulfilments(of: path.id, in: $0) }
        return Listing(Page(elements: all.map { FulfilmentBody($0) }, next: nil, previous: nil))
    }

    private func createRefund(_ call: Call, _ path: OrderPath, _ input: RefundInput) async throws -> Answer<RefundBody>
    {
        let answer: Answer<RefundBody> = try await call.commit { transaction in
            var order = try changing.find(path.id, if: call.precondition, in: transaction)
            let refund = try changing.refund(
                &order, input.amount, reason: input.reason, by: call.actor, in: transaction)
            return .created(RefundBody(refund), at: "/v1/orders/\(path.id)/refunds")
        }
        try await payments.settle()
        return answer
    }

    private func listRefunds(_ call: Call, _ path: OrderPath) async throws -> Listing<RefundBody> {
        let all = try await database.read { try payments.refunds(of: path.id, in: $0) }
        return Listing(Page(elements: all.map { RefundBody($0) }, next: nil, previous: nil))
    }
}

struct CustomerPath: WireBody {
    let id: CustomerID
    static let schema = Schema.object("CustomerOrdersPath", CustomerPath.init, .required("id", \.id, .id()))
}

extension PaymentOutcome {
    /// Whether money was taken or set aside.
    fileprivate var hasMoney: Bool {
        switch self {
        case .authorized, .captured: true
        case .declined, .requiresAction, .unknown, .notFound: false
        }
    }
}
