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
        let found = try planned(in: connection) { () -> Page<ProductStore.Numbered>? in
            guard let source = try source(in: connection) else { return nil }
            return sort == .relevance
                ? try byRelevance(source, request, in: connection)
                : try sorted(sort, source, request, in: connection)
        }
        guard let found else { return Page(elements: [], next: nil, previous: nil) }
        let completed = try ProductStore.completed(found.elements, depth, in: connection)
        return Page(elements: completed, next: found.next, previous: found.previous)
    }

    /// Without words to look for, nothing is more relevant than another; then the newest come first.
    private var effectiveSort: Sort {
        let sort = sort ?? .relevance
        return sort == .relevance && text == nil ? .newest : sort
    }

    private func planned<Result>(in connection: Connection, _ body: () throws -> Result) throws -> Result {
        let isPlain = text == nil && category == nil && relatedTo == nil && attributes.isEmpty
        return try isPlain ? body() : connection.planningForValues(body)
    }

    private func sorted(
        _ sort: Sort, _ source: Source, _ request: PageRequest, in connection: Connection
    ) throws -> Page<ProductStore.Numbered> {
        let key = key(sort, source)
        let keyset =
            key.isUnique
            ? Keyset((expression: key.expression, order: key.order))
            : Keyset((expression: key.expression, order: key.order), (expression: key.number, order: key.order))
        var keys: [Int64: KeyValue] = [:]
        let rows = try connection.all(
            "SELECT \(key.expression), \(ProductStore.columns) \(source.everything) \(keyset.clause(request))"
        ) { row in
            let value = try key.read(&row)
            let numbered = try ProductStore.numbered(&row)
            keys[numbered.number] = value
            return numbered
        }
        return Page(rows: rows, for: request) { row in
            let key = [keys[row.number]].compactMap(\.self)
            return keyset.isSingle ? key : key + [.integer(row.number)]
        }
    }

    /// One class of matches after the other, the newest first in each. Every class is read no further than the page goes.
    private func byRelevance(
        _ source: Source, _ request: PageRequest, in connection: Connection
    ) throws -> Page<ProductStore.Numbered> {
        let isBackward = request.position?.direction == .backward
        var (from, number): (Int64?, KeyValue?)
        if case .integer(let tier) = request.position?.keys.first {
            (from, number) = (tier, request.position?.keys.last)
        }
        let parts = source.tiers.enumerated().compactMap { index, match -> SQL? in
            guard let match else { return nil }
            let tier = Int64(index)
            var inner = PageRequest(limit: request.limit)
            if let from, let number {
                guard isBackward ? tier <= from : tier >= from else { return nil }
                if tier == from {
                    inner = PageRequest(limit: request.limit, position: request.position(at: [number]))
                } else if isBackward {
                    // From the class's end.
                    inner = PageRequest(limit: request.limit, position: request.position(at: [.integer(.min)]))
                }
            }
            let newest = Keyset((expression: source.number, order: .descending))
            return """
                SELECT * FROM (SELECT \(SQL(stringLiteral: String(index))) AS tier, p.number AS number \(source.matching(match)) \(newest.clause(inner))) AS part
                """
        }
        let found = parts.dropFirst().reduce(parts.first ?? .empty) { $0 + " UNION ALL " + $1 }
        let keyset = Keyset(
            (expression: "found.tier", order: .ascending), (expression: "found.number", order: .descending))
        var tiers: [Int64: Int64] = [:]
        let rows = try connection.all(
            """
            SELECT found.tier, \(ProductStore.columns) FROM (\(found)) AS found \(source.join) products p
            ON p.number = found.number WHERE 1 = 1 \(keyset.clause(request))
            """
        ) { row in
            let tier: Int64 = try row.next()
            let numbered = try ProductStore.numbered(&row)
            tiers[numbered.number] = tier
            return numbered
        }
        return Page(rows: rows, for: request) { [.integer(tiers[$0.number] ?? 0), .integer($0.number)] }
    }

    /// How many products have which value of `names`; the commonest 50 each.
    struct FacetCounts: Sendable {
        var counts: [String: [(value: String, count: Int)]] = [:]
        /// How many products were looked at: the newest that match, and no more than ``counted``.
        var products = 0
        var isComplete: Bool { products < ProductQuery.facetedMax }
    }

    /// So many products are counted; to count more would take the longer the larger the shop is.
    static let facetedMax = 10_000

    func facets(_ names: [String], in connection: Connection) throws -> FacetCounts {
        try planned(in: connection) {
            var facets = FacetCounts()
            guard let source = try source(in: connection) else { return facets }
            try connection.forEach(
                """
                WITH found AS MATERIALIZED (SELECT p.number AS number \(source.everything)
                    ORDER BY \(source.number) DESC LIMIT \(Self.facetedMax))
                SELECT NULL, NULL, (SELECT COUNT(*) FROM found) AS count
                UNION ALL SELECT * FROM (
                    SELECT a.name, a.value, COUNT(*) AS count FROM found
                    \(source.join) product_attributes a ON a.product_number = found.number
                    WHERE a.name IN \(anyOf: names) GROUP BY a.name, a.value ORDER BY count DESC, a.value) AS counted
                """
            ) { row in
                guard let name: String = try row.next() else {
                    _ = try row.next(String?.self)
                    facets.products = try row.next()
                    return
                }
                let value: String = try row.next()
                guard facets.counts[name, default: []].count < 50 else { return }
                facets.counts[name, default: []].append((value, try row.next()))
            }
            return facets
        }
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

    private func key(_ sort: Sort, _ source: Source) -> Key {
        switch sort {
        case .relevance, .newest:
            Key(expression: source.number, order: .descending, isUnique: true) { .integer(try $0.next()) }
        case .title: Key(expression: "p.title_key", order: .ascending) { .text(try $0.next()) }
        case .titleDescending: Key(expression: "p.title_key", order: .descending) { .text(try $0.next()) }
        case .price:
            Key(expression: "pp.lowest", order: .ascending, number: "pp.product_number") { .integer(try $0.next()) }
        case .priceDescending:
            Key(expression: "pp.lowest", order: .descending, number: "pp.product_number") { .integer(try $0.next()) }
        case .bestSelling:
            // One number for both, because most products have sold nothing, and SQLite does not seek among equal keys by
            // a row's number.
            Key(expression: "((p.units_sold << 34) + p.number)", order: .descending, isUnique: true) {
                .integer(try $0.next())
            }
        }
    }

    /// Where the products come from.
    private struct Source {
        let tables: SQL
        let conditions: SQL
        /// The product's number in the table that is read first.
        let number: SQL
        let matches: SearchIndex.Matches?
        let join: SQL

        var tiers: [SQL?] { matches?.tiers ?? [] }
        var everything: SQL { matches.map { matching($0.all) } ?? "FROM \(tables) WHERE \(conditions)" }

        func matching(_ match: SQL) -> SQL { "FROM \(tables) WHERE \(match) AND \(conditions)" }
    }

    /// - Returns: `nil` when nothing can match.
    private func source(in connection: Connection) throws -> Source? {
        // SQLite joins in the order written where the join is called CROSS; left to choose, it looks the words up anew for
        // every product.
        let isSQLite = connection.dialect == .sqlite
        let join: SQL = isSQLite && text != nil ? " CROSS JOIN " : " JOIN "
        var (tables, number): (SQL, SQL) = ("products p", "p.number")
        var matches: SearchIndex.Matches?
        if let text {
            matches = try SearchIndex.matches(text, in: connection)
            guard matches != nil else { return nil }
            number = isSQLite ? "product_search.rowid" : "product_search.product_number"
            tables = "product_search\(join)products p ON p.number = \(number)"
        }
        if let currency {
            tables += join + "product_prices pp ON pp.product_number = p.number AND pp.currency = \(currency)"
        } else if priceMin != nil || priceMax != nil || sort == .price || sort == .priceDescending {
            throw CatalogError.priceFilterNeedsCurrency
        }
        let conditions: SQL = "p.deleted_at IS NULL AND p.status = \(status)\(try conditions(in: connection))"
        return Source(tables: tables, conditions: conditions, number: number, matches: matches, join: join)
    }

    private func conditions(in connection: Connection) throws -> SQL {
        var sql: SQL = ""
        if let category {
            let categories = try CategoryStore.subtree(of: category, in: connection)
            sql += try among("product_categories m WHERE m.category IN \(anyOf: categories)", in: connection)
        }
        if let relatedTo {
            let categories = try connection.all(
                """
                SELECT pc.category FROM products self JOIN product_categories pc ON pc.product_number = self.number
                WHERE self.id = \(relatedTo)
                """
            ) { try $0.next(CategoryID.self) }
            sql += " AND p.id <> \(relatedTo)"
            sql += try among("product_categories m WHERE m.category IN \(anyOf: categories)", in: connection)
        }
        if let ids { sql += " AND p.id IN \(anyOf: ids)" }
        if let priceMin { sql += " AND pp.lowest >= \(priceMin.thousandths)" }
        if let priceMax { sql += " AND pp.lowest <= \(priceMax.thousandths)" }
        if let isInStock { sql += " AND p.in_stock = \(isInStock)" }
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            sql += try among(
                "product_attributes m WHERE m.name = \(name) AND m.value IN \(anyOf: values)", in: connection)
        }
        return sql
    }

    /// Up to so many members of a filter are sorted, where more would be met soon enough on a walk through the list.
    private static let fewMembers = 5_000

    /// Holds for products that `members` tells of. Postgres knows how common a value is and chooses itself.
    private func among(_ members: SQL, in connection: Connection) throws -> SQL {
        let few: SQL = " AND p.number IN (SELECT m.product_number FROM \(members))"
        guard connection.dialect == .sqlite else { return few }
        let isCommon = try connection.exists(
            "SELECT 1 FROM \(members) LIMIT 1 OFFSET \(Self.fewMembers)")
        return isCommon ? " AND EXISTS (SELECT 1 FROM \(members) AND m.product_number = p.number)" : few
    }
}

extension PageRequest {
    fileprivate func position(at keys: [KeyValue]) -> PagePosition? {
        position.map { PagePosition(keys: keys, direction: $0.direction) }
    }
}

extension ProductStatus: SQLConvertible {}
