// SPDX-License-Identifier: Apache-2.0

internal import Jobs
package import Kernel
package import Persistence
package import Web

/// Every change of a product: read the aggregate, change it, save it, tell the others.
package struct EditProduct: Sendable {
    let outbox: Outbox
    let clock: WallClock
    /// Tells who keeps stock of a variant that exists now, in the same transaction.
    let variantSaved: @Sendable (SavedVariant, Transaction) throws -> Void

    /// - Throws: ``CatalogError``.
    package func create(
        _ draft: ProductDraft, by actor: String, knowing known: KnownRows = KnownRows(), in transaction: Transaction
    ) throws -> Product {
        let now = clock.now()
        var product = Product(id: .make(at: now), draft: draft, at: now)
        product.variants = draft.variants.map { Variant(id: .make(at: now), draft: $0) }
        try save(product, instead: nil, "product.created", by: actor, knowing: known, in: transaction)
        return product
    }

    /// Puts `draft` in the place of the product. Variants keep their identity by SKU; others are deleted.
    package func replace(
        _ id: ProductID, with draft: ProductDraft, if precondition: Precondition = .none, by actor: String,
        in transaction: Transaction
    ) throws -> Product {
        try change(id, if: precondition, by: actor, in: transaction) { product in
            let known = Dictionary(uniqueKeysWithValues: product.variants.map { ($0.sku, $0) })
            product.handle = draft.handle
            product.status = draft.status
            product.text = draft.text
            product.translations = draft.translations
            product.categories = draft.categories
            product.attributes = draft.attributes
            product.variants = draft.variants.map { draft in
                guard var variant = known[draft.sku] else { return Variant(id: .make(at: clock.now()), draft: draft) }
                variant.replace(with: draft)
                variant.version += 1
                return variant
            }
        }
    }

    /// Makes the product that has the draft's handle, or replaces it.
    package func upsert(
        _ draft: ProductDraft, by actor: String, in transaction: Transaction
    ) throws -> (product: Product, isNew: Bool) {
        guard let known = try ProductStore.find(handle: draft.handle, in: transaction) else {
            return (try create(draft, by: actor, in: transaction), true)
        }
        return (try replace(known.id, with: draft, by: actor, in: transaction), false)
    }

    func change(
        _ id: ProductID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ edit: (inout Product) throws -> Void
    ) throws -> Product {
        guard let old = try ProductStore.find(id, in: transaction) else { throw CatalogError.productNotFound }
        try precondition.check(old.version)
        return try changed(old, by: actor, in: transaction, edit)
    }

    /// Changes one variant; its own version is what a condition is about.
    func change(
        _ id: VariantID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ edit: (inout Variant) throws -> Void
    ) throws -> (product: Product, variant: Variant) {
        let (old, place) = try holder(of: id, in: transaction)
        try precondition.check(old.variants[place].version)
        let product = try changed(old, by: actor, in: transaction) { product in
            try edit(&product.variants[place])
            product.variants[place].version += 1
        }
        return (product, product.variants[place])
    }

    func removeVariant(
        _ id: VariantID, if precondition: Precondition, by actor: String, in transaction: Transaction
    ) throws {
        let (old, place) = try holder(of: id, in: transaction)
        try precondition.check(old.variants[place].version)
        _ = try changed(old, by: actor, in: transaction) { $0.variants.remove(at: place) }
    }

    func delete(
        _ id: ProductID, if precondition: Precondition, by actor: String, in transaction: Transaction
    ) throws {
        guard let product = try ProductStore.find(id, in: transaction) else { throw CatalogError.productNotFound }
        try precondition.check(product.version)
        try ProductWriter(transaction: transaction).delete(product, at: clock.now())
        try outbox.publish("product.deleted", subject: id.rawValue, actor: actor, [:], in: transaction)
    }

    private func holder(
        of id: VariantID, in transaction: Transaction
    ) throws -> (product: Product, place: Int) {
        guard let product = try ProductStore.find(holding: id, in: transaction),
            let place = product.variants.firstIndex(where: { $0.id == id })
        else { throw CatalogError.variantNotFound }
        return (product, place)
    }

    private func changed(
        _ old: Product, by actor: String, in transaction: Transaction, _ edit: (inout Product) throws -> Void
    ) throws -> Product {
        var product = old
        try edit(&product)
        product.updatedAt = clock.now()
        product.version += 1
        try save(product, instead: old, "product.updated", by: actor, in: transaction)
        return product
    }

    /// Prices by currency, in its major unit.
    private static func told(_ prices: [String: Money]) -> JSON {
        .object(prices.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.decimal)) })
    }

    private func save(
        _ product: Product, instead old: Product?, _ event: String, by actor: String,
        knowing known: KnownRows = KnownRows(), in transaction: Transaction
    ) throws {
        guard !product.variants.isEmpty else { throw CatalogError.needsVariant }
        var skus: Set<String> = []
        for variant in product.variants where !skus.insert(variant.sku).inserted {
            throw CatalogError.duplicateSKU(variant.sku)
        }
        try ProductWriter(transaction: transaction, known: known).save(product, instead: old)
        let earlier = Dictionary(uniqueKeysWithValues: (old?.variants ?? []).map { ($0.id, $0) })
        for variant in product.variants {
            let before = earlier[variant.id]
            if before == nil || before?.sku != variant.sku || before?.tracksInventory != variant.tracksInventory {
                let saved = SavedVariant(
                    id: variant.id, product: product.id, sku: variant.sku, tracksInventory: variant.tracksInventory)
                try variantSaved(saved, transaction)
            }
            if let before, before.prices != variant.prices {
                try outbox.publish(
                    "price.changed", subject: variant.id.rawValue, actor: actor,
                    [
                        "product_id": .string(product.id.rawValue), "sku": .string(variant.sku),
                        "changes": Changes.between(Self.told(before.prices), Self.told(variant.prices)),
                    ], in: transaction)
            }
        }
        try outbox.publish(
            event, subject: product.id.rawValue, actor: actor,
            ["handle": .string(product.handle), "version": .integer(product.version)], in: transaction)
    }
}

/// What other rooms must know of a variant as soon as it exists.
package struct SavedVariant: Sendable {
    package let id: VariantID
    package let product: ProductID
    package let sku: String
    package let tracksInventory: Bool
}
