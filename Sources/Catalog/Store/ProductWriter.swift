// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// What a writer has seen in the database, so that it does not ask for every product again. Good for one transaction in which
/// nothing is undone.
package final class KnownRows {
    private var words: Set<String> = []
    private var categories: Set<CategoryID> = []

    package init() {}

    func require(_ wanted: Set<CategoryID>, in transaction: Transaction) throws {
        let unknown = wanted.filter { !categories.contains($0) }
        guard !unknown.isEmpty else { return }
        if let missing = try unknown.subtracting(CategoryStore.existing(unknown, in: transaction)).min() {
            throw CatalogError.categoryNotFound(missing)
        }
        categories.formUnion(unknown)
    }

    /// Those of the words that nobody has asked for.
    func unseen(of wanted: Set<String>) -> Set<String> {
        wanted.filter { words.insert($0).inserted }
    }
}

/// Writes a product aggregate as a whole, touching only the tables whose part has changed.
struct ProductWriter {
    let transaction: Transaction
    var known = KnownRows()

    /// Writes what differs from `old`, the aggregate as it was read in this transaction; `nil` for a new one.
    ///
    /// - Throws: ``CatalogError`` when a handle, a SKU or a category stands in the way.
    func save(_ product: Product, instead old: Product?) throws {
        let number = try old == nil ? insert(product) : update(product)
        if product.translations != old?.translations ?? [:] { try write(translations: product, instead: old, number) }
        if product.attributes != old?.attributes ?? [:] { try write(attributes: product, instead: old, number) }
        if Set(product.categories) != Set(old?.categories ?? []) {
            try write(categories: product, instead: old, number)
        }
        try write(variants: product, instead: old, number)
        try write(lowestPrices: product, instead: old, number)
        if old != nil { try refreshStock(number) }
        try SearchIndex.write(product, number: number, instead: old, knowing: known, in: transaction)
    }

    func delete(_ product: Product, at time: Timestamp) throws {
        let number = try number(of: product)
        try transaction.execute(
            "UPDATE products SET deleted_at = \(time), version = version + 1 WHERE number = \(number)")
        try transaction.execute(
            "UPDATE variants SET deleted_at = \(time) WHERE product_number = \(number) AND deleted_at IS NULL")
        try SearchIndex.remove(number: number, in: transaction)
    }

    private func number(of product: Product) throws -> Int64 {
        guard
            let number = try transaction.first(
                "SELECT number FROM products WHERE id = \(product.id)", { try $0.next(Int64.self) })
        else { throw CatalogError.productNotFound }
        return number
    }

    private func insert(_ product: Product) throws -> Int64 {
        try explainingConflicts(handle: product.handle) {
            let number = try transaction.first(
                """
                INSERT INTO products (id, handle, status, title, title_key, description, in_stock, created_at, updated_at,
                    version)
                VALUES (\(product.id), \(product.handle), \(product.status), \(product.text.title),
                    \(SearchText.sortKey(product.text.title)), \(product.text.description),
                    \(product.variants.contains { !$0.tracksInventory }), \(product.createdAt), \(product.updatedAt),
                    \(product.version))
                RETURNING number
                """
            ) { try $0.next(Int64.self) }
            guard let number else { throw CatalogError.productNotFound }
            return number
        }
    }

    private func update(_ product: Product) throws -> Int64 {
        let number = try number(of: product)
        try explainingConflicts(handle: product.handle) {
            _ = try transaction.execute(
                """
                UPDATE products SET handle = \(product.handle), status = \(product.status),
                    title = \(product.text.title), title_key = \(SearchText.sortKey(product.text.title)),
                    description = \(product.text.description), updated_at = \(product.updatedAt),
                    version = \(product.version)
                WHERE number = \(number)
                """)
        }
        return number
    }

    private func explainingConflicts<Result>(handle: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as DatabaseError where error.kind == .unique {
            throw CatalogError.handleTaken(handle)
        }
    }

    private func write(translations product: Product, instead old: Product?, _ number: Int64) throws {
        if old != nil { try transaction.send("DELETE FROM product_translations WHERE product_number = \(number)") }
        try transaction.insert(
            into: "product_translations (product_number, language, title, description)",
            product.translations.map { language, text in
                [number.sqlValue, language.sqlValue, text.title.sqlValue, text.description?.sqlValue ?? .null]
            })
    }

    private func write(attributes product: Product, instead old: Product?, _ number: Int64) throws {
        if old != nil { try transaction.send("DELETE FROM product_attributes WHERE product_number = \(number)") }
        try transaction.insert(
            into: "product_attributes (product_number, name, value)",
            product.attributes.map { [number.sqlValue, $0.sqlValue, $1.sqlValue] })
    }

    private func write(categories product: Product, instead old: Product?, _ number: Int64) throws {
        let categories = Set(product.categories)
        try known.require(categories, in: transaction)
        if old != nil { try transaction.send("DELETE FROM product_categories WHERE product_number = \(number)") }
        try transaction.insert(
            into: "product_categories (product_number, category)",
            categories.map { [number.sqlValue, $0.sqlValue] })
    }

    private func write(variants product: Product, instead old: Product?, _ number: Int64) throws {
        let before = Dictionary(uniqueKeysWithValues: (old?.variants ?? []).map { ($0.id, $0) })
        // Deleted first, so that a SKU can move from one variant to another in one request.
        let removed = Set(before.keys).subtracting(product.variants.map(\.id))
        if !removed.isEmpty {
            try transaction.execute(
                "UPDATE variants SET deleted_at = \(product.updatedAt) WHERE id IN \(anyOf: removed)")
        }
        for (position, variant) in product.variants.enumerated() {
            do {
                try write(variant, at: position, isNew: before[variant.id] == nil, product: number)
            } catch let error as DatabaseError where error.kind == .unique {
                throw CatalogError.skuTaken(variant.sku)
            }
        }
    }

    private func write(_ variant: Variant, at position: Int, isNew: Bool, product: Int64) throws {
        let options = VariantRows.json(variant.options)
        let sql: SQL =
            isNew
            ? """
            INSERT INTO variants (id, product_number, position, sku, title, options, barcode, weight_grams,
                tracks_inventory, in_stock, version)
            VALUES (\(variant.id), \(product), \(position), \(variant.sku), \(variant.title), \(options),
                \(variant.barcode), \(variant.weightGrams), \(variant.tracksInventory), \(!variant.tracksInventory), 1)
            RETURNING number
            """
            : """
            UPDATE variants SET position = \(position), sku = \(variant.sku), title = \(variant.title),
                options = \(options), barcode = \(variant.barcode), weight_grams = \(variant.weightGrams),
                tracks_inventory = \(variant.tracksInventory), version = \(variant.version),
                in_stock = CASE WHEN \(variant.tracksInventory) = 1 THEN in_stock ELSE 1 END
            WHERE id = \(variant.id) RETURNING number
            """
        guard let number = try transaction.first(sql, { try $0.next(Int64.self) }) else { return }
        if !isNew { try transaction.send("DELETE FROM prices WHERE variant_number = \(number)") }
        try transaction.insert(
            into: "prices (variant_number, currency, amount)",
            variant.prices.values.map { [number.sqlValue, $0.currency.sqlValue, $0.thousandths.sqlValue] })
    }

    private func write(lowestPrices product: Product, instead old: Product?, _ number: Int64) throws {
        let lowest = product.lowestPrices
        if let old, old.lowestPrices == lowest { return }
        if old != nil { try transaction.send("DELETE FROM product_prices WHERE product_number = \(number)") }
        try transaction.insert(
            into: "product_prices (product_number, currency, lowest)",
            lowest.map { [number.sqlValue, $0.currency.sqlValue, $0.thousandths.sqlValue] })
    }

    /// A product is in stock when one of its variants is.
    private func refreshStock(_ number: Int64) throws {
        try transaction.execute(
            """
            UPDATE products SET in_stock = (
                SELECT COALESCE(MAX(in_stock), 0) FROM variants
                WHERE product_number = \(number) AND deleted_at IS NULL)
            WHERE number = \(number)
            """)
    }

    // MARK: What events tell

    func setInStock(_ variant: VariantID, _ isInStock: Bool) throws {
        let number = try transaction.first(
            """
            UPDATE variants SET in_stock = \(isInStock) WHERE id = \(variant) AND tracks_inventory = 1
            RETURNING product_number
            """
        ) { try $0.next(Int64.self) }
        if let number { try refreshStock(number) }
    }

    func addSales(_ units: Int64, of product: ProductID) throws {
        try transaction.execute("UPDATE products SET units_sold = units_sold + \(units) WHERE id = \(product)")
    }
}
