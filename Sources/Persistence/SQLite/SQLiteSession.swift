// SPDX-License-Identifier: Apache-2.0

internal import CSQLite
internal import Kernel

/// One connection to a SQLite file, used by one thread.
final class SQLiteSession: SQLSession {
    enum Access { case readOnly, readWrite }

    let dialect = Dialect.sqlite
    private var handle: OpaquePointer?
    private var statements: [String: SQLiteStatement] = [:]

    /// How many prepared statements a connection keeps. The program's own texts are a few hundred; only conditions that
    /// are put together can exceed that.
    private static let statementsMax = 512

    /// How many steps of SQLite's machine pass between two looks at the clock; some tenths of a millisecond.
    private static let stepsBetweenLooks: Int32 = 10_000

    /// Until when the body at work is waited for. A statement that runs longer ends with `SQLITE_INTERRUPT`.
    var deadline: Deadline?

    /// Of the library, once, before it opens anything. Where somebody else has opened something before, it stays as it is.
    private static let isConfigured = csqlite_forget_memory_use() == SQLITE_OK

    /// - Throws: ``DatabaseError`` when the file cannot be opened.
    init(path: String, access: Access) throws {
        _ = Self.isConfigured
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
        guard sqlite3_open_v2(path, &handle, flags, nil) == SQLITE_OK else {
            let error = lastError(statement: nil)
            sqlite3_close_v2(handle)
            throw error
        }
        sqlite3_extended_result_codes(handle, 1)
        do {
            try configure(access)
        } catch {
            sqlite3_close_v2(handle)
            handle = nil
            throw error
        }
    }

    private func configure(_ access: Access) throws {
        // The handle is closed before the session goes, so the session outlives every call.
        sqlite3_progress_handler(
            handle, Self.stepsBetweenLooks,
            { session in
                guard let session else { return 0 }
                let deadline = Unmanaged<SQLiteSession>.fromOpaque(session).takeUnretainedValue().deadline
                return deadline.hasPassed ? 1 : 0
            }, Unmanaged.passUnretained(self).toOpaque())
        // Other processes on the same file are waited for; our own writers queue before they get here.
        try script("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")
        try script("PRAGMA cache_size = -4096; PRAGMA mmap_size = 268435456;")
        switch access {
        case .readWrite:
            try script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            // 16 MiB: a page that changes often is copied back once instead of every few commits.
            try script("PRAGMA wal_autocheckpoint = 4000;")
        case .readOnly: try script("PRAGMA query_only = ON;")
        }
    }

    func close() {
        for statement in statements.values { statement.finalize() }
        statements = [:]
        sqlite3_close_v2(handle)
        handle = nil
    }

    var changes: Int { Int(sqlite3_changes(handle)) }

    /// Whether a transaction is open. SQLite ends it by itself after some errors, such as a full disk.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    func script(_ text: String) throws {
        guard sqlite3_exec(handle, text, nil, nil, nil) == SQLITE_OK else { throw lastError(statement: text) }
    }

    func run(_ sql: SQL, onRow: (any RowSource) throws -> Bool) throws {
        let statement = try prepared(sql.text)
        defer { statement.release() }
        try statement.bind(sql.values, in: self)
        while true {
            switch statement.step() {
            case SQLITE_ROW: if try !onRow(statement) { return }
            case SQLITE_DONE: return
            default: throw lastError(statement: sql.text)
            }
        }
    }

    /// Runs one statement without values, such as `BEGIN`. Prepared once, where ``script(_:)`` prepares each time.
    func step(_ text: String) throws {
        let statement = try prepared(text)
        defer { statement.release() }
        guard statement.step() == SQLITE_DONE else { throw lastError(statement: text) }
    }

    func send(_ sql: SQL) throws { try run(sql) { _ in true } }

    /// The kept statement for `text`, or another where that one is in use by an outer loop.
    private func prepared(_ text: String) throws -> SQLiteStatement {
        if let kept = statements[text], kept.acquire() { return kept }
        var pointer: OpaquePointer?
        guard
            sqlite3_prepare_v3(handle, dialect.render(text), -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, nil)
                == SQLITE_OK,
            let pointer
        else { throw lastError(statement: text) }
        let isKept = statements[text] == nil && statements.count < Self.statementsMax
        let statement = SQLiteStatement(pointer: pointer, isKept: isKept)
        if isKept { statements[text] = statement }
        return statement
    }

    func lastError(statement: String?) -> DatabaseError {
        let code = sqlite3_extended_errcode(handle)
        return DatabaseError(
            kind: .init(sqlite: code), code: String(code), message: String(cString: sqlite3_errmsg(handle)),
            statement: statement)
    }
}

extension DatabaseError.Kind {
    /// The kind of an extended result code (sqlite.org/rescode.html).
    fileprivate init(sqlite code: Int32) {
        self =
            switch code {
            case SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 6 << 8, SQLITE_CONSTRAINT | 10 << 8: .unique
            case SQLITE_CONSTRAINT | 1 << 8: .check
            case SQLITE_CONSTRAINT | 3 << 8: .foreignKey
            case SQLITE_CONSTRAINT | 5 << 8: .notNull
            default:
                switch code & 0xFF {
                case SQLITE_BUSY, SQLITE_LOCKED: .busy
                case SQLITE_FULL: .full
                case SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN: .readOnly
                case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
                case SQLITE_IOERR: .io
                case SQLITE_INTERRUPT: .timedOut
                case SQLITE_CONSTRAINT: .check
                default: .statement
                }
            }
    }
}
