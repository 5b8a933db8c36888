// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

/// Which products a list shows, and in which order.
struct ProductQuery: Sendable {
    enum Sort: String, CaseIterable, Sendable {
        case relevance
        case newest
        case title
        case titleDescending = "-title"
        case price
        case priceDescending = "-price"
        case bestSelling = "best_selling"
    }

    var status = ProductStatus.active
    var text: String?
    var category: CategoryID?
    var relatedTo: ProductID?
    var ids: [ProductID]?
    var currency: Currency?
    var priceMin: Money?
    var priceMax: Money?
    var isInStock: Bool?
    /// Each must hold; several values of one name are alternatives.
    var attributes: [String: [String]] = [:]
    var sort: Sort?

    /// - Throws: ``CatalogError`` when the filters do not go together.
    func page(
        _ request: PageRequest, _ depth: ProductStore.Depth, in connection: Connection
    ) throws -> Page<ProductStore.Numbered> {
        let sort = effectiveSort
        guard let source = try source(sort, in: connection) else {
            return Page(elements: [], next: nil, previous: nil)
        }
        let key = key(sort)
        let keyset =
            key.isUnique
            ? Keyset((expression: "p.number", order: key.order))
            : Keyset((expression: key.expression, order: key.order), (expression: key.number, order: key.order))
        var keys: [Int64: KeyValue] = [:]
        let rows = try connection.all(
            "SELECT \(key.expression), \(ProductStore.columns) \(source) \(keyset.clause(request))"
        ) { row in
            let value = try key.read(&row)
            let numbered = try ProductStore.numbered(&row)
            keys[numbered.number] = value
            return numbered
        }
        let page = Page(rows: rows, for: request) { row in
            let number = KeyValue.integer(row.number)
            return key.isUnique ? [number] : [keys[row.number] ?? number, number]
        }
        let completed = try ProductStore.completed(page.elements, depth, in: connection)
        return Page(elements: completed, next: page.next, previous: page.previous)
    }

    /// Without words to look for, nothing is more relevant than another; then the newest come first.
    private var effectiveSort: Sort {
        let sort = sort ?? .relevance
        return sort == .relevance && text == nil ? .newest : sort
    }

    /// How many of all matching products have which value of `names`; the commonest 50 each.
    func facets(_ names: [String], in connection: Connection) throws -> [String: [(value: String, count: Int)]] {
        guard let source = try source(.newest, in: connection) else { return [:] }
        var facets: [String: [(value: String, count: Int)]] = [:]
        try connection.forEach(
            """
            SELECT a.name, a.value, COUNT(*) FROM product_attributes a
            WHERE a.name IN \(anyOf: names) AND a.product_number IN (SELECT p.number \(source))
            GROUP BY a.name, a.value ORDER BY 3 DESC, a.value
            """
        ) { row in
            let name: String = try row.next()
            let value: String = try row.next()
            guard facets[name, default: []].count < 50 else { return }
            facets[name, default: []].append((value, try row.next()))
        }
        return facets
    }

    // MARK: SQL

    private struct Key {
        let expression: SQL
        let order: Keyset.Order
        var isUnique = false
        /// The product's number in the table whose index has the expression.
        var number: SQL = "p.number"
        let read: (inout Row) throws -> KeyValue
    }

    private func key(_ sort: Sort) -> Key {
        switch sort {
        // bm25 is lower for better matches.
        case .relevance: Key(expression: "p.rank", order: .ascending) { .real(try $0.next()) }
        case .newest: Key(expression: "p.number", order: .descending, isUnique: true) { .integer(try $0.next()) }
        case .title: Key(expression: "p.title_key", order: .ascending) { .text(try $0.next()) }
        case .titleDescending: Key(expression: "p.title_key", order: .descending) { .text(try $0.next()) }
        case .price:
            Key(expression: "pp.lowest", order: .ascending, number: "pp.product_number") { .integer(try $0.next()) }
        case .priceDescending:
            Key(expression: "pp.lowest", order: .descending, number: "pp.product_number") { .integer(try $0.next()) }
        case .bestSelling: Key(expression: "p.units_sold", order: .descending) { .integer(try $0.next()) }
        }
    }

    /// `FROM` and `WHERE`; `nil` when nothing can match.
    private func source(_ sort: Sort, in connection: Connection) throws -> SQL? {
        var from: SQL = "FROM products p"
        var join: SQL = " JOIN "
        if let text {
            guard let matches = try SearchIndex.matches(text, in: connection) else { return nil }
            // SQLite joins in the order written where the join is called CROSS; left to choose, it looks the words up anew
            // for every product.
            if connection.dialect == .sqlite { join = " CROSS JOIN " }
            // The rank is a column of a subquery, because it can be reckoned only where the match stands.
            from = """
                FROM (SELECT found.*, matches.rank AS rank FROM \(matches) AS matches
                    \(join) products found ON found.number = matches.number) AS p
                """
        }
        if let currency {
            from += join + "product_prices pp ON pp.product_number = p.number AND pp.currency = \(currency)"
        } else if priceMin != nil || priceMax != nil || sort == .price || sort == .priceDescending {
            throw CatalogError.priceFilterNeedsCurrency
        }
        return from + " WHERE p.deleted_at IS NULL AND p.status = \(status)" + (try conditions(in: connection))
    }

    private func conditions(in connection: Connection) throws -> SQL {
        var sql: SQL = ""
        if let category {
            guard let root = try CategoryStore.find(category, in: connection) else {
                return " AND 0 = 1"
            }
            sql += """
                 AND p.number IN (SELECT pc.product_number FROM categories c
                    JOIN product_categories pc ON pc.category = c.id
                    WHERE c.path >= \(root.path) AND c.path < \(Category.end(ofSubtree: root.path)))
                """
        }
        if let relatedTo {
            sql += """
                 AND p.id <> \(relatedTo) AND p.number IN (SELECT other.product_number FROM products self
                    JOIN product_categories pc ON pc.product_number = self.number
                    JOIN product_categories other ON other.category = pc.category WHERE self.id = \(relatedTo))
                """
        }
        if let ids { sql += " AND p.id IN \(anyOf: ids)" }
        if let priceMin { sql += " AND pp.lowest >= \(priceMin.thousandths)" }
        if let priceMax { sql += " AND pp.lowest <= \(priceMax.thousandths)" }
        if let isInStock { sql += " AND p.in_stock = \(isInStock)" }
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            sql += """
                 AND p.number IN (SELECT product_number FROM product_attributes
                    WHERE name = \(name) AND value IN \(anyOf: values))
                """
        }
        return sql
    }
}

extension ProductStatus: SQLConvertible {}
