// SPDX-License-Identifier: Apache-2.0

internal import CLibpq

/// A row of an answer in Postgres' text format.
final class PostgresRow: RowSource {
    private let result: OpaquePointer
    var number: Int32 = 0

    init(result: OpaquePointer) { self.result = result }

    func isNull(_ index: Int) -> Bool { PQgetisnull(result, number, Int32(index)) == 1 }

    func integer(_ index: Int) -> Int64 {
        let bytes = bytes(index)
        // Comparisons are of type boolean, which SQLite has as 0 and 1.
        if bytes.count == 1, bytes[0] == UInt8(ascii: "t") { return 1 }
        var value: Int64 = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        for byte in bytes.dropFirst(isNegative ? 1 : 0) {
            guard (48...57).contains(byte) else { break }
            value = value &* 10 &- Int64(byte - 48)
        }
        return isNegative ? value : 0 &- value
    }

    func real(_ index: Int) -> Double { Double(text(index)) ?? 0 }

    func text(_ index: Int) -> String { String(decoding: bytes(index), as: UTF8.self) }

    /// `bytea` in its hexadecimal form: `\x` and two digits a byte.
    func blob(_ index: Int) -> [UInt8] {
        let digits = bytes(index).dropFirst(2)
        func value(_ digit: UInt8) -> UInt8 { digit <= 57 ? digit - 48 : digit - 87 }
        return stride(from: digits.startIndex, to: digits.endIndex - 1, by: 2).map { place in
            value(digits[place]) << 4 | value(digits[place + 1])
        }
    }

    private func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(result, number, Int32(index)), count: Int(PQgetlength(result, number, Int32(index))))
    }
}

/// The values of a statement as libpq takes them: text, and bytes where they are bytes.
struct PostgresParameters {
    /// All values one after the other, each with a zero at its end.
    private var bytes: [UInt8] = []
    private var starts: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    /// - Throws: ``DatabaseError`` for a text with U+0000, at which Postgres would end it.
    init(_ values: [SQLValue]) throws {
        starts.reserveCapacity(values.count)
        for value in values {
            let start = bytes.count
            var isBinary = false
            switch value {
            case .null: break
            case .integer(let value): bytes.append(contentsOf: String(value).utf8)
            case .real(let value): bytes.append(contentsOf: value.description.utf8)
            case .text(let value):
                bytes.append(contentsOf: value.utf8)
                if bytes[start...].contains(0) {
                    throw DatabaseError(
                        kind: .statement, code: "22021", message: "A text has a character U+0000.", statement: nil)
                }
            case .integers(let members):
                bytes.append(contentsOf: "{\(members.map(String.init).joined(separator: ","))}".utf8)
            case .texts(let members): append(array: members)
            case .blob(let value):
                bytes.append(contentsOf: value)
                isBinary = true
            }
            starts.append(value == .null ? nil : start)
            lengths.append(Int32(bytes.count - start))
            formats.append(isBinary ? 1 : 0)
            bytes.append(0)
        }
    }

    /// An array's text form: each element in quotes, in which quotes and backslashes are escaped.
    private mutating func append(array members: [String]) {
        bytes.append(UInt8(ascii: "{"))
        for (place, member) in members.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            for byte in member.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
    }

    func withPointers<Result>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = starts.map { place in place.flatMap { start?.advanced(by: $0) } }
            return body(Int32(starts.count), pointers, lengths, formats)
        }
    }
}
