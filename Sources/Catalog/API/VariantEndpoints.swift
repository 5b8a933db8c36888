// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

extension CatalogModule {
    var variantEndpoints: [Endpoint] {
        [
            .list("/v1/products/{id}/variants", "listVariants", "List a product's variants", use: listVariants)
                .scope(.readProducts),
            .change(
                .post, "/v1/products/{id}/variants", "createVariant", "Add a variant to a product", status: 201,
                use: createVariant
            ).scope(.writeProducts).mayAnswer(.conflict),
            .get("/v1/variants/{id}", "getVariant", "Read a variant", use: getVariant).scope(.readProducts),
            .change(.put, "/v1/variants/{id}", "replaceVariant", "Replace a variant", use: replaceVariant)
                .scope(.writeProducts).conditional().mayAnswer(.conflict),
            .change(.patch, "/v1/variants/{id}", "patchVariant", "Change parts of a variant", use: patchVariant)
                .scope(.writeProducts).conditional().mayAnswer(.conflict),
            .act(.delete, "/v1/variants/{id}", "deleteVariant", "Delete a variant", status: 204, use: deleteVariant)
                .scope(.writeProducts).conditional(),
            .change(.put, "/v1/variants/{id}/prices/{currency}", "putPrice", "Set a variant's price", use: putPrice)
                .scope(.writeProducts),
            .act(
                .delete, "/v1/variants/{id}/prices/{currency}", "deletePrice", "Delete a variant's price", status: 204,
                use: deletePrice
            ).scope(.writeProducts),
        ]
    }

    private func listVariants(_ call: Call, _ path: ProductPath) async throws -> Listing<VariantBody> {
        let product = try await visible(path.id, to: call)
        // A product has at most 250 variants, so one read serves any page of them.
        let start: Int
        switch call.page.position {
        case nil: start = 0
        case let position?:
            guard case .integer(let place) = position.keys.first else { throw Problem(.invalidCursor, "Begin again.") }
            start = position.direction == .forward ? Int(place) + 1 : max(0, Int(place) - call.page.limit)
        }
        let all = product.variants
        let shown = all.dropFirst(start).prefix(call.page.limit)
        let end = start + shown.count
        return Listing(
            Page(
                elements: shown.map { VariantBody($0) },
                next: end < all.count ? PagePosition(keys: [.integer(Int64(end - 1))], direction: .forward) : nil,
                previous: start > 0 ? PagePosition(keys: [.integer(Int64(start))], direction: .backward) : nil))
    }

    private func createVariant(
        _ call: Call, _ path: ProductPath, _ input: VariantInput
    ) async throws -> Answer<VariantBody> {
        try await call.commit { transaction in
            let variant = Variant(id: .make(at: call.now), draft: input.draft)
            _ = try products.change(path.id, if: call.precondition, by: call.actor, in: transaction) {
                $0.variants.append(variant)
            }
            return .created(VariantBody(variant), at: "/v1/variants/\(variant.id)", version: variant.version)
        }
    }

    private func getVariant(_ call: Call, _ path: VariantPath) async throws -> Answer<VariantBody> {
        let product = try await call.read { try ProductStore.find(holding: path.id, in: $0) }
        guard let product, isVisible(product, to: call),
            let variant = product.variants.first(where: { $0.id == path.id })
        else { throw CatalogError.variantNotFound }
        return .ok(VariantBody(variant), version: variant.version)
    }

    private func replaceVariant(
        _ call: Call, _ path: VariantPath, _ input: VariantInput
    ) async throws -> Answer<VariantBody> {
        try await change(path.id, call) { $0.replace(with: input.draft) }
    }

    private func patchVariant(
        _ call: Call, _ path: VariantPath, _ patch: VariantPatch
    ) async throws -> Answer<VariantBody> {
        try await change(path.id, call, patch.apply)
    }

    private func putPrice(_ call: Call, _ path: PricePath, _ input: PriceInput) async throws -> Answer<VariantBody> {
        let price = try input.price(in: path.currency)
        return try await change(path.id, call) { $0.prices[path.currency.code] = price }
    }

    private func deletePrice(_ call: Call, _ path: PricePath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try products.change(path.id, if: call.precondition, by: call.actor, in: transaction) { variant in
                guard variant.prices.removeValue(forKey: path.currency.code) != nil else {
                    throw CatalogError.priceNotFound(path.currency)
                }
            }
            return .noContent
        }
    }

    private func deleteVariant(_ call: Call, _ path: VariantPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try products.removeVariant(path.id, if: call.precondition, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func change(
        _ id: VariantID, _ call: Call, _ edit: @escaping @Sendable (inout Variant) throws -> Void
    ) async throws -> Answer<VariantBody> {
        try await call.commit { transaction in
            let variant = try products.change(
                id, if: call.precondition, by: call.actor, in: transaction, edit
            ).variant
            return .ok(VariantBody(variant), version: variant.version)
        }
    }
}
