// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// Reads the JSON of OTLP where it lies (OTLP specification, JSON Protobuf Encoding): names in lower camel case, ids in
/// hexadecimal, 64-bit numbers as numbers or strings, unknown names ignored, `null` as if absent.
struct JSONFieldReader: FieldReader {
    private let body: UnsafeRawBufferPointer
    private var index = 0
    private var depth = 0
    /// The field whose list is being read; 0 outside lists.
    private var listField = 0
    private var isFirstMember = true
    private(set) var extra: [UInt8] = []

    struct Frame {
        fileprivate let listField: Int
    }

    private static let depthMax = ProtobufReader.depthMax

    init(_ body: UnsafeRawBufferPointer) { self.body = body }

    var offset: Int { index }

    // MARK: Messages

    /// The outermost message and what may follow it: white space.
    mutating func document<Result>(
        _ read: (inout Self) throws(WireError) -> Result
    ) throws(WireError) -> Result {
        let frame = try enter()
        let result = try read(&self)
        try leave(frame)
        skipSpace()
        guard index == body.count else { throw malformed("Text after the end of the value") }
        return result
    }

    mutating func enter() throws(WireError) -> Frame {
        try expect("{")
        depth += 1
        guard depth <= Self.depthMax else { throw malformed("Objects nest too deeply") }
        defer { (listField, isFirstMember) = (0, true) }
        return Frame(listField: listField)
    }

    mutating func leave(_ frame: Frame) throws(WireError) {
        depth -= 1
        (listField, isFirstMember) = (frame.listField, false)
    }

    mutating func next(_ fields: Fields) throws(WireError) -> Int? {
        if listField != 0 {
            if take(",") { return listField }
            try expect("]")
            listField = 0
        }
        while true {
            if take("}") { return nil }
            if !isFirstMember { try expect(",") }
            isFirstMember = false
            let name = try text()
            try expect(":")
            let number = number(named: name, fields)
            guard let number, !takeNull() else {
                if number == nil { try skip() }
                continue
            }
            guard take("[") else { return number }
            if take("]") { continue }
            listField = number
            return number
        }
    }

    private func number(named name: TextRange, _ fields: Fields) -> Int? {
        if name.range.upperBound <= body.count { return fields.number(named: .init(rebasing: body[name.range])) }
        return bytes(of: name).withUnsafeBytes { fields.number(named: $0) }
    }

    // MARK: Values

    mutating func text() throws(WireError) -> TextRange {
        try expect("\"")
        let start = index
        while index < body.count {
            switch body[index] {
            case UInt8(ascii: "\""):
                defer { index += 1 }
                return TextRange(offset: start, count: index - start)
            case UInt8(ascii: "\\"): return try escapedText(from: start)
            case 0..<0x20: throw malformed("A text has a control character that is not escaped")
            default: index += 1
            }
        }
        throw malformed("A text is cut off")
    }

    mutating func data() throws(WireError) -> TextRange {
        let text = String(decoding: try characters(), as: UTF8.self)
            .replacing("-", with: "+").replacing("_", with: "/")
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded) else { throw malformed("Bytes are not in base64") }
        return try keep(Array(data))
    }

    mutating func bool() throws(WireError) -> Bool {
        skipSpace()
        if takeWord("true") { return true }
        if takeWord("false") { return false }
        throw malformed("true or false is missing")
    }

    mutating func double() throws(WireError) -> Double {
        let text = try numeral()
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            guard let value = Double(text), text.utf8.first != UInt8(ascii: "+") else {
                throw malformed("A number is missing")
            }
            return value
        }
    }

    mutating func integer() throws(WireError) -> UInt64 {
        let text = try numeral()
        if let value = UInt64(text) { return value }
        if let value = Int64(text) { return UInt64(bitPattern: value) }
        // 1.0 and 1e3 are whole numbers, too.
        if let value = Double(text), let whole = Int64(exactly: value) { return UInt64(bitPattern: whole) }
        throw malformed("A whole number of 64 bits is missing")
    }

    mutating func signed() throws(WireError) -> Int64 { Int64(bitPattern: try integer()) }
    mutating func fixed32() throws(WireError) -> UInt32 { UInt32(truncatingIfNeeded: try integer()) }
    mutating func fixed64() throws(WireError) -> UInt64 { try integer() }

    mutating func identifier(bytes count: Int) throws(WireError) -> (high: UInt64, low: UInt64)? {
        let digits = try characters()
        if digits.isEmpty { return (0, 0) }
        guard digits.count == count * 2 else { return nil }
        guard let low = Self.hexadecimal(digits.suffix(16)) else { return nil }
        guard count == 16 else { return (0, low) }
        return Self.hexadecimal(digits.prefix(16)).map { ($0, low) }
    }

    mutating func doubles(into list: inout [Double]) throws(WireError) { list.append(try double()) }
    mutating func fixed64s(into list: inout [UInt64]) throws(WireError) { list.append(try integer()) }
    mutating func integers(into list: inout [UInt64]) throws(WireError) { list.append(try integer()) }

    mutating func keep(_ text: [UInt8]) throws(WireError) -> TextRange {
        defer { extra += text }
        return TextRange(offset: body.count + extra.count, count: text.count)
    }

    func bytes(of range: TextRange) -> ArraySlice<UInt8> {
        let (start, end) = (range.range.lowerBound, range.range.upperBound)
        // Bytes in base64 may come to nothing, and then stand behind the end of everything.
        if start == end { return [] }
        if start >= body.count { return extra[(start - body.count)..<(end - body.count)] }
        return ArraySlice(body[range.range])
    }

    // MARK: The grammar

    private func malformed(_ reason: String) -> WireError { .malformed(reason, offset: index) }

    private mutating func skipSpace() {
        while index < body.count, [0x20, 0x0A, 0x0D, 0x09].contains(body[index]) { index += 1 }
    }

    private mutating func take(_ mark: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < body.count, body[index] == UInt8(ascii: mark) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ mark: Unicode.Scalar) throws(WireError) {
        guard take(mark) else { throw malformed("“\(mark)” is missing") }
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard body.count - index >= count,
            body[index..<(index + count)].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: count))
        else { return false }
        index += count
        return true
    }

    private mutating func takeNull() -> Bool {
        skipSpace()
        return takeWord("null")
    }

    /// A number, or a string with one in it.
    private mutating func numeral() throws(WireError) -> String {
        skipSpace()
        if index < body.count, body[index] == UInt8(ascii: "\"") {
            return String(decoding: try characters(), as: UTF8.self)
        }
        let start = index
        while index < body.count, Self.isNumeral(body[index]) { index += 1 }
        return String(decoding: body[start..<index], as: UTF8.self)
    }

    private static func isNumeral(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            guard let nibble = hexDigit(digit) else { return nil }
            value = value << 4 | UInt64(nibble)
        }
        return value
    }

    private static func hexDigit(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The rest of a text that has escapes, as it is meant.
    private mutating func escapedText(from start: Int) throws(WireError) -> TextRange {
        var text = Array(body[start..<index])
        while index < body.count {
            let byte = body[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return try keep(text)
            case UInt8(ascii: "\\"): text += try escape()
            case 0..<0x20: throw malformed("A text has a control character that is not escaped")
            default: text.append(byte)
            }
        }
        throw malformed("A text is cut off")
    }

    private mutating func escape() throws(WireError) -> [UInt8] {
        guard index < body.count else { throw malformed("A text is cut off") }
        let byte = body[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(Character(try unicodeScalar())).utf8)
        default: throw malformed("An escape is unknown")
        }
    }

    /// A half of a pair without the other becomes the replacement character.
    private mutating func unicodeScalar() throws(WireError) -> Unicode.Scalar {
        let unit = try fourDigits()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        let mark = index
        if unit < 0xDC00, takeWord("\\u") {
            let low = try fourDigits()
            if (0xDC00...0xDFFF).contains(low) {
                return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
            }
            index = mark
        }
        return "\u{FFFD}"
    }

    private mutating func fourDigits() throws(WireError) -> UInt32 {
        guard body.count - index >= 4, let value = Self.hexadecimal(ArraySlice(body[index..<(index + 4)])) else {
            throw malformed("An escape is cut off")
        }
        index += 4
        return UInt32(value)
    }

    /// Passes over a value of any kind, which nests no deeper than messages may.
    private mutating func skip() throws(WireError) {
        var open = 0
        repeat {
            skipSpace()
            guard index < body.count else { throw malformed("A value is cut off") }
            switch body[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                index += 1
                guard depth + open <= Self.depthMax else { throw malformed("Objects nest too deeply") }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                index += 1
                guard open >= 0 else { throw malformed("A value is missing") }
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard open > 0 else { throw malformed("A value is missing") }
                index += 1
            case UInt8(ascii: "\""): _ = try text()
            default:
                if takeWord("true") || takeWord("false") || takeWord("null") { break }
                if try numeral().isEmpty { throw malformed("A value is missing") }
            }
        } while open > 0
    }
}
