// SPDX-License-Identifier: Apache-2.0

internal import CSQLite
internal import Kernel

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
                case .integers(let members): bind(text: JSON.array(members.map { .integer($0) }).text, at: position)
                case .texts(let members): bind(text: JSON.array(members.map { .string($0) }).text, at: position)
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
