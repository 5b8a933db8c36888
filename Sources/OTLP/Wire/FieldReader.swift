// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Why a body is not what it says to be.
package enum WireError: Error, Equatable {
    /// At a byte of the body.
    case malformed(String, offset: Int)
    /// More than one request may hold.
    case tooLarge(String)

    package var message: String {
        switch self {
        case .malformed(let reason, let offset): "\(reason) at byte \(offset)."
        case .tooLarge(let reason): reason
        }
    }
}

/// Reads a message field by field, from protobuf or from JSON, so that each message is described once.
///
/// A message is read as `enter`, `next` until there are no more, `leave`. After each `next` exactly one value is read, with the
/// method of its type. A list comes as one field for each element, whatever the encoding.
protocol FieldReader {
    associatedtype Frame

    /// The number of the next field that the message has; others are skipped. `nil` at the end.
    mutating func next(_ fields: Fields) throws(WireError) -> Int?

    /// Begins the message that is the field's value.
    mutating func enter() throws(WireError) -> Frame
    mutating func leave(_ frame: Frame) throws(WireError)

    mutating func text() throws(WireError) -> TextRange
    /// Bytes, which JSON has in base64.
    mutating func data() throws(WireError) -> TextRange
    mutating func bool() throws(WireError) -> Bool
    mutating func double() throws(WireError) -> Double
    /// `int32`, `int64`, `uint32`, `uint64` and enumerations, negative ones as two's complement.
    mutating func integer() throws(WireError) -> UInt64
    /// `sint32` and `sint64`.
    mutating func signed() throws(WireError) -> Int64
    mutating func fixed32() throws(WireError) -> UInt32
    /// `fixed64` and `sfixed64`.
    mutating func fixed64() throws(WireError) -> UInt64
    /// An id of `bytes` (8 or 16) bytes, which JSON has in hexadecimal: its halves, or its only one as `low`. Zeros for one that
    /// is empty; `nil` for any other length.
    mutating func identifier(bytes: Int) throws(WireError) -> (high: UInt64, low: UInt64)?

    /// Elements of a list of numbers, which protobuf may pack.
    mutating func doubles(into list: inout [Double]) throws(WireError)
    mutating func fixed64s(into list: inout [UInt64]) throws(WireError)
    mutating func integers(into list: inout [UInt64]) throws(WireError)

    /// Keeps a text that does not stand in the body as it is.
    mutating func keep(_ text: [UInt8]) throws(WireError) -> TextRange
    /// What `text` found, for another text that is made of it.
    func bytes(of range: TextRange) -> ArraySlice<UInt8>
    /// Where the reader is, for messages.
    var offset: Int { get }
}

extension FieldReader {
    /// The bytes of a text. (Not `bytes(of: text())`, which would take a copy of the reader from before the text was read.)
    mutating func characters() throws(WireError) -> ArraySlice<UInt8> {
        let range = try text()
        return bytes(of: range)
    }
}

/// The fields of a message: their numbers and names.
struct Fields: Sendable {
    struct Field: Sendable {
        let number: Int
        /// As in JSON.
        let name: StaticString
    }

    let list: [Field]
    /// A bit for each number.
    private let mask: UInt64

    init(_ fields: KeyValuePairs<StaticString, Int>) {
        list = fields.map { Field(number: $0.value, name: $0.key) }
        mask = fields.reduce(0) { $0 | 1 << UInt64($1.value) }
    }

    func has(_ number: Int) -> Bool { number < 64 && mask & (1 << UInt64(number)) != 0 }

    func number(named name: UnsafeRawBufferPointer) -> Int? {
        for field in list where field.name.utf8CodeUnitCount == name.count {
            let known = UnsafeRawBufferPointer(start: field.name.utf8Start, count: name.count)
            if known.elementsEqual(name) { return field.number }
        }
        return nil
    }
}
