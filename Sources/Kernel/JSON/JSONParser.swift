// SPDX-License-Identifier: Apache-2.0

/// Why a text is not JSON, and where.
package struct JSONSyntaxError: Error, Equatable, CustomStringConvertible {
    /// Bytes from the start of the text.
    package let offset: Int
    /// What is wrong, for the person who wrote the text.
    package let reason: String

    package var description: String { "\(reason) at byte \(offset)" }
}

extension JSON {
    /// The value of one JSON text (RFC 8259).
    ///
    /// Stricter than the grammar where a lenient reading would hide a mistake: a name that occurs twice in an object is
    /// refused, because readers disagree on which one counts, and so is text that is not UTF-8.
    /// Arrays and objects may nest `depthMax` deep. Cost: linear; memory bounded by the text.
    /// - Throws: ``JSONSyntaxError``.
    package static func parse(_ bytes: some Sequence<UInt8>, depthMax: Int = 32) throws(JSONSyntaxError) -> JSON {
        let bytes = Array(bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONSyntaxError(offset: JSONParser.firstInvalidByte(in: bytes), reason: "The text is not valid UTF-8")
        }
        var parser = JSONParser(bytes: bytes, depthMax: depthMax)
        return try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let depthMax: Int
    var index = 0
    var depth = 0

    static func firstInvalidByte(in bytes: [UInt8]) -> Int {
        var (low, high) = (0, bytes.count)
        // The longest valid prefix, found by halves; a cut inside a character only moves the answer by three bytes.
        while low < high {
            let middle = (low + high + 1) / 2
            if String(validating: bytes[..<middle], as: UTF8.self) != nil { low = middle } else { high = middle - 1 }
        }
        return low
    }

    mutating func document() throws(JSONSyntaxError) -> JSON {
        skipSpace()
        let value = try value()
        skipSpace()
        if index < bytes.count { throw failure("Text after the end of the value") }
        return value
    }

    private func failure(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(offset: index, reason: reason) }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func value() throws(JSONSyntaxError) -> JSON {
        guard let byte = current else { throw failure("A value is missing") }
        switch byte {
        case UInt8(ascii: "{"): return try nested(Self.object)
        case UInt8(ascii: "["): return try nested(Self.array)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("A value cannot begin with this character")
        }
    }

    private mutating func nested(
        _ read: (inout JSONParser) throws(JSONSyntaxError) -> JSON
    ) throws(JSONSyntaxError) -> JSON {
        guard depth < depthMax else { throw failure("Nested more than \(depthMax) levels deep") }
        depth += 1
        index += 1
        skipSpace()
        let value = try read(&self)
        depth -= 1
        return value
    }

    private static func object(_ parser: inout JSONParser) throws(JSONSyntaxError) -> JSON {
        var members: [JSON.Member] = []
        var names: Set<String> = []
        if parser.accept("}") { return .object([]) }
        repeat {
            parser.skipSpace()
            guard parser.current == UInt8(ascii: "\"") else { throw parser.failure("A member name is missing") }
            let start = parser.index
            let name = try parser.string()
            // A set pays only for large objects; most have a handful of names.
            let isNew =
                members.count < 12 ? !members.contains { $0.name == name } : names.insert(name).inserted
            guard isNew else {
                throw JSONSyntaxError(offset: start, reason: "The name \"\(name.prefix(60))\" occurs twice")
            }
            if members.count == 11 { names = Set(members.map(\.name) + [name]) }
            parser.skipSpace()
            guard parser.accept(":") else { throw parser.failure("A colon is missing") }
            parser.skipSpace()
            members.append(.init(name, try parser.value()))
            parser.skipSpace()
        } while parser.accept(",")
        guard parser.accept("}") else { throw parser.failure("A comma or closing brace is missing") }
        return .object(members)
    }

    private static func array(_ parser: inout JSONParser) throws(JSONSyntaxError) -> JSON {
        var values: [JSON] = []
        if parser.accept("]") { return .array([]) }
        repeat {
            parser.skipSpace()
            values.append(try parser.value())
            parser.skipSpace()
        } while parser.accept(",")
        guard parser.accept("]") else { throw parser.failure("A comma or closing bracket is missing") }
        return .array(values)
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func literal(_ text: String, _ value: JSON) throws(JSONSyntaxError) -> JSON {
        guard bytes[index...].starts(with: text.utf8) else { throw failure("An unknown word") }
        index += text.utf8.count
        return value
    }

    private mutating func number() throws(JSONSyntaxError) -> JSON {
        let start = index
        _ = accept("-")
        let firstDigit = index
        guard skipDigits() else { throw failure("A digit is missing") }
        if bytes[firstDigit] == UInt8(ascii: "0"), index > firstDigit + 1 {
            throw failure("A number cannot begin with zero")
        }
        var isInteger = true
        if accept(".") {
            isInteger = false
            guard skipDigits() else { throw failure("A digit is missing after the point") }
        }
        if accept("e") || accept("E") {
            isInteger = false
            if !accept("+") { _ = accept("-") }
            guard skipDigits() else { throw failure("A digit is missing in the exponent") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        return .decimal(text)
    }

    private mutating func skipDigits() -> Bool {
        let start = index
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        return index > start
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        index += 1
        let start = index
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { index += 1 }
        if current == UInt8(ascii: "\"") {
            defer { index += 1 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }
        var text = Array(bytes[start..<index])
        while let byte = current {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0x20...: text.append(byte)
            default:
                index -= 1
                throw failure("A control character in a string must be escaped")
            }
        }
        throw failure("A string is not closed")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = current else { throw failure("A string is not closed") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try scalar()).utf8)
        default:
            index -= 1
            throw failure("An unknown escape")
        }
    }

    /// The scalar of `\uXXXX`, a surrogate pair taken together.
    private mutating func scalar() throws(JSONSyntaxError) -> Character {
        let first = try hexadecimal()
        if (0xD800...0xDBFF).contains(first) {
            guard accept("\\"), accept("u") else { throw failure("Half of a surrogate pair") }
            let second = try hexadecimal()
            guard (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw failure("Half of a surrogate pair") }
            return Character(scalar)
        }
        guard let scalar = Unicode.Scalar(first) else { throw failure("Half of a surrogate pair") }
        return Character(scalar)
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw failure("Four hexadecimal digits are missing") }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
