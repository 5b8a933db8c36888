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
    /// Words that are known, to be found by their beginnings: shorter beginnings are indexed, and longer words cannot be
    /// typed into a search.
    private static let knownLengths = (indexedBeginning + 1)...200
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
        try learn(rows.unseen(of: Set((title + body).filter { knownLengths.contains($0.count) })), in: transaction)
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
        /// The same in classes, the better before the worse, without overlap.
        let tiers: [SQL]
    }

    /// What holds for a product that is found: every word occurs in it, as itself or as a beginning. A word that nothing
    /// begins with stands for those that are one typing error away.
    ///
    /// Products whose title has the very words come first, then those whose title has what begins with them, then the
    /// rest. A finer order, such as bm25, has to read everything that is found before it can tell the first page: on
    /// 100,000 products a common word took 100 ms with it, and takes less than one with classes.
    ///
    /// - Returns: `nil` when `text` has no words.
    static func matches(_ text: String, in connection: Connection) throws -> Matches? {
        let words = SearchText.words(text).prefix(wordsMax)
        guard !words.isEmpty else { return nil }
        let meant = try words.map { try meanings(of: $0, in: connection) }
        let exact = words.map { [Term.word($0)] }
        switch connection.dialect {
        case .sqlite:
            let (exact, title, all) = ("title : \(fts5(exact))", "title : \(fts5(meant))", fts5(meant))
            return Matches(
                all: "product_search MATCH \(all)",
                tiers: [
                    "product_search MATCH \(exact)", "product_search MATCH \("(\(title)) NOT (\(exact))")",
                    "product_search MATCH \("\(all) NOT (\(title))")",
                ])
        case .postgres:
            let (exact, all) = (tsquery(exact), tsquery(meant))
            return Matches(
                all: "product_search.words @@ \(all)",
                tiers: [
                    "product_search.title @@ \(exact)",
                    "product_search.title @@ \(all) AND NOT product_search.title @@ \(exact)",
                    "product_search.words @@ \(all) AND NOT product_search.title @@ \(all)",
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
                case .beginning(let word): "\"\(word)\"*"
                }
            }.joined(separator: " OR ")
        }
        return "(" + parts.map { "(\($0))" }.joined(separator: " AND ") + ")"
    }

    /// Postgres manual, section 8.11.2.
    private static func tsquery(_ words: [[Term]]) -> SQL {
        let parts = words.map { terms in
            terms.map { term in
                switch term {
                case .word(let word): word
                case .beginning(let word): "\(word):*"
                }
            }.joined(separator: " | ")
        }
        return "to_tsquery('simple', \(parts.map { "(\($0))" }.joined(separator: " & ")))"
    }

    /// What a typed word may match.
    private enum Term {
        case word(String)
        case beginning(String)
    }

    /// So few letters are indexed as beginnings; longer ones are sought as the words that they begin.
    private static let indexedBeginning = 3
    private static let completionsMax = 64

    private static func meanings(of word: String, in connection: Connection) throws -> [Term] {
        guard word.count > indexedBeginning else { return [.beginning(word)] }
        let completions = try connection.all(
            """
            SELECT word FROM search_words WHERE word >= \(word) AND word < \(word + "\u{10FFFF}")
            ORDER BY word LIMIT \(completionsMax + 1)
            """
        ) { try $0.next(String.self) }
        if completions.isEmpty {
            let alternatives = mayBeMistyped(word) ? try alternatives(to: word, in: connection) : []
            return alternatives.isEmpty ? [.beginning(word)] : alternatives.map(Term.word)
        }
        // A beginning that is not indexed is put together from its words before the first of them is known.
        return connection.dialect == .sqlite && completions.count <= completionsMax
            ? completions.map(Term.word) : [.beginning(word)]
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
