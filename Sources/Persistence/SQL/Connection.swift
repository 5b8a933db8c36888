// SPDX-License-Identifier: Apache-2.0

/// Runs statements on one consistent snapshot. Lives as long as the body that was given it.
package class Connection {
    fileprivate let session: any SQLSession

    init(session: any SQLSession) { self.session = session }

    /// Whose words the engine understands, where a statement cannot be shared.
    package var dialect: Dialect { session.dialect }

    /// Behind a `SELECT` that reads what the transaction is about to change: keeps others from changing it meanwhile.
    ///
    /// Empty on SQLite, where one body writes at a time, and outside transactions, where nothing is changed.
    package var forUpdate: SQL { .empty }

    /// The same for what the transaction relies on and leaves as it is; many may at once, and whoever would change it waits.
    package var forShare: SQL { .empty }

    /// Every row of the answer, each made by `make`.
    package func all<Element>(_ sql: SQL, _ make: (inout Row) throws -> Element) throws -> [Element] {
        var elements: [Element] = []
        note(sql)
        try session.run(sql) { source in
            var row = Row(source: source)
            elements.append(try make(&row))
            return true
        }
        return elements
    }

    /// The first row of the answer, or `nil` where there is none.
    package func first<Element>(_ sql: SQL, _ make: (inout Row) throws -> Element) throws -> Element? {
        var element: Element?
        note(sql)
        try session.run(sql) { source in
            var row = Row(source: source)
            element = try make(&row)
            return false
        }
        return element
    }

    /// Whether the answer has a row.
    package func exists(_ sql: SQL) throws -> Bool {
        try first(sql) { _ in true } ?? false
    }

    /// Hands over the rows one by one, for answers that should not stand in memory whole.
    package func forEach(_ sql: SQL, _ use: (inout Row) throws -> Void) throws {
        note(sql)
        try session.run(sql) { source in
            var row = Row(source: source)
            try use(&row)
            return true
        }
    }

    /// Has each statement of `body` planned for its values. Where the database is another process, plans are otherwise made
    /// once for all values, which is cheaper but knows nothing of how common a word or a category is.
    package func planningForValues<Result>(_ body: () throws -> Result) throws -> Result {
        guard dialect == .postgres else { return try body() }
        try script("SET LOCAL plan_cache_mode = force_custom_plan")
        let result = try body()
        try script("SET LOCAL plan_cache_mode = force_generic_plan")
        return result
    }

    /// How many statements were run.
    private(set) var statements = 0

    /// Called with every statement before it runs.
    fileprivate func note(_ sql: SQL) {
        statements += 1
        if isObserved { observed.append(sql.text) }
    }

    private var isObserved = false
    /// The texts of the statements that were run while somebody watched.
    private(set) var observed: [String] = []

    func observe(_ isOn: Bool) {
        isObserved = isOn
        observed = []
    }

    fileprivate func change(_ sql: SQL) throws -> Int {
        note(sql)
        try session.run(sql) { _ in true }
        return session.changes
    }

    fileprivate func script(_ text: String) throws { try session.script(text) }
}

/// A connection that may also change data. Its changes become durable together or not at all.
package final class Transaction: Connection {
    private let watched: Set<String>
    /// Those of the watched tables that were changed.
    private(set) var changed: Set<String> = []

    /// The trace on whose behalf it changes data, as `traceparent`; `nil` where nobody traces.
    package var trace: String? {
        get {
            if let findTrace {
                knownTrace = findTrace()
                self.findTrace = nil
            }
            return knownTrace
        }
        set { (knownTrace, findTrace) = (newValue, nil) }
    }

    private var knownTrace: String?
    /// Most that is changed tells nobody else of its trace, so it is found out when it is asked for.
    var findTrace: (() -> String?)?
    /// The address from which it was asked for; `nil` for chores.
    package var origin: String?

    init(session: any SQLSession, watched: Set<String>) {
        self.watched = watched
        super.init(session: session)
    }

    fileprivate override func note(_ sql: SQL) {
        super.note(sql)
        guard !watched.isEmpty, let table = sql.changedTable.map(String.init), watched.contains(table) else { return }
        changed.insert(table)
    }

    /// Runs a statement that changes rows.
    ///
    /// - Returns: how many rows it changed.
    @discardableResult
    package func execute(_ sql: SQL) throws -> Int { try change(sql) }

    private static let rowsMax = 8

    /// Inserts rows, up to eight with one statement, so that there are few texts to be prepared. `table` is its name and
    /// columns, as behind `INSERT INTO`; with `unlessThere`, rows whose key exists are left out instead of refused.
    package func insert(into table: SQL, _ rows: [[SQLValue]], unlessThere: Bool = false) throws {
        for start in stride(from: 0, to: rows.count, by: Self.rowsMax) {
            let part = rows[start..<min(start + Self.rowsMax, rows.count)]
            try send("INSERT INTO \(table) VALUES \(rows: part)\(unlessThere ? " ON CONFLICT DO NOTHING" : .empty)")
        }
    }

    package override var forShare: SQL { dialect == .postgres ? " FOR SHARE" : .empty }

    package override var forUpdate: SQL { dialect == .postgres ? " FOR NO KEY UPDATE" : .empty }

    /// Runs a statement of which nothing is to be learnt. Where the database is another process it travels with the next
    /// one, which saves a round trip; what is wrong with it is thrown there, or by the commit.
    package func send(_ sql: SQL) throws {
        note(sql)
        try session.send(sql)
    }

    /// Waits until no other transaction works on `name`, and keeps others waiting until this one ends. For decisions that
    /// no row stands for; where one does, read it with ``forUpdate``.
    package func serialize(on name: String) throws {
        guard dialect == .postgres else { return }
        // What comes behind it in the pipeline waits with it.
        try send("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
    }

    /// What is left for the end of the body.
    private var leftOver: [() throws -> Void] = []

    /// Has `work` done when the body is through, for what costs less in one go. Nothing can read it before.
    package func beforeCommit(_ work: @escaping () throws -> Void) { leftOver.append(work) }

    /// What is done once all is durable.
    private var news: [@Sendable () -> Void] = []

    /// Has `work` done once the changes are durable, and not at all where they are undone. For what is counted or told.
    package func afterCommit(_ work: @escaping @Sendable () -> Void) { news.append(work) }

    /// Runs `body` and what it leaves for its end.
    ///
    /// - Returns: beside the result, what is to be done after the commit.
    func whole<Result>(_ body: (Transaction) throws -> Result) throws -> (Result, [@Sendable () -> Void]) {
        defer { (leftOver, news, trace, origin) = ([], [], nil, nil) }
        let result = try body(self)
        for work in leftOver { try work() }
        return (result, news)
    }

    /// Runs `body` so that what it throws undoes its own changes and not the whole transaction's.
    package func nested<Result>(_ body: () throws -> Result) throws -> Result {
        let (left, told) = (leftOver.count, news.count)
        try script("SAVEPOINT nested")
        do {
            let result = try body()
            try script("RELEASE nested")
            return result
        } catch {
            leftOver.removeSubrange(left...)
            news.removeSubrange(told...)
            try script("ROLLBACK TO nested; RELEASE nested")
            throw error
        }
    }

    /// Runs text of our own with several statements and no values, such as a migration.
    package func run(script text: String) throws { try script(text) }
}

/// An engine's side of a connection.
package protocol SQLSession: AnyObject {
    var dialect: Dialect { get }
    /// Rows that the last statement changed.
    var changes: Int { get }
    /// Runs `sql` and hands each row to `onRow` until that returns `false`.
    func run(_ sql: SQL, onRow: (any RowSource) throws -> Bool) throws
    /// Runs `sql` without waiting for it, where that saves time.
    func send(_ sql: SQL) throws
    func script(_ text: String) throws
}

/// An engine's side of a row.
package protocol RowSource: AnyObject {
    func isNull(_ index: Int) -> Bool
    func integer(_ index: Int) -> Int64
    func real(_ index: Int) -> Double
    func text(_ index: Int) -> String
    func blob(_ index: Int) -> [UInt8]
}

/// A row, read from left to right.
package struct Row {
    private let source: any RowSource
    private var index = 0

    fileprivate init(source: any RowSource) { self.source = source }

    /// The next column.
    package mutating func next<Value: SQLConvertible>(_ type: Value.Type = Value.self) throws -> Value {
        defer { index += 1 }
        return try Value(column: Column(row: source, index: index))
    }
}
