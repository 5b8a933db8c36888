// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Kernel
internal import Web

extension OrderingModule {
    var cartEndpoints: [Endpoint] {
        [
            .change(.post, "/v1/carts", "createCart", "Begin a cart", status: 201, use: createCart)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.notForSale),
            .get("/v1/carts/{id}", "getCart", "Read a cart, at today's prices", use: getCart).scope(.readCarts)
                .forCustomers(.own),
            .change(.patch, "/v1/carts/{id}", "patchCart", "Change who a cart is for", use: patchCart)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.cartNotOpen),
            .act(.delete, "/v1/carts/{id}", "deleteCart", "Delete a cart", status: 204, use: deleteCart)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.cartNotOpen),
            .change(.post, "/v1/carts/{id}/lines", "addCartLine", "Put something in a cart", use: addLine)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.cartNotOpen, .notForSale),
            .change(.patch, "/v1/carts/{id}/lines/{line_id}", "patchCartLine", "Change how many of it", use: patchLine)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.cartNotOpen),
            .act(.delete, "/v1/carts/{id}/lines/{line_id}", "deleteCartLine", "Take something out", use: deleteLine)
                .scope(.writeCarts).forCustomers(.own).mayAnswer(.cartNotOpen),
        ]
    }

    private func createCart(_ call: Call, _: NoBody, _ input: CartInput) async throws -> Answer<CartBody> {
        let lines = try input.lines.map { try $0.request() }
        let owner = try call.reach.owner(input.customer)
        return try await call.commit { transaction in
            if let customer = owner, try customers.find(customer, in: transaction) == nil {
                throw OrderingError.unknownCustomer(customer)
            }
            let cart = try carts.create(
                currency: input.currency, customer: owner, email: input.email, country: input.country,
                lines: lines, by: call.actor, in: transaction)
            return .created(
                CartBody(try carts.view(cart, in: transaction)), at: "/v1/carts/\(cart.id)", version: cart.version)
        }
    }

    private func getCart(_ call: Call, _ path: CartPath) async throws -> Answer<CartBody> {
        try await call.read { connection in
            let cart = try carts.find(path.id, for: call.reach, in: connection)
            return .ok(CartBody(try carts.view(cart, in: connection)), version: cart.version)
        }
    }

    private func patchCart(_ call: Call, _ path: CartPath, _ patch: CartPatch) async throws -> Answer<CartBody> {
        try await call.commit { transaction in
            let cart = try carts.change(
                path.id, for: call.reach, if: call.precondition, by: call.actor, in: transaction
            ) { cart in
                patch.apply(to: &cart)
                cart.customer = try call.reach.owner(cart.customer)
                if let customer = cart.customer, try customers.find(customer, in: transaction) == nil {
                    throw OrderingError.unknownCustomer(customer)
                }
            }
            return .ok(CartBody(try carts.view(cart, in: transaction)), version: cart.version)
        }
    }

    private func deleteCart(_ call: Call, _ path: CartPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try carts.delete(path.id, for: call.reach, if: call.precondition, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func addLine(_ call: Call, _ path: CartPath, _ input: CartLineInput) async throws -> Answer<CartBody> {
        let request = try input.request()
        return try await call.commit { transaction in
            let cart = try carts.change(
                path.id, for: call.reach, if: call.precondition, by: call.actor, in: transaction
            ) { cart in
                try carts.add(request, place: 0, to: &cart, in: transaction)
            }
            return .ok(CartBody(try carts.view(cart, in: transaction)), version: cart.version)
        }
    }

    private func patchLine(
        _ call: Call, _ path: CartLinePath, _ input: QuantityInput
    ) async throws -> Answer<CartBody> {
        try await setQuantity(input.quantity, path, call)
    }

    private func deleteLine(_ call: Call, _ path: CartLinePath) async throws -> Answer<CartBody> {
        try await setQuantity(0, path, call)
    }

    private func setQuantity(_ quantity: Int, _ path: CartLinePath, _ call: Call) async throws -> Answer<CartBody> {
        try await call.commit { transaction in
            let cart = try carts.change(
                path.id, for: call.reach, if: call.precondition, by: call.actor, in: transaction
            ) { cart in
                guard let place = cart.lines.firstIndex(where: { $0.id == path.line }) else {
                    throw OrderingError.lineNotFound(path.line.rawValue)
                }
                if quantity == 0 { cart.lines.remove(at: place) } else { cart.lines[place].quantity = quantity }
            }
            return .ok(CartBody(try carts.view(cart, in: transaction)), version: cart.version)
        }
    }
}
