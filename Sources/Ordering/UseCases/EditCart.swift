// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Every change of a cart: read it, change it, save it, tell of it.
struct EditCart: Sendable {
    let catalog: CatalogModule
    let calculator: TotalsCalculator
    let outbox: Outbox
    let clock: WallClock
    let timeToLive: Duration

    static let linesMax = 500
    static let quantityMax = 1_000_000

    func create(
        currency: Currency, customer: CustomerID?, email: String?, country: String?, lines: [LineRequest],
        by actor: String, in transaction: Transaction
    ) throws -> Cart {
        let now = clock.now()
        var cart = Cart(
            id: .make(at: now), currency: currency, customer: customer, email: email, country: country, lines: [],
            state: .open, expiresAt: now.advanced(by: timeToLive), createdAt: now, version: 1)
        for (place, line) in lines.enumerated() { try add(line, place: place, to: &cart, in: transaction) }
        try CartStore.insert(cart, in: transaction)
        try publish("cart.created", cart.id, by: actor, in: transaction)
        OrderingMetrics.cartCreated(currency, in: transaction)
        if !cart.lines.isEmpty { OrderingMetrics.cartMoved(to: "filled", currency, in: transaction) }
        return cart
    }

    /// Each change keeps the cart alive for another time to live.
    func change(
        _ id: CartID, for reach: Reach, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ edit: (inout Cart) throws -> Void
    ) throws -> Cart {
        var cart = try open(id, for: reach, if: precondition, in: transaction)
        let wasEmpty = cart.lines.isEmpty
        try edit(&cart)
        if wasEmpty, !cart.lines.isEmpty { OrderingMetrics.cartMoved(to: "filled", cart.currency, in: transaction) }
        cart.version += 1
        cart.expiresAt = clock.now().advanced(by: timeToLive)
        try CartStore.update(cart, in: transaction)
        try publish("cart.updated", id, by: actor, in: transaction)
        return cart
    }

    /// The cart, where a caller may reach it. Another one's is not told from one that there is not.
    func find(_ id: CartID, for reach: Reach, in connection: Connection) throws -> Cart {
        guard let cart = try CartStore.find(id, in: connection), reach.includes(cart.customer) else {
            throw OrderingError.cartNotFound
        }
        return cart
    }

    private func open(
        _ id: CartID, for reach: Reach, if precondition: Precondition, in connection: Connection
    ) throws -> Cart {
        let cart = try find(id, for: reach, in: connection)
        try precondition.check(cart.version)
        guard cart.state == .open else { throw OrderingError.cartNotOpen(cart.state) }
        return cart
    }

    /// Adds a line, or to the line that has the variant already.
    func add(_ request: LineRequest, place: Int, to cart: inout Cart, in connection: Connection) throws {
        let offers = try catalog.offers(for: [request.variant], in: cart.currency, connection: connection)
        guard let offer = offers[request.variant] else {
            throw OrderingError.unknownVariant(line: place, request.variant.text)
        }
        guard offer.isActive else { throw OrderingError.notForSale(line: place, sku: offer.sku) }
        guard offer.price != nil else { throw OrderingError.noPrice(line: place, sku: offer.sku, cart.currency) }
        if let known = cart.lines.firstIndex(where: { $0.variant == offer.variantID }) {
            cart.lines[known].quantity = min(cart.lines[known].quantity + request.quantity, Self.quantityMax)
        } else {
            guard cart.lines.count < Self.linesMax else {
                throw Problem(.invalidBody, "A cart has at most \(Self.linesMax) lines.")
            }
            cart.lines.append(
                CartLine(id: .make(at: clock.now()), variant: offer.variantID, quantity: request.quantity))
        }
    }

    func delete(
        _ id: CartID, for reach: Reach, if precondition: Precondition, by actor: String, in transaction: Transaction
    ) throws {
        _ = try open(id, for: reach, if: precondition, in: transaction)
        try CartStore.delete(id, in: transaction)
        try publish("cart.deleted", id, by: actor, in: transaction)
    }

    /// The cart has become an order.
    func convert(_ cart: Cart, by actor: String, in transaction: Transaction) throws {
        try CartStore.setState(.converted, of: cart.id, in: transaction)
        OrderingMetrics.cartMoved(to: "ordered", cart.currency, in: transaction)
        try publish("cart.converted", cart.id, by: actor, in: transaction)
    }

    /// The order came to nothing; its cart can be ordered again.
    func reopen(_ id: CartID, by actor: String, in transaction: Transaction) throws {
        try CartStore.setState(.open, of: id, in: transaction)
        try publish("cart.reopened", id, by: actor, in: transaction)
    }

    /// Ends the carts that nobody has touched for their time to live.
    func expire(by actor: String, in transaction: Transaction) throws {
        for id in try CartStore.expire(at: clock.now(), in: transaction) {
            try publish("cart.expired", id, by: actor, in: transaction)
        }
    }

    private func publish(_ type: String, _ id: CartID, by actor: String, in transaction: Transaction) throws {
        try outbox.publish(type, subject: id.rawValue, actor: actor, [:], in: transaction)
    }

    /// The cart at today's prices. What is no longer sold stays in it, without a price, and counts nothing.
    func view(_ cart: Cart, in connection: Connection) throws -> CartView {
        let references = Set(cart.lines.map { VariantReference.id($0.variant) })
        let offers = try catalog.offers(for: references, in: cart.currency, connection: connection)
        let lines = try cart.lines.map { line in
            let offer = offers[.id(line.variant)].flatMap { $0.isActive ? $0 : nil }
            return CartView.Line(
                line: line, offer: offer, total: try offer?.price?.multiplied(by: Int64(line.quantity)))
        }
        let input = TotalsInput(
            subtotal: try Money.sum(lines.compactMap(\.total), in: cart.currency),
            weightGrams: lines.reduce(0) { $0 + ($1.offer?.weightGrams ?? 0) * $1.line.quantity },
            country: cart.country, hasLines: lines.contains { $0.total != nil })
        return CartView(cart: cart, lines: lines, totals: try calculator.totals(input))
    }
}

/// A cart with what is in it and what that costs today.
struct CartView: Sendable {
    struct Line: Sendable {
        let line: CartLine
        /// `nil` when the variant is no longer sold.
        let offer: Offer?
        let total: Money?
    }

    let cart: Cart
    let lines: [Line]
    let totals: Totals
}
