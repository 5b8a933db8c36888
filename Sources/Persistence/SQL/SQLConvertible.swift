// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A type that is stored in one column.
package protocol SQLConvertible {
    var sqlValue: SQLValue { get }
    /// - Throws: ``DatabaseError`` of kind `corrupt` when the column holds something else.
    init(column: Column) throws
}

/// One column of the row at hand.
package struct Column {
    let row: any RowSource
    let index: Int

    package var isNull: Bool { row.isNull(index) }
    package var integer: Int64 { row.integer(index) }
    package var real: Double { row.real(index) }
    package var text: String { row.text(index) }
    package var blob: [UInt8] { row.blob(index) }

    package func unreadable(as type: Any.Type) -> DatabaseError {
        DatabaseError(kind: .corrupt, code: "unreadable", message: "Column \(index) is no \(type)", statement: nil)
    }

    func requireValue(for type: Any.Type) throws {
        if isNull { throw unreadable(as: type) }
    }
}

extension Int64: SQLConvertible {
    package var sqlValue: SQLValue { .integer(self) }
    package init(column: Column) throws {
        try column.requireValue(for: Self.self)
        self = column.integer
    }
}

extension Int: SQLConvertible {
    package var sqlValue: SQLValue { .integer(Int64(self)) }
    package init(column: Column) throws { self = Int(try Int64(column: column)) }
}

extension Bool: SQLConvertible {
    package var sqlValue: SQLValue { .integer(self ? 1 : 0) }
    package init(column: Column) throws { self = try Int64(column: column) != 0 }
}

extension Double: SQLConvertible {
    package var sqlValue: SQLValue { .real(self) }
    package init(column: Column) throws {
        try column.requireValue(for: Self.self)
        self = column.real
    }
}

extension String: SQLConvertible {
    package var sqlValue: SQLValue { .text(self) }
    package init(column: Column) throws {
        try column.requireValue(for: Self.self)
        self = column.text
    }
}

extension [UInt8]: SQLConvertible {
    package var sqlValue: SQLValue { .blob(self) }
    package init(column: Column) throws {
        try column.requireValue(for: Self.self)
        self = column.blob
    }
}

extension Optional: SQLConvertible where Wrapped: SQLConvertible {
    package var sqlValue: SQLValue { self?.sqlValue ?? .null }
    package init(column: Column) throws {
        if column.isNull { self = nil } else { self = try Wrapped(column: column) }
    }
}

extension Identifier: SQLConvertible {
    package var sqlValue: SQLValue { .text(rawValue) }
    package init(column: Column) throws { self.init(unchecked: try String(column: column)) }
}

extension Timestamp: SQLConvertible {
    package var sqlValue: SQLValue { .integer(milliseconds) }
    package init(column: Column) throws { self.init(milliseconds: try Int64(column: column)) }
}

extension Currency: SQLConvertible {
    package var sqlValue: SQLValue { .text(code) }
    package init(column: Column) throws {
        guard let currency = Currency(try String(column: column)) else { throw column.unreadable(as: Currency.self) }
        self = currency
    }
}

extension JSON: SQLConvertible {
    package var sqlValue: SQLValue { .text(text) }
    package init(column: Column) throws {
        do { self = try JSON.parse(try String(column: column).utf8) } catch { throw column.unreadable(as: JSON.self) }
    }
}

/// An enumeration of words, stored as the word.
extension SQLConvertible where Self: RawRepresentable, RawValue == String {
    package var sqlValue: SQLValue { .text(rawValue) }
    package init(column: Column) throws {
        guard let value = Self(rawValue: try String(column: column)) else { throw column.unreadable(as: Self.self) }
        self = value
    }
}

extension KeyValue: SQLConvertible {
    package var sqlValue: SQLValue { SQLValue(self) }
    package init(column: Column) throws { self = .text(try String(column: column)) }
}
