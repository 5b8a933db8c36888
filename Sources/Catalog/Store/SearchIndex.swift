// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The full-text side of the catalogue: what can be found, and what people may have meant.
///
/// Words are cut and folded here and not by the engines, so that both find the same.
enum SearchIndex {
    /// Other words are taken as typed: one error in three letters could mean anything, and what is so long that its
    /// likenesses would fill the index is nobody's word. Nor is what has digits, such as an article number.
    private static let typoLengths = 4...32
    /// Words that are known, to be found by their beginnings: longer ones cannot be typed into a search, and on SQLite the
    /// beginnings of shorter ones are indexed.
    private static func isKnown(_ word: String, on dialect: Dialect) -> Bool {
        word.count <= 200 && (dialect == .postgres || word.count > indexedBeginning)
    }
    private static let wordsMax = 8
    private static let alternativesMax = 6

    static func write(
        _ product: Product, number: Int64, instead old: Product?, knowing rows: KnownRows,
        in transaction: Transaction
    ) throws {
        if let old {
            if old.text.title == product.text.title, body(of: old) == body(of: product) { return }
            try remove(number: number, in: transaction)
        }
        let title = SearchText.words(product.text.title)
        let body = SearchText.words(body(of: product))
        let texts = (title: title.joined(separator: " "), body: body.joined(separator: " "))
        switch transaction.dialect {
        case .sqlite:
            transaction.beforeCommit {
                try transaction.execute(
                    "INSERT INTO product_search (rowid, title, body) VALUES (\(number), \(texts.title), \(texts.body))")
            }
        case .postgres:
            try transaction.send(
                """
                INSERT INTO product_search (product_number, title, words)
                VALUES (\(number), to_tsvector('simple', \(texts.title)),
                    to_tsvector('simple', \(texts.title + " " + texts.body)))
                """)
        }
        let known = Set((title + body).filter { isKnown($0, on: transaction.dialect) })
        try learn(rows.unseen(of: known), in: transaction)
    }

    /// On SQLite everything that changes the index is done at the end, in order: FTS5 writes a segment whenever another kind
    /// of statement comes between.
    static func remove(number: Int64, in transaction: Transaction) throws {
        switch transaction.dialect {
        case .sqlite:
            transaction.beforeCommit {
                try transaction.execute("DELETE FROM product_search WHERE rowid = \(number)")
            }
        case .postgres: try transaction.send("DELETE FROM product_search WHERE product_number = \(number)")
        }
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
    private static func learn(_ words: Set<String>, in transaction: Transaction) throws {
        guard !words.isEmpty else { return }
        let known = try transaction.all("SELECT word FROM search_words WHERE word IN \(anyOf: words)") {
            try $0.next(String.self)
        }
        let fresh = words.subtracting(known).sorted()
        try transaction.insert(into: "search_words (word)", fresh.map { [$0.sqlValue] }, unlessThere: true)
        for word in fresh where mayBeMistyped(word) {
            try transaction.insert(
                into: "search_deletions (deletion, word)",
                SearchText.deletions(of: word).map { [$0.sqlValue, word.sqlValue] }, unlessThere: true)
        }
    }

    /// Whether the word may stand for another, or another for it.
    private static func mayBeMistyped(_ word: String) -> Bool {
        typoLengths.contains(word.count) && !word.contains(where: \.isNumber)
    }

    // MARK: Finding

    /// Conditions on `product_search`.
    struct Matches {
        /// Everything that is found.
        let all: SQL
        /// The same in classes, the better before the worse, without overlap; `nil` for one in which nothing can be.
        let tiers: [SQL?]
    }

    /// What holds for a product that is found: every word occurs in it, as itself or as a beginning. A word that nothing
    /// begins with stands for those that are one typing error away.
    ///
    /// Products whose title has the very words come first, then those whose title has what begins with them, then the
    /// rest. A finer order, such as bm25, has to read everything that is found before it can tell the first page: on
    /// 100,000 products a common word took 100 ms with it, and takes less than one with classes.
    ///
    /// - Returns: `nil` when `text` has no words, or one that no product has.
    static func matches(_ text: String, in connection: Connection) throws -> Matches? {
        let words = SearchText.words(text).prefix(wordsMax)
        guard !words.isEmpty else { return nil }
        let meant = try words.map { try meanings(of: $0, in: connection) }
        guard !meant.contains([]) else { return nil }
        let exact = words.map { [Term.word($0)] }
        let isMore = meant != exact
        switch connection.dialect {
        case .sqlite:
            let (exact, title, all) = ("title : \(fts5(exact))", "title : \(fts5(meant))", fts5(meant))
            return Matches(
                all: "product_search MATCH \(all)",
                tiers: [
                    "product_search MATCH \(exact)",
                    isMore ? "product_search MATCH \("(\(title)) NOT (\(exact))")" : nil,
                    "product_search MATCH \("\(all) NOT (\(title))")",
                ])
        case .postgres:
            let all = holding(meant)
            let (exact, title) = (tsquery(exact), tsquery(meant))
            // Of one word only what else it may mean is sought, which is often rare where the word itself is not.
            let others = meant.count == 1 ? [meant[0].filter { $0 != .word(words[0]) }] : meant
            return Matches(
                all: all,
                tiers: [
                    "product_search.title @@ \(exact)",
                    isMore
                        ? "product_search.title @@ \(tsquery(others)) AND NOT product_search.title @@ \(exact)" : nil,
                    "\(all) AND NOT product_search.title @@ \(title)",
                ])
        }
    }

    // A word has letters and digits only, so that it can stand in either engine's query language.

    /// SQLite manual, FTS5 section 3.
    private static func fts5(_ words: [[Term]]) -> String {
        let parts = words.map { terms in
            terms.map { term in
                switch term {
                case .word(let word): "\"\(word)\""
                case .beginning(let word, _): "\"\(word)\"*"
                }
            }.joined(separator: " OR ")
        }
        return "(" + parts.map { "(\($0))" }.joined(separator: " AND ") + ")"
    }

    /// Holds where every word occurs anywhere. A walk through the newest soon meets what begins in a common way, where the
    /// index would have to put together all that does; so that is put in a way in which the index is not asked.
    private static func holding(_ words: [[Term]]) -> SQL {
        let common = words.filter { $0.allSatisfy(\.isCommon) }
        let others = words.filter { !$0.allSatisfy(\.isCommon) }
        var parts: [SQL] = []
        if !others.isEmpty { parts.append("product_search.words @@ \(tsquery(others))") }
        if !common.isEmpty { parts.append("(product_search.words @@ \(tsquery(common))) IS TRUE") }
        return parts.dropFirst().reduce(parts.first ?? .empty) { $0 + " AND " + $1 }
    }

    /// Postgres manual, section 8.11.2.
    private static func tsquery(_ words: [[Term]]) -> SQL {
        let parts = words.map { terms in
            terms.map { term in
                switch term {
                case .word(let word): word
                case .beginning(let word, _): "\(word):*"
                }
            }.joined(separator: " | ")
        }
        return "to_tsquery('simple', \(parts.map { "(\($0))" }.joined(separator: " & ")))"
    }

    /// What a typed word may match.
    private enum Term: Equatable {
        case word(String)
        /// Common where so many words begin so that many products have one.
        case beginning(String, isCommon: Bool = false)

        var isCommon: Bool { if case .beginning(_, true) = self { true } else { false } }
    }

    /// So few letters are indexed as beginnings on SQLite; longer ones are sought as the words that they begin.
    private static let indexedBeginning = 3
    private static let completionsMax = 64

    /// From so many words on a beginning is common.
    private static let commonMin = 1_000

    private static func meanings(of word: String, in connection: Connection) throws -> [Term] {
        let isSQLite = connection.dialect == .sqlite
        guard word.count > indexedBeginning || !isSQLite else { return [.beginning(word)] }
        let max = isSQLite ? completionsMax + 1 : commonMin
        let completions = try connection.all(
            """
            SELECT word FROM search_words WHERE word >= \(word) AND word < \(word + "\u{10FFFF}")
            ORDER BY word LIMIT \(max)
            """
        ) { try $0.next(String.self) }
        if completions.isEmpty {
            let alternatives = mayBeMistyped(word) ? try alternatives(to: word, in: connection) : []
            // On Postgres all words are known, so this one means nothing; on SQLite it may stand in the index all the same.
            return alternatives.isEmpty && isSQLite ? [.beginning(word)] : alternatives.map(Term.word)
        }
        // A beginning that is not indexed is put together from its words before the first of them is known; and Postgres
        // knows how common words are, but not beginnings.
        if completions.count <= completionsMax { return completions.map(Term.word) }
        return [.beginning(word, isCommon: !isSQLite && completions.count == commonMin)]
    }

    private static func alternatives(to word: String, in connection: Connection) throws -> [String] {
        let candidates = try connection.all(
            """
            SELECT DISTINCT word FROM search_deletions
            WHERE deletion IN \(anyOf: SearchText.deletions(of: word)) ORDER BY word
            """
        ) { try $0.next(String.self) }
        return Array(candidates.filter { SearchText.areOneErrorApart($0, word) }.prefix(alternativesMax))
    }
}
