// SPDX-License-Identifier: Apache-2.0

internal import CLibpq
internal import Foundation
internal import Glibc
internal import Kernel

/// One connection to a Postgres server, used by one thread.
///
/// Everything goes through libpq's pipeline mode: what begins a transaction or a savepoint travels with the statement
/// after it, so that a read of one statement is one round trip, as it would be without a transaction.
final class PostgresSession: SQLSession {
    let dialect = Dialect.postgres
    private let url: String
    private var connection: OpaquePointer?
    /// Names of prepared statements, by text.
    private var statements: [String: String] = [:]
    /// How many were prepared ever, so that no name comes twice.
    private var preparations = 0
    /// Commands that travel with the next statement.
    private var waiting: [String] = []
    /// Whether anything was sent since ``begin(_:)``.
    private var hasBegun = false
    /// What was sent since the last sync.
    private var sent: [String] = []
    /// What was sent and synced, and whose answers nobody has waited for yet.
    private var owed: [[String]] = []
    /// Prepared since the last answer, so not known to exist.
    private var fresh: [String] = []
    private(set) var changes = 0

    /// Until when the body at work is waited for. A statement that runs longer is cancelled.
    var deadline: Deadline?

    private static let settings: KeyValuePairs = [
        "timezone": "UTC", "plan_cache_mode": "force_generic_plan",
        // A plan that was made while a table was empty would scan it from end to end for long after.
        "enable_seqscan": "off",
    ]
    private static let statementsMax = 512
    private static let connectSecondsMax = 5
    /// A cancelled statement ends almost at once, unless the server is out of reach.
    private static let cancelTimeMax = Duration.seconds(2)

    init(url: String) { self.url = url }

    // MARK: Connecting

    var isConnected: Bool { connection != nil && PQstatus(connection) == CONNECTION_OK }

    /// - Throws: ``DatabaseError`` of kind `connection`.
    func connect() throws {
        close()
        let options: KeyValuePairs = [
            "dbname": url, "connect_timeout": String(Self.connectSecondsMax), "application_name": "vitrine",
            "client_encoding": "UTF8", "tcp_user_timeout": "10000",
            "options": Self.settings.map { "-c \($0.key)=\($0.value)" }.joined(separator: " "),
        ]
        var names = options.map { strdup($0.key) }
        var values = options.map { strdup($0.value) }
        defer { for text in names + values { free(text) } }
        names.append(nil)
        values.append(nil)
        connection = names.withUnsafeBufferPointer { names in
            values.withUnsafeBufferPointer { values in
                names.withMemoryRebound(to: UnsafePointer<CChar>?.self) { names in
                    values.withMemoryRebound(to: UnsafePointer<CChar>?.self) { values in
                        PQconnectdbParams(names.baseAddress, values.baseAddress, 1)
                    }
                }
            }
        }
        guard isConnected else {
            let error = connectionError()
            close()
            throw error
        }
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    func close() {
        PQfinish(connection)
        connection = nil
        statements = [:]
        (waiting, sent, owed, fresh) = ([], [], [], [])
    }

    // MARK: Transactions

    /// Sends `command` with the next statement.
    func later(_ command: String) { waiting.append(command) }

    /// Has `command` begin a transaction with the first statement.
    func begin(_ command: String) {
        hasBegun = false
        waiting = [command]
    }

    /// Ends a transaction that changed nothing and that nobody waits for: its answer is read before the next statement's.
    func endUnwatched(_ command: String) throws {
        // Settings that still wait would end with it.
        waiting = []
        guard hasBegun else { return }
        try send(command: command)
        try sync()
        owed.append(sent)
        sent = []
    }

    /// Runs `command` and everything that waits before it.
    func control(_ command: String) throws {
        waiting.append(command)
        try flush()
    }

    /// Undoes the transaction, if one was begun.
    func rollBack() throws {
        waiting = []
        guard PQtransactionStatus(connection) != PQTRANS_IDLE || !sent.isEmpty else { return }
        do { try flush() } catch let error as DatabaseError where error.kind != .connection {
            // What had been sent is undone with the rest.
        }
        try control("ROLLBACK")
    }

    /// Waits for everything that was sent.
    private func flush() throws {
        try sendWaiting()
        guard !sent.isEmpty else { return }
        try sync()
        try finish { _ in true }
    }

    private func sendWaiting() throws {
        let commands = waiting
        waiting = []
        hasBegun = true
        for command in commands { try send(command: command) }
    }

    // MARK: Statements

    func script(_ text: String) throws {
        // Control of savepoints is one command and may wait; a script has several and needs the simple protocol.
        if !text.contains(";") { return later(text) }
        try flush()
        try settleOwed()
        PQexitPipelineMode(connection)
        let result = PQexec(connection, text)
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: throw error(of: result, statement: text)
        }
    }

    func run(_ sql: SQL, onRow: (any RowSource) throws -> Bool) throws {
        try send(sql)
        try sync()
        try finish(onRow)
    }

    func send(_ sql: SQL) throws {
        guard isConnected else { throw connectionError() }
        try sendWaiting()
        try enterPipeline()
        let name = try statements[sql.text] ?? prepare(sql.text)
        let parameters = try PostgresParameters(sql.values)
        let isSent = parameters.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(connection, name, count, values, lengths, formats, 0)
        }
        guard isSent == 1 else { throw connectionError() }
        sent.append(sql.text)
    }

    /// - Returns: the statement's name; the nameless one is overwritten by the next.
    private func prepare(_ text: String) throws -> String {
        let name = statements.count < Self.statementsMax ? "s\(preparations)" : ""
        preparations += 1
        guard PQsendPrepare(connection, name, dialect.render(text), 0, nil) == 1 else { throw connectionError() }
        sent.append(text)
        if !name.isEmpty {
            statements[text] = name
            fresh.append(text)
        }
        return name
    }

    private func send(command: String) throws {
        try enterPipeline()
        guard PQsendQueryParams(connection, command, 0, nil, nil, nil, nil, 0) == 1 else { throw connectionError() }
        sent.append(command)
    }

    // MARK: The pipeline

    private func enterPipeline() throws {
        guard PQpipelineStatus(connection) == PQ_PIPELINE_OFF else { return }
        guard PQenterPipelineMode(connection) == 1 else { throw connectionError() }
    }

    private func sync() throws {
        guard PQpipelineSync(connection) == 1 else { throw connectionError() }
    }

    private func settleOwed() throws {
        while !owed.isEmpty { try read(owed.removeFirst()) { _ in true } }
    }

    /// Reads the answers to everything that was sent, up to its sync; rows of the last go to `onRow`.
    private func finish(_ onRow: (any RowSource) throws -> Bool) throws {
        try settleOwed()
        let texts = sent
        sent = []
        do {
            try read(texts, onRow)
        } catch {
            // What was prepared in a pipeline that failed may not exist.
            for text in fresh { statements[text] = nil }
            fresh = []
            throw error
        }
        fresh = []
    }

    /// - Throws: the first error among the answers, or what `onRow` throws; the pipeline is read to its end either way.
    private func read(_ texts: [String], _ onRow: (any RowSource) throws -> Bool) throws {
        var fault: (any Error)?
        for (place, text) in texts.enumerated() {
            while let result = try next() {
                defer { PQclear(result) }
                switch PQresultStatus(result) {
                case PGRES_COMMAND_OK: changes = Int(String(cString: PQcmdTuples(result))) ?? 0
                case PGRES_TUPLES_OK:
                    changes = Int(PQntuples(result))
                    guard place == texts.count - 1, fault == nil else { continue }
                    do { try Self.hand(result, to: onRow) } catch { fault = error }
                case PGRES_PIPELINE_ABORTED: continue
                default: fault = fault ?? error(of: result, statement: text)
                }
            }
        }
        guard let end = try next() else { throw connectionError() }
        PQclear(end)
        if let fault { throw fault }
    }

    private static func hand(_ result: OpaquePointer, to onRow: (any RowSource) throws -> Bool) throws {
        let row = PostgresRow(result: result)
        for number in 0..<PQntuples(result) {
            row.number = number
            if try !onRow(row) { return }
        }
    }

    /// The next result, `nil` at the end of a command's. Waits no longer than the deadline.
    private func next() throws -> OpaquePointer? {
        var isCancelled = false
        var limit = deadline
        while PQisBusy(connection) == 1 {
            guard try waitForBytes(until: limit) else {
                guard !isCancelled else {
                    close()
                    throw DatabaseError(
                        kind: .connection, code: "57014", message: "The server did not answer in time.", statement: nil)
                }
                isCancelled = true
                cancel()
                limit = .after(Self.cancelTimeMax)
                continue
            }
            guard PQconsumeInput(connection) == 1 else { throw connectionError() }
        }
        return PQgetResult(connection)
    }

    /// - Returns: `false` when the deadline passed before anything came.
    private func waitForBytes(until deadline: Deadline?) throws -> Bool {
        var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        while true {
            let left = deadline.map { max(0, $0.remaining.components.seconds * 1_000 + 1) } ?? -1
            if deadline.hasPassed { return false }
            let ready = poll(&descriptor, 1, Int32(clamping: left))
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { throw connectionError() }
        }
    }

    /// What other sessions have notified of since; waits `patience` milliseconds for the first.
    func notifications(within patience: Int32) throws -> [String] {
        var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, patience) > 0 else { return [] }
        guard PQconsumeInput(connection) == 1 else { throw connectionError() }
        var texts: [String] = []
        while let notification = PQnotifies(connection) {
            texts.append(String(cString: notification.pointee.extra))
            PQfreemem(notification)
        }
        return texts
    }

    /// On a thread of its own: it takes one connection more, and waits for as long as the server is silent.
    private func cancel() {
        guard let request = PQgetCancel(connection) else { return }
        // Nobody else has it.
        let address = UInt(bitPattern: request)
        Thread {
            let request = OpaquePointer(bitPattern: address)
            var reason = [CChar](repeating: 0, count: 256)
            PQcancel(request, &reason, Int32(reason.count))
            PQfreeCancel(request)
        }.start()
    }

    // MARK: Errors

    private func connectionError() -> DatabaseError {
        let message = connection.flatMap { PQerrorMessage($0) }.map { String(cString: $0) } ?? "There is no connection."
        return DatabaseError(
            kind: .connection, code: "08006", message: message.trimmingLine, statement: nil)
    }

    private func error(of result: OpaquePointer?, statement: String?) -> DatabaseError {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        guard let state = field("C") else { return connectionError() }
        return DatabaseError(
            kind: .init(sqlState: state), code: state, message: field("M") ?? "", statement: statement)
    }
}

extension String {
    fileprivate var trimmingLine: String { replacing("\n", with: " ") }
}

extension DatabaseError.Kind {
    /// The kind of an SQLSTATE (Postgres manual, appendix A).
    fileprivate init(sqlState: String) {
        self =
            switch sqlState {
            case "23505": .unique
            case "23503": .foreignKey
            case "23502": .notNull
            case "23514": .check
            case "40001", "40P01": .conflict
            case "57014": .timedOut
            case "53100": .full
            case "25006": .readOnly
            case "55P03": .busy
            default:
                switch sqlState.prefix(2) {
                case "08", "57": .connection
                // Too many connections, or no memory: another time.
                case "53": .busy
                case "58": .io
                case "XX": .corrupt
                default: .statement
                }
            }
    }
}
