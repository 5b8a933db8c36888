// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// One connection to a SQLite file, used by one thread.
final class SQLiteSession: SQLSession {
    enum Access { case readOnly, readWrite }

    private var handle: OpaquePointer?
    private var statements: [String: SQLiteStatement] = [:]

    /// How many prepared statements a connection keeps. The program's own texts are a few hundred; only conditions that
    /// are put together can exceed that.
    private static let statementsMax = 512

    /// - Throws: ``DatabaseError`` when the file cannot be opened.
    init(path: String, access: Access) throws {
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
        // Other processes on the same file are waited for; our own writers queue before they get here.
        try script("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")
        try script("PRAGMA cache_size = -16384; PRAGMA mmap_size = 268435456;")
        switch access {
        case .readWrite: try script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
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

    /// The kept statement for `text`, or another where that one is in use by an outer loop.
    private func prepared(_ text: String) throws -> SQLiteStatement {
        if let kept = statements[text], kept.acquire() { return kept }
        var pointer: OpaquePointer?
        guard sqlite3_prepare_v3(handle, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, nil) == SQLITE_OK,
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
                case SQLITE_CONSTRAINT: .check
                default: .statement
                }
            }
    }
}

/// A prepared statement, which is also the row it stands on.
final class SQLiteStatement: RowSource {
    private let pointer: OpaquePointer
    private let isKept: Bool
    private var isInUse = true

    // Tells SQLite to copy bound bytes at once; the C macro is a cast that Swift does not import.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(pointer: OpaquePointer, isKept: Bool) {
        self.pointer = pointer
        self.isKept = isKept
    }

    func acquire() -> Bool {
        if isInUse { return false }
        isInUse = true
        return true
    }

    func release() {
        isInUse = false
        guard isKept else { return finalize() }
        sqlite3_reset(pointer)
    }

    func finalize() { sqlite3_finalize(pointer) }

    func step() -> Int32 { sqlite3_step(pointer) }

    func bind(_ values: [SQLValue], in session: SQLiteSession) throws {
        for (index, value) in values.enumerated() {
            let position = Int32(index + 1)
            let result =
                switch value {
                case .null: sqlite3_bind_null(pointer, position)
                case .integer(let value): sqlite3_bind_int64(pointer, position, value)
                case .real(let value): sqlite3_bind_double(pointer, position, value)
                case .text(let value): bind(text: value, at: position)
                case .blob(let value): sqlite3_bind_blob(pointer, position, value, Int32(value.count), Self.transient)
                }
            guard result == SQLITE_OK else { throw session.lastError(statement: nil) }
        }
    }

    private func bind(text: String, at position: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { bytes in
                // An empty string has no address, and a null address would bind NULL.
                guard let start = bytes.baseAddress else { return sqlite3_bind_text(pointer, position, "", 0, nil) }
                return sqlite3_bind_text(pointer, position, start, Int32(bytes.count), Self.transient)
            }
        }
    }

    func isNull(_ index: Int) -> Bool { sqlite3_column_type(pointer, Int32(index)) == SQLITE_NULL }
    func integer(_ index: Int) -> Int64 { sqlite3_column_int64(pointer, Int32(index)) }
    func real(_ index: Int) -> Double { sqlite3_column_double(pointer, Int32(index)) }

    func text(_ index: Int) -> String {
        guard let start = sqlite3_column_text(pointer, Int32(index)) else { return "" }
        let count = Int(sqlite3_column_bytes(pointer, Int32(index)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    func blob(_ index: Int) -> [UInt8] {
        guard let start = sqlite3_column_blob(pointer, Int32(index)) else { return [] }
        let count = Int(sqlite3_column_bytes(pointer, Int32(index)))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}
