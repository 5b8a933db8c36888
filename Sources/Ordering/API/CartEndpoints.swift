// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
internal import Kernel
internal import Persistence
internal import Web

extension OrderingModule {
    var cartEndpoints: [Endpoint] {
        [
            .change(.post, "/v1/carts", "createCart", "Begin a cart", status: 201, use: createCart)
                .scope(.writeCarts).mayAnswer(.notForSale),
            .get("/v1/carts/{id}", "getCart", "Read a cart, at today's prices", use: getCart).scope(.readCarts),
            .change(.patch, "/v1/carts/{id}", "patchCart", "Change who a cart is for", use: patchCart)
                .scope(.writeCarts).mayAnswer(.cartNotOpen),
            .act(.delete, "/v1/carts/{id}", "deleteCart", "Delete a cart", status: 204, use: deleteCart)
                .scope(.writeCarts).mayAnswer(.cartNotOpen),
            .change(.post, "/v1/carts/{id}/lines", "addCartLine", "Put something in a cart", use: addLine)
                .scope(.writeCarts).mayAnswer(.cartNotOpen, .notForSale),
            .change(.patch, "/v1/carts/{id}/lines/{line_id}", "patchCartLine", "Change how many of it", use: patchLine)
                .scope(.writeCarts).mayAnswer(.cartNotOpen),
            .act(.delete, "/v1/carts/{id}/lines/{line_id}", "deleteCartLine", "Take something out", use: deleteLine)
                .scope(.writeCarts).mayAnswer(.cartNotOpen),
        ]
    }

    private func createCart(_ call: Call, _: NoBody, _ input: CartInput) async throws -> Answer<CartBody> {
        let lines = try input.lines.map { try $0.request() }
        return try await call.commit { transaction in
            if let customer = input.customer, try customers.find(customer, in: transaction) == nil {
                throw OrderingError.unknownCustomer(customer)
            }
            let cart = try carts.create(
                currency: input.currency, customer: input.customer, email: input.email, country: input.country,
                lines: lines, in: transaction)
            return .created(try body(cart, in: transaction), at: "/v1/carts/\(cart.id)", version: cart.version)
        }
    }

    private func getCart(_ call: Call, _ path: CartPath) async throws -> Answer<CartBody> {
        try await database.read { connection in
            guard let cart = try CartStore.find(path.id, in: connection) else { throw OrderingError.cartNotFound }
            return .ok(try body(cart, in: connection), version: cart.version)
        }
    }

    private func patchCart(_ call: Call, _ path: CartPath, _ patch: CartPatch) async throws -> Answer<CartBody> {
        try await change(path.id, call) { cart, transaction in
            patch.apply(to: &cart)
            if let customer = cart.customer, try customers.find(customer, in: transaction) == nil {
                throw OrderingError.unknownCustomer(customer)
            }
        }
    }

    private func deleteCart(_ call: Call, _ path: CartPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try carts.change(path.id, if: call.precondition, in: transaction) { _ in }
            try CartStore.delete(path.id, in: transaction)
            return .noContent
        }
    }

    private func addLine(_ call: Call, _ path: CartPath, _ input: CartLineInput) async throws -> Answer<CartBody> {
        let request = try input.request()
        return try await change(path.id, call) { cart, transaction in
            try carts.add(request, place: 0, to: &cart, in: transaction)
        }
    }

    private func patchLine(
        _ call: Call, _ path: CartLinePath, _ input: QuantityInput
    ) async throws -> Answer<CartBody> {
        try await change(path.id, call) { cart, _ in
            guard let place = cart.lines.firstIndex(where: { $0.id == path.line }) else {
                throw OrderingError.lineNotFound(path.line.rawValue)
            }
            if input.quantity == 0 { cart.lines.remove(at: place) } else { cart.lines[place].quantity = input.quantity }
        }
    }

    private func deleteLine(_ call: Call, _ path: CartLinePath) async throws -> Answer<CartBody> {
        try await change(path.id, call) { cart, _ in
            guard let place = cart.lines.firstIndex(where: { $0.id == path.line }) else {
                throw OrderingError.lineNotFound(path.line.rawValue)
            }
            cart.lines.remove(at: place)
        }
    }

    private func change(
        _ id: CartID, _ call: Call, _ edit: @escaping @Sendable (inout Cart, Transaction) throws -> Void
    ) async throws -> Answer<CartBody> {
        try await call.commit { transaction in
            let cart = try carts.change(id, if: call.precondition, in: transaction) { try edit(&$0, transaction) }
            return .ok(try body(cart, in: transaction), version: cart.version)
        }
    }

    /// The cart with today's prices. What is no longer sold stays in it, without a price, and counts nothing.
    private func body(_ cart: Cart, in connection: Connection) throws -> CartBody {
        let references = Set(cart.lines.map { VariantReference.id($0.variant) })
        let offers = try quotes.catalog.offers(for: references, in: cart.currency, connection: connection)
        let lines = try cart.lines.map { line in
            let offer = offers[.id(line.variant)].flatMap { $0.isActive ? $0 : nil }
            return CartLineBody(
                id: line.id, variant: line.variant, product: offer?.productID, sku: offer?.sku, title: offer?.title,
                quantity: line.quantity, unitPrice: offer?.price,
                total: try offer?.price?.multiplied(by: Int64(line.quantity)))
        }
        let input = TotalsInput(
            subtotal: try Money.sum(lines.compactMap(\.total), in: cart.currency), weightGrams: 0,
            country: cart.country, hasLines: lines.contains { $0.total != nil })
        return CartBody(
            id: cart.id, state: cart.state, currency: cart.currency, customer: cart.customer, email: cart.email,
            country: cart.country, lines: lines, totals: TotalsBody(try quotes.calculator.totals(input)),
            expiresAt: cart.expiresAt, createdAt: cart.createdAt)
    }
}
