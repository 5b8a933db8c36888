// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension CatalogModule {
    package var endpoints: [Endpoint] {
        (productEndpoints + variantEndpoints + categoryEndpoints + importEndpoints).map { endpoint in
            endpoint.method == .get ? endpoint.ready(from: CatalogMigrations.tables).forCustomers(.all) : endpoint
        }
    }

    private var productEndpoints: [Endpoint] {
        [
            .list("/v1/products", "listProducts", "List and search products", use: listProducts)
                .scope(.readProducts).searching(cost: 5).expands("variants"),
            .change(.post, "/v1/products", "createProduct", "Create a product", status: 201, use: createProduct)
                .scope(.writeProducts).mayAnswer(.conflict, .unknownReference),
            .get("/v1/products/{id}", "getProduct", "Read a product with its variants", use: getProduct)
                .scope(.readProducts),
            .change(.put, "/v1/products/{id}", "replaceProduct", "Replace a product", use: replaceProduct)
                .scope(.writeProducts).conditional().mayAnswer(.conflict, .unknownReference),
            .change(.patch, "/v1/products/{id}", "patchProduct", "Change parts of a product", use: patchProduct)
                .scope(.writeProducts).conditional().mayAnswer(.conflict, .unknownReference),
            .act(.delete, "/v1/products/{id}", "deleteProduct", "Delete a product", status: 204, use: deleteProduct)
                .scope(.writeProducts).conditional(),
            .list(
                "/v1/products/{id}/related", "listRelatedProducts", "List what stands beside a product",
                use: listRelated
            )
            .scope(.readProducts).cost(5),
            .change(
                .put, "/v1/products/{id}/translations/{language}", "putProductTranslation",
                "Write a product's text in a language", use: putTranslation
            ).scope(.writeProducts),
            .act(
                .delete, "/v1/products/{id}/translations/{language}", "deleteProductTranslation",
                "Delete a product's text in a language", status: 204, use: deleteTranslation
            ).scope(.writeProducts),
        ]
    }

    func body(_ product: Product, for call: Call) -> ProductBody {
        ProductBody(product, texts: texts, languages: call.languages)
    }

    func listing(_ query: ProductQuery, facets: [String] = [], for call: Call) async throws -> Listing<ProductBody> {
        let withVariants = call.expansions.contains("variants")
        let (page, counts) = try await call.read { connection in
            let page = try query.page(call.page, withVariants ? .withVariants : .summary, in: connection)
            return (page, facets.isEmpty ? nil : try query.facets(facets, in: connection))
        }
        let bodies = page.map { entry in
            let prices = query.currency.map { currency in entry.prices.filter { $0.currency == currency } }
            return ProductBody(
                entry.product, texts: texts, languages: call.languages, prices: prices ?? entry.prices,
                withVariants: withVariants)
        }
        let shown = counts.map { counts in
            Facets(
                counts: counts.counts.mapValues { $0.map { Facets.Count(value: $0.value, count: $0.count) } },
                elements: counts.products, isComplete: counts.isComplete)
        }
        return Listing(bodies, facets: shown)
    }

    private func listProducts(_ call: Call, _ query: ProductListQuery) async throws -> Listing<ProductBody> {
        try await listing(try query.query(for: call), facets: query.facets ?? [], for: call)
    }

    private func listRelated(_ call: Call, _ path: ProductPath) async throws -> Listing<ProductBody> {
        _ = try await visible(path.id, to: call)
        return try await listing(ProductQuery(relatedTo: path.id, sort: .bestSelling), for: call)
    }

    /// A product where the caller may see it: what is not on sale, only who may change it.
    func visible(_ id: ProductID, to call: Call) async throws -> Product {
        guard let product = try await call.read({ try ProductStore.find(id, in: $0) }), isVisible(product, to: call)
        else {
            throw CatalogError.productNotFound
        }
        return product
    }

    func isVisible(_ product: Product, to call: Call) -> Bool {
        product.status == .active || call.principal?.scopes.contains(.writeProducts) == true
    }

    private func getProduct(_ call: Call, _ path: ProductPath) async throws -> Answer<ProductBody> {
        let product = try await visible(path.id, to: call)
        let body = body(product, for: call)
        return .ok(body, version: product.version, language: body.language)
    }

    private func createProduct(_ call: Call, _: NoBody, _ input: ProductInput) async throws -> Answer<ProductBody> {
        try await call.commit { transaction in
            try explaining {
                let product = try products.create(input.draft, by: call.actor, in: transaction)
                return .created(body(product, for: call), at: "/v1/products/\(product.id)", version: product.version)
            }
        }
    }

    private func replaceProduct(
        _ call: Call, _ path: ProductPath, _ input: ProductInput
    ) async throws -> Answer<ProductBody> {
        try await call.commit { transaction in
            try explaining {
                let product = try products.replace(
                    path.id, with: input.draft, if: call.precondition, by: call.actor, in: transaction)
                return .ok(body(product, for: call), version: product.version)
            }
        }
    }

    private func patchProduct(
        _ call: Call, _ path: ProductPath, _ patch: ProductPatch
    ) async throws -> Answer<ProductBody> {
        try await call.commit { transaction in
            try explaining {
                let product = try products.change(
                    path.id, if: call.precondition, by: call.actor, in: transaction, patch.apply)
                return .ok(body(product, for: call), version: product.version)
            }
        }
    }

    private func deleteProduct(_ call: Call, _ path: ProductPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try products.delete(path.id, if: call.precondition, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func putTranslation(
        _ call: Call, _ path: ProductTranslationPath, _ input: TextBody
    ) async throws -> Answer<ProductBody> {
        try await call.commit { transaction in
            let product = try products.change(path.id, if: call.precondition, by: call.actor, in: transaction) {
                $0.translations[path.language] = input.text
            }
            let body = ProductBody(product, texts: texts, languages: [path.language])
            return .ok(body, version: product.version, language: path.language)
        }
    }

    private func deleteTranslation(_ call: Call, _ path: ProductTranslationPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try products.change(path.id, if: call.precondition, by: call.actor, in: transaction) { product in
                guard product.translations.removeValue(forKey: path.language) != nil else {
                    throw CatalogError.translationNotFound(language: path.language)
                }
            }
            return .noContent
        }
    }

    /// What the body refers to is the body's fault, not the address's.
    func explaining<Result>(_ work: () throws -> Result) throws -> Result {
        do { return try work() } catch let error as CatalogError { throw error.bodyProblem }
    }
}
