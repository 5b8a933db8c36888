// SPDX-License-Identifier: Apache-2.0

internal import Catalog
package import Customers
internal import Inventory
internal import Jobs
package import Kernel
package import Payments
package import Persistence
package import Web

/// From a wish to an order, in three steps of which each may be the last before a crash:
///
/// 1. ``reserve(_:in:)`` quotes prices, holds stock and writes the order as pending, in one transaction;
/// 2. ``askForMoney(_:)`` asks the payment provider, outside any transaction;
/// 3. ``settle(_:_:in:)`` feeds the outcome to the state machine and does what that says, in one transaction.
///
/// Whoever finds a pending order later (a retry, the recovery chore) goes on from step 2 with the same payment.
package struct PlaceOrder: Sendable {
    let database: Database
    let inventory: InventoryModule
    let customers: CustomersModule
    let payments: PaymentsModule
    let carts: EditCart
    let quotes: QuoteLines
    let outbox: Outbox
    let clock: WallClock
    let timeToPay: Duration

    package struct Command: Sendable {
        package enum Source: Sendable {
            case cart(CartID)
            case lines([LineRequest], Currency)
        }

        package var source: Source
        /// Whose cart it may be.
        package var reach: Reach
        package var customer: CustomerID?
        package var email: String?
        package var shippingAddress: PostalAddress?
        package var billingAddress: PostalAddress?
        package var payment: PaymentMethod
        package var capture = CaptureMode.automatic
        package var externalID: String?
        /// When another system took the order; now where that is `nil`.
        package var placedAt: Timestamp?
        package var metadata: JSON = [:]
        package var actor: String
    }

    // MARK: 1. Reserve

    /// - Returns: the order with its payment; there is none where there is nothing to pay.
    /// - Throws: ``OrderingError``.
    package func reserve(
        _ command: Command, in transaction: Transaction
    ) throws -> (order: Order, payment: Payment?) {
        if let id = command.externalID, let existing = try OrderStore.find(externalID: id, in: transaction) {
            throw OrderingError.externalIDTaken(id, existing: existing.rawValue)
        }
        let (wish, cart) = try wish(command, in: transaction)
        if let customer = wish.customer, try customers.find(customer, in: transaction) == nil {
            throw OrderingError.unknownCustomer(customer)
        }
        let quote = try quotes.quote(
            wish.lines, in: wish.currency, country: wish.country, asRecorded: command.isRecorded,
            connection: transaction)
        let now = clock.now()
        var order = Order(
            id: .make(at: now), number: "", externalID: command.externalID,
            customer: wish.customer,
            email: wish.email, currency: wish.currency, state: .pending, lines: quote.lines, totals: quote.totals,
            refunded: .zero(wish.currency), shippingAddress: command.shippingAddress,
            billingAddress: command.billingAddress, metadata: command.metadata, payment: nil, cart: cart?.id,
            cancelReason: nil, placedAt: command.placedAt ?? now, updatedAt: now,
            expiresAt: now.advanced(by: timeToPay), attemptUntil: now.advanced(by: PaymentsModule.authorizationTimeMax),
            version: 1)
        try hold(order, until: now.advanced(by: timeToPay), by: command.actor, in: transaction)
        let payment =
            try order.totals.total.isZero
            ? nil
            : payments.open(
                for: order.id, order.totals.total, by: command.payment, capture: command.capture, in: transaction)
        order.payment = payment?.id
        try OrderStore.insert(&order, in: transaction)
        try publishCreation(of: order, by: command.actor, in: transaction)
        OrderingMetrics.created(order, in: transaction)
        if let cart { try carts.convert(cart, by: command.actor, in: transaction) }
        // Nothing to pay, or paid already: the outcome is known, so the order is settled here and now.
        if payment == nil || payment?.status == .captured {
            try advance(&order, .paymentCaptured, by: command.actor, in: transaction)
        }
        return (order, payment)
    }

    private struct Wish {
        let lines: [LineRequest]
        let currency: Currency
        let customer: CustomerID?
        let email: String?
        let country: String?
    }

    private func wish(_ command: Command, in connection: Connection) throws -> (Wish, Cart?) {
        let country = command.shippingAddress?.country
        switch command.source {
        case .lines(let lines, let currency):
            guard !lines.isEmpty else { throw OrderingError.cartEmpty }
            let wish = Wish(
                lines: lines, currency: currency, customer: command.customer, email: command.email, country: country)
            return (wish, nil)
        case .cart(let id):
            let cart = try carts.find(id, for: command.reach, in: connection)
            guard cart.state == .open, clock.now() < cart.expiresAt else {
                throw OrderingError.cartNotOpen(cart.state == .open ? .expired : cart.state)
            }
            guard !cart.lines.isEmpty else { throw OrderingError.cartEmpty }
            let lines = cart.lines.map { LineRequest(variant: .id($0.variant), quantity: $0.quantity, unitPrice: nil) }
            let wish = Wish(
                lines: lines, currency: cart.currency, customer: command.customer ?? cart.customer,
                email: command.email ?? cart.email, country: country ?? cart.country)
            return (wish, cart)
        }
    }

    private func hold(_ order: Order, until: Timestamp, by actor: String, in transaction: Transaction) throws {
        let requests = order.lines.map { StockRequest(variant: $0.variant, quantity: $0.quantity) }
        do {
            try inventory.stock.reserve(requests, for: order.stockOwner, until: until, by: actor, in: transaction)
        } catch InventoryError.outOfStock(let shortages) {
            let short = Dictionary(uniqueKeysWithValues: shortages.map { ($0.variant, $0) })
            throw OrderingError.outOfStock(
                order.lines.enumerated().compactMap { place, line in
                    short[line.variant].map { shortage in
                        LineShortage(
                            line: place, variant: line.variant, sku: line.sku, requested: line.quantity,
                            available: shortage.available)
                    }
                })
        }
    }

    // MARK: 2. Ask for the money

    /// Asks the provider; where an earlier attempt may have reached it (`isResumed`), what became of that comes first.
    package func askForMoney(_ payment: Payment, isResumed: Bool = false) async throws -> PaymentOutcome {
        guard isResumed else { return await payments.authorize(payment) }
        let known = await payments.resolve(payment)
        return known == .notFound ? await payments.authorize(payment) : known
    }

    // MARK: 3. Settle

    /// Does what the outcome calls for. Safe to call again, and with news that come too late.
    ///
    /// - Returns: the order as it stands then. It stays pending while the outcome is unknown or the customer must act.
    package func settle(
        _ id: OrderID, _ outcome: PaymentOutcome, by actor: String, in transaction: Transaction
    ) throws -> (order: Order, payment: Payment?) {
        guard let order = try OrderStore.find(id, in: transaction) else { throw OrderingError.orderNotFound }
        guard let payment = try order.payment.flatMap({ try payments.find($0, in: transaction) }) else {
            return (order, nil)
        }
        return try settle(current: order, payment, outcome, by: actor, in: transaction)
    }

    /// The same for an order that this process has written itself a moment ago, which spares reading it back.
    package func settle(
        _ order: Order, _ payment: Payment, _ outcome: PaymentOutcome, by actor: String, in transaction: Transaction
    ) throws -> (order: Order, payment: Payment?) {
        guard try OrderStore.isUnchanged(order, in: transaction) else {
            return try settle(order.id, outcome, by: actor, in: transaction)
        }
        return try settle(current: order, payment, outcome, by: actor, in: transaction)
    }

    private func settle(
        current: Order, _ payment: Payment, _ outcome: PaymentOutcome, by actor: String, in transaction: Transaction
    ) throws -> (order: Order, payment: Payment?) {
        var order = current
        let payment = try payments.record(outcome, for: payment, in: transaction)
        switch outcome {
        case .authorized: try advance(&order, .paymentAuthorized, by: actor, in: transaction)
        case .captured: try advance(&order, .paymentCaptured, by: actor, in: transaction)
        case .declined(let reason):
            try advance(&order, .paymentDeclined, by: actor, in: transaction)
            OrderingMetrics.declined(reason.rawValue, provider: payment.provider, in: transaction)
        case .unknown, .notFound, .requiresAction:
            guard order.state == .pending else { return (order, payment) }
            // Nobody is at work on it now; a retry or the recovery chore may go on.
            order.attemptUntil = clock.now()
            try OrderStore.update(&order, at: clock.now(), in: transaction)
        }
        return (order, payment)
    }

    /// Gives up a pending order, whatever its payment is at.
    func expire(_ id: OrderID, by actor: String, in transaction: Transaction) throws {
        guard var order = try OrderStore.find(id, in: transaction), order.state == .pending else { return }
        if let payment = order.payment {
            try payments.intendReversal(payment, reason: "order expired", in: transaction)
        }
        try advance(&order, .expired, by: actor, in: transaction)
    }

    /// Moves the order and performs what the state machine says.
    func advance(
        _ order: inout Order, _ event: OrderEvent, by actor: String, in transaction: Transaction
    ) throws {
        var machine = OrderStateMachine(order.state)
        let action = try machine.handle(event)
        let isNews = machine.state != order.state
        let wasConfirmed = order.state == .confirmed
        order.state = machine.state
        switch action {
        case .none: break
        case .confirmSale: try confirmSale(of: &order, by: actor, in: transaction)
        case .abandon(let reason): try abandon(&order, reason, by: actor, in: transaction)
        case .undoSale: try undoSale(of: &order, by: actor, in: transaction)
        case .returnMoney:
            guard let payment = order.payment else { break }
            try payments.intendReversal(payment, reason: "order was given up", in: transaction)
        }
        guard isNews else { return }
        try OrderStore.update(&order, at: clock.now(), in: transaction)
        let type: String? =
            switch order.state {
            case .paid where wasConfirmed: "order.paid"
            case .completed: "order.completed"
            case .returned: "order.returned"
            // The other moves are told by what is done for them.
            default: nil
            }
        if let type {
            try outbox.publish(
                type, subject: order.id.rawValue, actor: actor, ["number": .string(order.number)], in: transaction)
        }
    }

    private func confirmSale(of order: inout Order, by actor: String, in transaction: Transaction) throws {
        order.expiresAt = nil
        order.attemptUntil = nil
        try inventory.stock.commit(for: order.stockOwner, by: actor, in: transaction)
        try LedgerStore.book(
            .sale, order.totals.total, about: order.id.rawValue, occurredAt: order.placedAt, bookedAt: clock.now(),
            in: transaction)
        try outbox.publish("order.placed", subject: order.id.rawValue, actor: actor, Self.event(order), in: transaction)
        OrderingMetrics.placed(order, in: transaction)
    }

    private func abandon(
        _ order: inout Order, _ reason: CancelReason, by actor: String, in transaction: Transaction
    ) throws {
        order.cancelReason = reason
        order.expiresAt = nil
        order.attemptUntil = nil
        try inventory.stock.release(for: order.stockOwner, by: actor, in: transaction)
        if let cart = order.cart { try carts.reopen(cart, by: actor, in: transaction) }
        if reason == .requested, let payment = order.payment {
            try payments.intendReversal(payment, reason: "order cancelled", in: transaction)
        }
        try publishCancellation(of: order, by: actor, in: transaction)
    }

    private func undoSale(of order: inout Order, by actor: String, in transaction: Transaction) throws {
        order.cancelReason = .requested
        try inventory.stock.release(for: order.stockOwner, by: actor, in: transaction)
        if let payment = order.payment {
            try payments.intendReversal(payment, reason: "order cancelled", in: transaction)
        }
        let left = try order.totals.total.subtracting(order.refunded)
        if !left.isZero {
            try LedgerStore.book(
                .credit, left.negated, about: order.id.rawValue, reason: "order cancelled", occurredAt: clock.now(),
                bookedAt: clock.now(), in: transaction)
            order.refunded = order.totals.total
        }
        try publishCancellation(of: order, by: actor, in: transaction)
    }

    private func publishCreation(of order: Order, by actor: String, in transaction: Transaction) throws {
        try outbox.publish(
            "order.created", subject: order.id.rawValue, actor: actor, ["number": .string(order.number)],
            in: transaction)
    }

    private func publishCancellation(of order: Order, by actor: String, in transaction: Transaction) throws {
        OrderingMetrics.cancelled(order, in: transaction)
        try outbox.publish(
            "order.cancelled", subject: order.id.rawValue, actor: actor,
            ["number": .string(order.number), "reason": .string(order.cancelReason?.rawValue ?? "requested")],
            in: transaction)
    }

    private static func event(_ order: Order) -> JSON {
        [
            "number": .string(order.number), "total": .string(order.totals.total.decimal),
            "currency": .string(order.currency.code),
            "lines": .array(
                order.lines.map { line in
                    [
                        "product_id": .string(line.product.rawValue), "variant_id": .string(line.variant.rawValue),
                        "sku": .string(line.sku), "quantity": .integer(Int64(line.quantity)),
                    ]
                }),
        ]
    }
}

extension PlaceOrder.Command {
    /// Whether another system has reckoned the order: then its sums stand, and no tax or shipping of ours is added.
    var isRecorded: Bool {
        if placedAt != nil { return true }
        if case .external = payment { return true }
        if case .lines(let lines, _) = source { return lines.contains { $0.unitPrice != nil } }
        return false
    }
}
