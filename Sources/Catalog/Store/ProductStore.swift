// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Reads product aggregates, many at once, with a number of statements that does not depend on how many.
enum ProductStore {
    /// How much of each product is read.
    enum Depth { case summary, withVariants }

    static let columns: SQL = """
        p.number, p.id, p.handle, p.status, p.title, p.description, p.created_at, p.updated_at, p.version, p.in_stock,
        p.units_sold
        """

    /// A product with its row number, by which the other tables know it.
    struct Numbered {
        let number: Int64
        var product: Product
        var prices: [Money] = []
    }

    static func numbered(_ row: inout Row) throws -> Numbered {
        let number: Int64 = try row.next()
        let id: ProductID = try row.next()
        let handle: String = try row.next()
        let status: ProductStatus = try row.next()
        let text = ProductText(title: try row.next(), description: try row.next())
        let product = try Product(
            id: id, handle: handle, status: status, text: text, createdAt: row.next(), updatedAt: row.next(),
            version: row.next(), isInStock: row.next(), unitsSold: row.next())
        return Numbered(number: number, product: product)
    }

    static func find(_ id: ProductID, in connection: Connection) throws -> Product? {
        let sql: SQL =
            "SELECT \(columns) FROM products p WHERE p.id = \(id) AND p.deleted_at IS NULL\(connection.forUpdate)"
        return try completed(connection.all(sql, numbered), .withVariants, in: connection).first?.product
    }

    /// Products by number, drafts included.
    static func batch(after number: Int64, limit: Int, in connection: Connection) throws -> [Numbered] {
        let sql: SQL = """
            SELECT \(columns) FROM products p WHERE p.number > \(number) AND p.deleted_at IS NULL
            ORDER BY p.number LIMIT \(limit)
            """
        return try completed(connection.all(sql, numbered), .withVariants, in: connection)
    }

    /// Those of the handles that are in use.
    static func taken(_ handles: [String], in connection: Connection) throws -> Set<String> {
        try Set(
            connection.all("SELECT handle FROM products WHERE handle IN \(anyOf: handles) AND deleted_at IS NULL") {
                try $0.next(String.self)
            })
    }

    static func find(handle: String, in connection: Connection) throws -> Product? {
        let sql: SQL =
            "SELECT \(columns) FROM products p WHERE p.handle = \(handle) AND p.deleted_at IS NULL\(connection.forUpdate)"
        return try completed(connection.all(sql, numbered), .withVariants, in: connection).first?.product
    }

    /// The product that a variant belongs to.
    static func find(holding variant: VariantID, in connection: Connection) throws -> Product? {
        let sql: SQL = """
            SELECT \(columns) FROM variants v JOIN products p ON p.number = v.product_number
            WHERE v.id = \(variant) AND v.deleted_at IS NULL AND p.deleted_at IS NULL\(connection.forUpdate)
            """
        return try completed(connection.all(sql, numbered), .withVariants, in: connection).first?.product
    }

    /// Adds what stands in other tables.
    static func completed(
        _ products: [Numbered], _ depth: Depth, in connection: Connection
    ) throws -> [Numbered] {
        guard !products.isEmpty else { return [] }
        var products = products
        let numbers = products.map(\.number)
        let places = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, $0) })
        func add(_ sql: SQL, _ use: (inout Numbered, inout Row) throws -> Void) throws {
            try connection.forEach(sql) { row in
                guard let place = places[try row.next()] else { return }
                try use(&products[place], &row)
            }
        }
        try add(
            """
            SELECT product_number, language, title, description FROM product_translations
            WHERE product_number IN \(anyOf: numbers)
            """
        ) { entry, row in
            let language: String = try row.next()
            entry.product.translations[language] = ProductText(title: try row.next(), description: try row.next())
        }
        try add("SELECT product_number, category FROM product_categories WHERE product_number IN \(anyOf: numbers)") {
            $0.product.categories.append(try $1.next())
        }
        try add("SELECT product_number, name, value FROM product_attributes WHERE product_number IN \(anyOf: numbers)")
        {
            $0.product.attributes[try $1.next()] = try $1.next(String.self)
        }
        try add(
            "SELECT product_number, currency, lowest FROM product_prices WHERE product_number IN \(anyOf: numbers)"
        ) { entry, row in
            let currency: Currency = try row.next()
            entry.prices.append(Money(thousandths: try row.next(), currency))
        }
        guard depth == .withVariants else { return products }
        for (number, variant) in try VariantRows.variants(of: numbers, in: connection) {
            guard let place = places[number] else { continue }
            products[place].product.variants.append(variant)
        }
        return products
    }
}

/// Variants and their prices, as the tables hold them.
enum VariantRows {
    private static let columns: SQL = """
        v.number, v.product_number, v.id, v.sku, v.title, v.options, v.barcode, v.weight_grams, v.tracks_inventory,
        v.in_stock, v.version
        """

    static func variants(
        of products: [Int64], in connection: Connection
    ) throws -> [(product: Int64, variant: Variant)] {
        var numbers: [Int64: Int] = [:]
        var found: [(product: Int64, variant: Variant)] = []
        try connection.forEach(
            """
            SELECT \(columns) FROM variants v
            WHERE v.product_number IN \(anyOf: products) AND v.deleted_at IS NULL ORDER BY v.product_number, v.position
            """
        ) { row in
            numbers[try row.next()] = found.count
            found.append((try row.next(), try variant(&row)))
        }
        try connection.forEach(
            "SELECT variant_number, currency, amount FROM prices WHERE variant_number IN \(anyOf: numbers.keys)"
        ) { row in
            guard let place = numbers[try row.next()] else { return }
            let currency: Currency = try row.next()
            found[place].variant.prices[currency.code] = Money(thousandths: try row.next(), currency)
        }
        return found
    }

    private static func variant(_ row: inout Row) throws -> Variant {
        let id: VariantID = try row.next()
        let sku: String = try row.next()
        let title: String? = try row.next()
        let options = try row.next(JSON.self)
        var variant = Variant(
            id: id,
            draft: VariantDraft(
                sku: sku, title: title, options: strings(options), barcode: try row.next(), weightGrams: try row.next(),
                tracksInventory: try row.next(), prices: []))
        variant.isInStock = try row.next()
        variant.version = try row.next()
        return variant
    }

    private static func strings(_ json: JSON) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: (json.members ?? []).compactMap { member in
                member.value.string.map { (member.name, $0) }
            })
    }

    static func json(_ strings: [String: String]) -> JSON {
        .object(strings.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }
}
