// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Cuts a query into tokens.
struct Lexer {
    private let bytes: [UInt8]
    private var place = 0

    private init(_ query: [UInt8]) { bytes = query }

    static func tokens(of query: [UInt8]) throws(QuerySyntaxError) -> [Token] {
        var lexer = Lexer(query)
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private static let pairs: Set = ["==", "!=", "=~", "!~", "<=", ">="]
    private static let singles = Set("+-*/%^<>=(){}[],:@".utf8)

    private mutating func next() throws(QuerySyntaxError) -> Token {
        skipBlanks()
        let start = place
        guard let byte = peek() else { return Token(kind: .end, range: start..<start) }
        let kind: Token.Kind
        if Self.isLetter(byte) {
            kind = .identifier(name())
        } else if Self.isDigit(byte) || byte == UInt8(ascii: ".") && peek(1).map(Self.isDigit) == true {
            kind = try numberOrDuration()
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`") {
            kind = .string(try quoted(byte))
        } else {
            kind = .symbol(try symbol(byte))
        }
        return Token(kind: kind, range: start..<place)
    }

    private mutating func symbol(_ byte: UInt8) throws(QuerySyntaxError) -> String {
        if let second = peek(1) {
            let pair = String(decoding: [byte, second], as: UTF8.self)
            if Self.pairs.contains(pair) {
                place += 2
                return pair
            }
        }
        guard Self.singles.contains(byte) else {
            throw error("unexpected character: \(String(decoding: [byte], as: UTF8.self))", place..<place + 1)
        }
        place += 1
        return String(decoding: [byte], as: UTF8.self)
    }

    private mutating func skipBlanks() {
        while let byte = peek() {
            if byte == UInt8(ascii: "#") {
                while let byte = peek(), byte != UInt8(ascii: "\n") { place += 1 }
            } else if byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
                place += 1
            } else {
                return
            }
        }
    }

    private mutating func name() -> String {
        let start = place
        while let byte = peek(), Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: ":") { place += 1 }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    // MARK: Numbers

    private mutating func numberOrDuration() throws(QuerySyntaxError) -> Token.Kind {
        let start = place
        while let byte = peek(), Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: ".") {
            place += 1
            // The sign of an exponent; a hexadecimal number has none.
            if byte | 0x20 == UInt8(ascii: "e"), let sign = peek(),
                sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
                let digit = peek(1), Self.isDigit(digit), !Self.isHexadecimal(bytes[start..<place])
            {
                place += 1
            }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if let value = Self.number(text) { return .number(value) }
        if let milliseconds = Self.milliseconds(text) { return .duration(milliseconds) }
        throw error("bad number or duration syntax: \"\(text)\"", start..<place)
    }

    private static func isHexadecimal(_ text: ArraySlice<UInt8>) -> Bool {
        text.count > 1 && text[text.startIndex] == UInt8(ascii: "0")
            && text[text.startIndex + 1] | 0x20 == UInt8(ascii: "x")
    }

    /// A number as PromQL writes it: decimal, hexadecimal (`0x1F`), octal by a leading zero, with `_` between digits.
    static func number(_ text: String) -> Double? {
        switch text.lowercased() {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan": return .nan
        default: break
        }
        let plain = text.contains("_") ? text.replacing("_", with: "") : text
        guard let last = plain.utf8.last,
            isDigit(last) || last == UInt8(ascii: ".") || plain.lowercased().hasPrefix("0x")
        else { return nil }
        if plain.lowercased().hasPrefix("0x") { return UInt64(plain.dropFirst(2), radix: 16).map(Double.init) }
        if plain.hasSuffix(".") { return Double(plain.dropLast()) }
        if plain.count > 1, plain.hasPrefix("0"), plain.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }) {
            return UInt64(plain, radix: 8).map(Double.init)
        }
        return Double(plain)
    }

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000),
        ("ms", 1),
    ]

    /// A duration such as `1h30m`: whole numbers with units, from the largest on, each unit once.
    static func milliseconds(_ text: String) -> Int64? {
        var rest = Substring(text)
        var (total, unitPlace) = (Int64(0), 0)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let count = Int64(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let found = units[unitPlace...].firstIndex(where: { $0.name == name }) else { return nil }
            unitPlace = found + 1
            let (part, isTooLong) = count.multipliedReportingOverflow(by: units[found].milliseconds)
            guard !isTooLong, Double(part) / 1_000 < QueryEngine.secondsMax else { return nil }
            total += part
        }
        return Double(total) / 1_000 < QueryEngine.secondsMax ? total : nil
    }

    /// `milliseconds` as PromQL writes a duration.
    static func text(milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0s" }
        var (rest, text) = (milliseconds.magnitude, milliseconds < 0 ? "-" : "")
        for unit in units {
            let size = UInt64(unit.milliseconds)
            // Years, weeks and days only where they say all.
            if ["y", "w", "d"].contains(unit.name), rest % size != 0 || text.count > 1 { continue }
            if rest >= size {
                text += "\(rest / size)\(unit.name)"
                rest %= size
            }
        }
        return text
    }

    // MARK: Strings

    private mutating func quoted(_ quote: UInt8) throws(QuerySyntaxError) -> String {
        let start = place
        place += 1
        var text: [UInt8] = []
        while let byte = peek() {
            place += 1
            if byte == quote {
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw error("invalid UTF-8 in string", start..<place)
                }
                return valid
            }
            if quote == UInt8(ascii: "`") || byte != UInt8(ascii: "\\") {
                guard byte != UInt8(ascii: "\n") || quote == UInt8(ascii: "`") else { break }
                text.append(byte)
            } else {
                text += try escaped(quote)
            }
        }
        throw error("unterminated quoted string", start..<place)
    }

    /// What follows a backslash, as in Go.
    private mutating func escaped(_ quote: UInt8) throws(QuerySyntaxError) -> [UInt8] {
        let start = place - 1
        guard let byte = peek() else { throw error("escape sequence not terminated", start..<place) }
        place += 1
        switch byte {
        case UInt8(ascii: "a"): return [7]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "v"): return [11]
        case UInt8(ascii: "\\"), quote: return [byte]
        case UInt8(ascii: "x"): return [UInt8(truncatingIfNeeded: try code(2, 16, start))]
        case UInt8(ascii: "u"): return try scalar(4, start)
        case UInt8(ascii: "U"): return try scalar(8, start)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            place -= 1
            return [UInt8(truncatingIfNeeded: try code(3, 8, start))]
        default: throw error("unknown escape sequence U+\(String(byte, radix: 16))", start..<place)
        }
    }

    private mutating func scalar(_ digits: Int, _ start: Int) throws(QuerySyntaxError) -> [UInt8] {
        guard let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: try code(digits, 16, start))) else {
            throw error("escape sequence is an invalid Unicode code point", start..<place)
        }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func code(_ digits: Int, _ radix: Int, _ start: Int) throws(QuerySyntaxError) -> Int {
        let end = min(place + digits, bytes.count)
        guard end - place == digits,
            let code = Int(String(decoding: bytes[place..<end], as: UTF8.self), radix: radix)
        else { throw error("illegal character in escape sequence", start..<end) }
        place = end
        return code
    }

    // MARK: Bytes

    private func peek(_ ahead: Int = 0) -> UInt8? { place + ahead < bytes.count ? bytes[place + ahead] : nil }

    private func error(_ message: String, _ range: Range<Int>) -> QuerySyntaxError {
        QuerySyntaxError(message, at: range, in: bytes)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}

extension String {
    /// `nil` where `bytes` are not UTF-8.
    fileprivate init?(validating bytes: [UInt8], as encoding: UTF8.Type) {
        guard let text = String(bytes: bytes, encoding: .utf8) else { return nil }
        self = text
    }
}
