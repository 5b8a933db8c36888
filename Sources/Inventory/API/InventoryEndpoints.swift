// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension InventoryModule {
    package var endpoints: [Endpoint] {
        [
            .get(
                "/v1/inventory/products/{id}", "getProductStock", "Read a product's stock, by variant and location",
                use: productStock
            )
            .scope(.readInventory),
            .list("/v1/inventory/locations", "listLocations", "List stock locations", use: listLocations)
                .scope(.readInventory),
            .change(
                .post, "/v1/inventory/locations", "createLocation", "Create a stock location", status: 201,
                use: createLocation
            )
            .scope(.writeInventory).mayAnswer(.conflict),
            .get("/v1/inventory/locations/{id}", "getLocation", "Read a stock location", use: getLocation)
                .scope(.readInventory),
            .change(
                .patch, "/v1/inventory/locations/{id}", "patchLocation", "Change a stock location", use: patchLocation
            )
            .scope(.writeInventory).conditional().mayAnswer(.conflict),
            .list(
                "/v1/inventory/locations/{id}/products", "listShelves", "List what lies at a location", use: listShelves
            )
            .scope(.readInventory),
            .change(
                .post, "/v1/inventory/adjustments", "adjustStock", "Add or take away units", status: 201, use: adjust
            )
            .scope(.writeInventory).mayAnswer(.stockCommitted, .unknownStockReference),
            .change(
                .post, "/v1/inventory/counts", "countStock", "Set stock to what was counted", status: 201, use: count
            )
            .scope(.writeInventory).mayAnswer(.stockCommitted, .unknownStockReference),
            .change(
                .post, "/v1/inventory/transfers", "transferStock", "Move units between locations", status: 201,
                use: transfer
            )
            .scope(.writeInventory).mayAnswer(.stockCommitted, .unknownStockReference),
            .list("/v1/inventory/movements", "listMovements", "List stock movements, latest first", use: listMovements)
                .scope(.readInventory),
        ]
    }

    private func productStock(_ call: Call, _ path: ProductStockPath) async throws -> Answer<ProductStockBody> {
        let items = try await call.read { try StockStore.items(ofProduct: path.id, in: $0) }
        guard !items.isEmpty else { throw Problem(.notFound, "There is no such product.") }
        return .ok(ProductStockBody(path.id, items))
    }

    // MARK: Locations

    private func listLocations(_ call: Call, _: NoBody) async throws -> Listing<LocationBody> {
        let page = try await call.read { try LocationStore.page(call.page, in: $0) }
        return Listing(page.map { LocationBody($0) })
    }

    private func getLocation(_ call: Call, _ path: LocationPath) async throws -> Answer<LocationBody> {
        let location = try await call.read { try LocationStore.require(path.id, in: $0) }
        return .ok(LocationBody(location), version: location.version)
    }

    private func createLocation(_ call: Call, _: NoBody, _ input: LocationInput) async throws -> Answer<LocationBody> {
        try await call.commit { transaction in
            let location = Location(
                id: .make(at: call.now), code: input.code, name: input.name, country: input.country,
                priority: input.priority)
            try addLocation(location, by: call.actor, in: transaction)
            return .created(
                LocationBody(location), at: "/v1/inventory/locations/\(location.id)", version: location.version)
        }
    }

    private func patchLocation(
        _ call: Call, _ path: LocationPath, _ patch: LocationPatch
    ) async throws -> Answer<LocationBody> {
        try await call.commit { transaction in
            let location = try change(path.id, if: call.precondition, by: call.actor, in: transaction) { location in
                location.code = patch.code.applied(to: location.code)
                location.name = patch.name.applied(to: location.name)
                location.country = patch.country.applied(to: location.country)
                location.priority = patch.priority.applied(to: location.priority)
            }
            return .ok(LocationBody(location), version: location.version)
        }
    }

    private func listShelves(_ call: Call, _ path: LocationPath) async throws -> Listing<ShelfBody> {
        let page = try await call.read { connection in
            try StockStore.shelves(at: try LocationStore.require(path.id, in: connection), call.page, in: connection)
        }
        return Listing(
            page.map { shelf in
                ShelfBody(
                    variant: shelf.variant, product: shelf.product, sku: shelf.sku, onHand: shelf.level.onHand,
                    reserved: shelf.level.reserved, sold: shelf.level.sold, available: shelf.level.available)
            })
    }

    // MARK: Movements

    private func adjust(_ call: Call, _: NoBody, _ input: AdjustmentInput) async throws -> Answer<StockChangeBody> {
        try await call.commit { transaction in
            let lines = try StockStore.lines(input.lines.map(\.reference), in: transaction)
            try moves.adjust(
                at: input.location, lines, input.reason.movement, reference: input.reference,
                externalID: input.externalID, by: call.actor, in: transaction)
            return changed(try StockStore.items(Set(lines.map(\.variant)), in: transaction))
        }
    }

    private func count(_ call: Call, _: NoBody, _ input: CountInput) async throws -> Answer<StockChangeBody> {
        try await call.commit { transaction in
            let lines = try StockStore.lines(input.lines.map(\.reference), in: transaction)
            try moves.count(at: input.location, lines, reference: input.reference, by: call.actor, in: transaction)
            return changed(try StockStore.items(Set(lines.map(\.variant)), in: transaction))
        }
    }

    private func transfer(_ call: Call, _: NoBody, _ input: TransferInput) async throws -> Answer<StockChangeBody> {
        try await call.commit { transaction in
            let lines = try StockStore.lines(input.lines.map(\.reference), in: transaction)
            try moves.transfer(
                from: input.source, to: input.target, lines, reference: input.reference, by: call.actor, in: transaction
            )
            return changed(try StockStore.items(Set(lines.map(\.variant)), in: transaction))
        }
    }

    private func listMovements(_ call: Call, _ query: MovementQuery) async throws -> Listing<MovementBody> {
        let page = try await call.read { try StockStore.movements(variant: query.variant, call.page, in: $0) }
        return Listing(
            page.map {
                MovementBody(
                    id: $0.id, variant: $0.variant, location: $0.location, quantity: $0.quantity, reason: $0.reason,
                    reference: $0.reference, actor: $0.actor, occurredAt: $0.occurredAt)
            })
    }

    /// The levels after the change.
    private func changed(_ items: [StockItem]) -> Answer<StockChangeBody> {
        .created(StockChangeBody(lines: items.map { VariantStockBody($0) }), at: "/v1/inventory/movements")
    }
}
