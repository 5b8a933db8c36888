// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

extension CatalogModule {
    var categoryEndpoints: [Endpoint] {
        [
            .list("/v1/categories", "listCategories", "List categories, parents before children", use: listCategories)
                .scope(.readProducts),
            .change(.post, "/v1/categories", "createCategory", "Create a category", status: 201, use: createCategory)
                .scope(.writeProducts).mayAnswer(.conflict, .unknownReference),
            .get("/v1/categories/{id}", "getCategory", "Read a category", use: getCategory).scope(.readProducts),
            .change(.put, "/v1/categories/{id}", "replaceCategory", "Replace a category", use: replaceCategory)
                .scope(.writeProducts).conditional().mayAnswer(.conflict, .unknownReference),
            .change(.patch, "/v1/categories/{id}", "patchCategory", "Change parts of a category", use: patchCategory)
                .scope(.writeProducts).conditional().mayAnswer(.conflict, .unknownReference),
            .act(
                .delete, "/v1/categories/{id}", "deleteCategory", "Delete a category", status: 204, use: deleteCategory
            )
            .scope(.writeProducts).conditional().mayAnswer(.categoryInUse),
            .list(
                "/v1/categories/{id}/products", "listCategoryProducts",
                "List the products of a category and those below it", use: listCategoryProducts
            ).scope(.readProducts).searching(cost: 5).expands("variants"),
            .change(
                .put, "/v1/categories/{id}/translations/{language}", "putCategoryTranslation",
                "Write a category's title in a language", use: putTranslation
            ).scope(.writeProducts),
            .act(
                .delete, "/v1/categories/{id}/translations/{language}", "deleteCategoryTranslation",
                "Delete a category's title in a language", status: 204, use: deleteTranslation
            ).scope(.writeProducts),
        ]
    }

    private func body(_ category: Category, for call: Call) -> CategoryBody {
        CategoryBody(category, texts: texts, languages: call.languages)
    }

    private func listCategories(_ call: Call, _ query: CategoryListQuery) async throws -> Listing<CategoryBody> {
        let page = try await call.read { try CategoryStore.page(parent: query.parent, call.page, in: $0) }
        return Listing(page.map { body($0, for: call) })
    }

    private func getCategory(_ call: Call, _ path: CategoryPath) async throws -> Answer<CategoryBody> {
        guard let category = try await call.read({ try CategoryStore.find(path.id, in: $0) }) else {
            throw CatalogError.categoryNotFound(path.id)
        }
        let body = body(category, for: call)
        return .ok(body, version: category.version, language: body.language)
    }

    private func listCategoryProducts(
        _ call: Call, _ query: CategoryProductsQuery
    ) async throws -> Listing<ProductBody> {
        guard try await call.read({ try CategoryStore.exists(query.id, in: $0) }) else {
            throw CatalogError.categoryNotFound(query.id)
        }
        let products = ProductQuery(
            category: query.id, currency: query.currency, isInStock: query.isInStock, sort: query.sort)
        return try await listing(products, for: call)
    }

    private func createCategory(_ call: Call, _: NoBody, _ input: CategoryInput) async throws -> Answer<CategoryBody> {
        try await call.commit { transaction in
            try explaining {
                let category = Category(
                    id: .make(at: call.now), parent: input.parent,
                    handle: input.handle ?? ProductDraft.handle(for: input.title), title: input.title,
                    translations: input.translations, position: input.position)
                let created = try categories.create(category, by: call.actor, in: transaction)
                return .created(body(created, for: call), at: "/v1/categories/\(created.id)", version: created.version)
            }
        }
    }

    private func replaceCategory(
        _ call: Call, _ path: CategoryPath, _ input: CategoryInput
    ) async throws -> Answer<CategoryBody> {
        try await change(path.id, call) { category in
            category.parent = input.parent
            category.handle = input.handle ?? ProductDraft.handle(for: input.title)
            category.title = input.title
            category.translations = input.translations
            category.position = input.position
        }
    }

    private func patchCategory(
        _ call: Call, _ path: CategoryPath, _ patch: CategoryPatch
    ) async throws -> Answer<CategoryBody> {
        try await change(path.id, call, patch.apply)
    }

    private func putTranslation(
        _ call: Call, _ path: CategoryTranslationPath, _ input: TitleInput
    ) async throws -> Answer<CategoryBody> {
        try await change(path.id, call) { $0.translations[path.language] = input.title }
    }

    private func deleteTranslation(_ call: Call, _ path: CategoryTranslationPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try categories.change(path.id, if: call.precondition, by: call.actor, in: transaction) { category in
                guard category.translations.removeValue(forKey: path.language) != nil else {
                    throw CatalogError.translationNotFound(language: path.language)
                }
            }
            return .noContent
        }
    }

    private func deleteCategory(_ call: Call, _ path: CategoryPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try categories.delete(path.id, if: call.precondition, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func change(
        _ id: CategoryID, _ call: Call, _ edit: @escaping @Sendable (inout Category) throws -> Void
    ) async throws -> Answer<CategoryBody> {
        // An unknown category in the address is a 404; one in the body is the body's fault.
        guard try await call.read({ try CategoryStore.exists(id, in: $0) }) else {
            throw CatalogError.categoryNotFound(id)
        }
        return try await call.commit { transaction in
            try explaining {
                let category = try categories.change(
                    id, if: call.precondition, by: call.actor, in: transaction, edit)
                return .ok(body(category, for: call), version: category.version)
            }
        }
    }
}
