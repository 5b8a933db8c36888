// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Kernel
internal import Persistence
internal import Web

/// Every change of a cart: read it, change it, save it.
struct EditCart: Sendable {
    let catalog: CatalogModule
    let clock: WallClock
    let timeToLive: Duration

    static let linesMax = 500
    static let quantityMax = 1_000_000

    func create(
        currency: Currency, customer: CustomerID?, email: String?, country: String?, lines: [LineRequest],
        in transaction: Transaction
    ) throws -> Cart {
        let now = clock.now()
        var cart = Cart(
            id: .make(at: now), currency: currency, customer: customer, email: email, country: country, lines: [],
            state: .open, expiresAt: now.advanced(by: timeToLive), createdAt: now, version: 1)
        for (place, line) in lines.enumerated() { try add(line, place: place, to: &cart, in: transaction) }
        try CartStore.insert(cart, in: transaction)
        return cart
    }

    /// Each change keeps the cart alive for another time to live.
    func change(
        _ id: CartID, if precondition: Precondition, in transaction: Transaction, _ edit: (inout Cart) throws -> Void
    ) throws -> Cart {
        guard var cart = try CartStore.find(id, in: transaction) else { throw OrderingError.cartNotFound }
        try precondition.check(cart.version)
        guard cart.state == .open else { throw OrderingError.cartNotOpen(cart.state) }
        try edit(&cart)
        cart.version += 1
        cart.expiresAt = clock.now().advanced(by: timeToLive)
        try CartStore.update(cart, in: transaction)
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
}
