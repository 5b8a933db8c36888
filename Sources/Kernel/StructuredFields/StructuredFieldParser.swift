// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Reads a field value (RFC 9651 section 4.2).
struct StructuredFieldParser {
    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
        skipSpaces()
    }

    private typealias Byte = StructuredFieldByte

    // MARK: The whole

    mutating func end() throws(StructuredFieldError) {
        skipSpaces()
        if place < bytes.count { throw failure("Something follows the value") }
    }

    mutating func list() throws(StructuredFieldError) -> [StructuredMember] {
        var members: [StructuredMember] = []
        while place < bytes.count {
            members.append(try member())
            if try isLast() { break }
        }
        return members
    }

    mutating func dictionary() throws(StructuredFieldError) -> NamedValues<StructuredMember> {
        var members = NamedValues<StructuredMember>()
        while place < bytes.count {
            let name = try key()
            if take("=") {
                members[name] = try member()
            } else {
                members[name] = .item(StructuredItem(.boolean(true), try parameters()))
            }
            if try isLast() { break }
        }
        return members
    }

    /// Whether the text ends here; else a comma and another member follow.
    private mutating func isLast() throws(StructuredFieldError) -> Bool {
        skipSpacesAndTabs()
        if place == bytes.count { return true }
        guard take(",") else { throw failure("A comma was expected") }
        skipSpacesAndTabs()
        if place == bytes.count { throw failure("A member was expected after the comma") }
        return false
    }

    // MARK: Parts

    private mutating func member() throws(StructuredFieldError) -> StructuredMember {
        guard take("(") else { return .item(try item()) }
        var items: [StructuredItem] = []
        while true {
            skipSpaces()
            if take(")") { return .innerList(items, try parameters()) }
            items.append(try item())
            guard current == UInt8(ascii: " ") || current == UInt8(ascii: ")") else {
                throw failure("A space or a closing bracket was expected")
            }
        }
    }

    mutating func item() throws(StructuredFieldError) -> StructuredItem {
        let value = try bareItem()
        return StructuredItem(value, try parameters())
    }

    private mutating func parameters() throws(StructuredFieldError) -> NamedValues<BareItem> {
        var parameters = NamedValues<BareItem>()
        while take(";") {
            skipSpaces()
            let name = try key()
            parameters[name] = take("=") ? try bareItem() : .boolean(true)
        }
        return parameters
    }

    private mutating func key() throws(StructuredFieldError) -> String {
        guard let first = current, Byte.startsKey(first) else { throw failure("A name was expected") }
        return takeWhile(Byte.isInKey)
    }

    private mutating func bareItem() throws(StructuredFieldError) -> BareItem {
        guard let first = current else { throw failure("A value was expected") }
        switch first {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: ":"): return .bytes(try byteSequence())
        case UInt8(ascii: "?"): return .boolean(try boolean())
        case UInt8(ascii: "@"): return .date(try date())
        case UInt8(ascii: "%"): return .display(try displayString())
        case UInt8(ascii: "-"), 0x30...0x39: return try number()
        default:
            guard Byte.startsToken(first) else { throw failure("No value begins like this") }
            return .token(takeWhile(Byte.isInToken))
        }
    }

    // MARK: Values

    private mutating func number() throws(StructuredFieldError) -> BareItem {
        let isNegative = take("-")
        let whole = takeWhile(Byte.isDigit)
        guard (1...15).contains(whole.count), let number = Int64(whole) else {
            throw failure("A number has one to fifteen digits")
        }
        let sign: Int64 = isNegative ? -1 : 1
        guard take(".") else { return .integer(sign * number) }
        let fraction = takeWhile(Byte.isDigit)
        guard whole.count <= 12, (1...3).contains(fraction.count),
            let part = Int64(fraction + String(repeating: "0", count: 3 - fraction.count))
        else { throw failure("A decimal has up to twelve digits before the point and one to three behind it") }
        return .decimal(thousandths: sign * (number * 1_000 + part))
    }

    private mutating func date() throws(StructuredFieldError) -> Int64 {
        place += 1
        guard case .integer(let seconds) = try number() else { throw failure("A date is a whole number") }
        return seconds
    }

    private mutating func boolean() throws(StructuredFieldError) -> Bool {
        place += 1
        if take("1") { return true }
        if take("0") { return false }
        throw failure("A boolean is ?0 or ?1")
    }

    private mutating func string() throws(StructuredFieldError) -> String {
        place += 1
        var text: [UInt8] = []
        while let byte = current {
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = current, escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else {
                    throw failure("Only a quote or a backslash is escaped")
                }
                place += 1
                text.append(escaped)
            default:
                guard Byte.isPrintable(byte) else { throw failure("A string is printable ASCII") }
                text.append(byte)
            }
        }
        throw failure("The string is not closed")
    }

    private mutating func byteSequence() throws(StructuredFieldError) -> [UInt8] {
        place += 1
        guard let end = bytes[place...].firstIndex(of: UInt8(ascii: ":")) else {
            throw failure("The byte sequence is not closed")
        }
        var text = bytes[place..<end]
        // Padding that is missing or too long is made good.
        while text.last == UInt8(ascii: "=") { text.removeLast() }
        let (given, wanted) = (end - place - text.count, (4 - text.count % 4) % 4)
        let padded = String(decoding: text, as: UTF8.self) + String(repeating: "=", count: wanted)
        guard given <= (text.isEmpty ? 0 : 2), !text.contains(UInt8(ascii: "=")),
            let data = Data(base64Encoded: padded)
        else { throw failure("A byte sequence is base64") }
        place = end + 1
        return Array(data)
    }

    private mutating func displayString() throws(StructuredFieldError) -> String {
        place += 1
        guard take("\"") else { throw failure("A quote was expected") }
        var text: [UInt8] = []
        while let byte = current {
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("A display string is UTF-8")
                }
                return string
            case UInt8(ascii: "%"): text.append(try hexadecimal() << 4 | hexadecimal())
            default:
                guard Byte.isPrintable(byte) else { throw failure("Only printable ASCII stands unencoded") }
                text.append(byte)
            }
        }
        throw failure("The display string is not closed")
    }

    /// Lower case only.
    private mutating func hexadecimal() throws(StructuredFieldError) -> UInt8 {
        guard let byte = current else { throw failure("Two hexadecimal digits were expected") }
        place += 1
        switch byte {
        case 0x30...0x39: return byte - 0x30
        case 0x61...0x66: return byte - 0x61 + 10
        default: throw failure("Two hexadecimal digits in lower case were expected")
        }
    }

    // MARK: Bytes

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func takeWhile(_ isWanted: (UInt8) -> Bool) -> String {
        let start = place
        while let byte = current, isWanted(byte) { place += 1 }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func skipSpaces() { while current == 0x20 { place += 1 } }

    private mutating func skipSpacesAndTabs() { while current == 0x20 || current == 0x09 { place += 1 } }

    private func failure(_ reason: String) -> StructuredFieldError { .init(reason: reason, offset: place) }
}
