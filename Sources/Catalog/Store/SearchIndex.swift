// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The full-text side of the catalogue: what can be found, and what people may have meant.
enum SearchIndex {
    /// Other words are taken as typed: one error in three letters could mean anything, and what is so long that its
    /// likenesses would fill the index is nobody's word.
    private static let typoLengths = 4...32
    private static let wordsMax = 8
    private static let alternativesMax = 6

    static func write(_ product: Product, number: Int64, instead old: Product?, in transaction: Transaction) throws {
        let body = body(of: product)
        if let old, old.text.title == product.text.title, self.body(of: old) == body { return }
        if old != nil { try remove(number: number, in: transaction) }
        switch transaction.dialect {
        case .sqlite:
            try transaction.execute(
                "INSERT INTO product_search (rowid, title, body) VALUES (\(number), \(product.text.title), \(body))")
        case .postgres:
            // The words are cut and folded here, so that both engines find the same.
            let title = SearchText.words(product.text.title).joined(separator: " ")
            let words = SearchText.words(body).joined(separator: " ")
            try transaction.execute(
                """
                INSERT INTO product_search (product_number, words)
                VALUES (\(number), setweight(to_tsvector('simple', \(title)), 'A')
                    || setweight(to_tsvector('simple', \(words)), 'D'))
                """)
        }
        for word in Set(SearchText.words(product.text.title + " " + body)) where typoLengths.contains(word.count) {
            try learn(word, in: transaction)
        }
    }

    static func remove(number: Int64, in transaction: Transaction) throws {
        let key: SQL =
            switch transaction.dialect {
            case .sqlite: "rowid"
            case .postgres: "product_number"
            }
        try transaction.execute("DELETE FROM product_search WHERE \(key) = \(number)")
    }

    private static func body(of product: Product) -> String {
        var parts = [product.text.description ?? ""]
        for (_, text) in product.translations.sorted(by: { $0.key < $1.key }) {
            parts += [text.title, text.description ?? ""]
        }
        parts += product.attributes.sorted { $0.key < $1.key }.map(\.value)
        for variant in product.variants { parts += [variant.sku, variant.title ?? ""] }
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// Words are never forgotten: one that no product has any more only leads to an empty search.
    private static func learn(_ word: String, in transaction: Transaction) throws {
        let isNew = try transaction.execute("INSERT INTO search_words (word) VALUES (\(word)) ON CONFLICT DO NOTHING")
        guard isNew == 1, transaction.dialect == .sqlite else { return }
        for deletion in SearchText.deletions(of: word) {
            try transaction.execute(
                "INSERT INTO search_deletions (deletion, word) VALUES (\(deletion), \(word)) ON CONFLICT DO NOTHING")
        }
    }

    /// The products that match, as a table of `number` and `rank`, of which lower is better. Every word must occur, as
    /// itself or as a beginning; a word that nothing begins with stands for those that are one typing error away.
    ///
    /// - Returns: `nil` when `text` has no words.
    static func matches(_ text: String, in connection: Connection) throws -> SQL? {
        let words = SearchText.words(text).prefix(wordsMax)
        guard !words.isEmpty else { return nil }
        let alternatives = try words.map { word in
            guard typoLengths.contains(word.count), try !isBeginning(word, in: connection) else { return [String]() }
            return try self.alternatives(to: word, in: connection)
        }
        switch connection.dialect {
        case .sqlite:
            let match = zip(words, alternatives).map { word, others in
                "(" + (["\"\(word)\"*"] + others.map { "\"\($0)\"" }).joined(separator: " OR ") + ")"
            }.joined(separator: " AND ")
            return """
                (SELECT rowid AS number, bm25(product_search, 10.0, 1.0) AS rank FROM product_search
                 WHERE product_search MATCH \(match))
                """
        case .postgres:
            let match = zip(words, alternatives).map { word, others in
                "(" + (["\(word):*"] + others).joined(separator: " | ") + ")"
            }.joined(separator: " & ")
            return """
                (SELECT product_number AS number, -CAST(ts_rank_cd(words, query, 1) AS double precision) AS rank
                 FROM product_search, to_tsquery('simple', \(match)) AS query WHERE words @@ query)
                """
        }
    }

    private static func isBeginning(_ word: String, in connection: Connection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM search_words WHERE word >= \(word) AND word < \(word + "\u{10FFFF}") LIMIT 1")
    }

    private static func alternatives(to word: String, in connection: Connection) throws -> [String] {
        let candidates: SQL =
            switch connection.dialect {
            case .sqlite:
                """
                SELECT DISTINCT word FROM search_deletions
                WHERE deletion IN \(anyOf: SearchText.deletions(of: word)) ORDER BY word
                """
            case .postgres: "SELECT word FROM search_words WHERE word % \(word) ORDER BY word"
            }
        return try connection.all(candidates) { try $0.next(String.self) }
            .filter { SearchText.areOneErrorApart($0, word) }.prefix(alternativesMax).map { $0 }
    }
}
