// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Reads protobuf (the encoding of proto3) where it lies. Texts are ranges of the body; they are not checked for UTF-8,
/// because whoever shows them repairs them, and a bad one should not cost its whole batch.
struct ProtobufReader: FieldReader {
    private let body: UnsafeRawBufferPointer
    private var index = 0
    private var end: Int
    private var wireType = WireType.varint
    private var depth = 0
    /// Texts that do not stand in the body, as if they followed it.
    private(set) var extra: [UInt8] = []

    private enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    /// Where the message around the current one goes on.
    typealias Frame = Int

    /// Deeper nesting than any sender has a use for.
    static let depthMax = 64

    init(_ body: UnsafeRawBufferPointer) {
        self.body = body
        end = body.count
    }

    var offset: Int { index }

    mutating func next(_ fields: Fields) throws(WireError) -> Int? {
        while index < end {
            let tag = try varint()
            let number = tag >> 3
            guard number > 0, number < 1 << 29, let type = WireType(rawValue: UInt8(tag & 7)) else {
                throw malformed("A field's tag is invalid")
            }
            wireType = type
            if number < 64, fields.has(Int(number)) { return Int(number) }
            try skip()
        }
        return nil
    }

    mutating func enter() throws(WireError) -> Int {
        let count = try length()
        depth += 1
        guard depth <= Self.depthMax else { throw malformed("Messages nest too deeply") }
        let frame = end
        end = index + count
        return frame
    }

    mutating func leave(_ frame: Int) throws(WireError) {
        index = end
        end = frame
        depth -= 1
    }

    mutating func text() throws(WireError) -> TextRange {
        let count = try length()
        defer { index += count }
        return TextRange(offset: index, count: count)
    }

    mutating func data() throws(WireError) -> TextRange { try text() }

    mutating func bool() throws(WireError) -> Bool { try integer() != 0 }

    mutating func double() throws(WireError) -> Double { Double(bitPattern: try fixed64()) }

    mutating func integer() throws(WireError) -> UInt64 {
        try expect(.varint)
        return try varint()
    }

    mutating func signed() throws(WireError) -> Int64 {
        let value = try integer()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func fixed32() throws(WireError) -> UInt32 {
        try expect(.fixed32)
        guard end - index >= 4 else { throw malformed("A number is cut off") }
        defer { index += 4 }
        return UInt32(littleEndian: body.loadUnaligned(fromByteOffset: index, as: UInt32.self))
    }

    mutating func fixed64() throws(WireError) -> UInt64 {
        try expect(.fixed64)
        return try word()
    }

    mutating func identifier(bytes: Int) throws(WireError) -> (high: UInt64, low: UInt64)? {
        let count = try length()
        defer { index += count }
        if count == 0 { return (0, 0) }
        guard count == bytes else { return nil }
        let low = UInt64(bigEndian: body.loadUnaligned(fromByteOffset: index + count - 8, as: UInt64.self))
        let high = count == 16 ? UInt64(bigEndian: body.loadUnaligned(fromByteOffset: index, as: UInt64.self)) : 0
        return (high, low)
    }

    mutating func doubles(into list: inout [Double]) throws(WireError) {
        try words { list.append(Double(bitPattern: $0)) }
    }

    mutating func fixed64s(into list: inout [UInt64]) throws(WireError) { try words { list.append($0) } }

    mutating func integers(into list: inout [UInt64]) throws(WireError) {
        if wireType == .varint { return list.append(try varint()) }
        let frame = try enter()
        try checkLength(end - index)
        while index < end { list.append(try varint()) }
        try leave(frame)
    }

    private mutating func words(_ take: (UInt64) -> Void) throws(WireError) {
        if wireType == .fixed64 { return take(try word()) }
        let frame = try enter()
        try checkLength((end - index) / 8)
        while index < end { take(try word()) }
        try leave(frame)
    }

    /// A packed list comes at once, before its owner can count.
    private static let listMax = 1_000_000

    private func checkLength(_ count: Int) throws(WireError) {
        guard count <= Self.listMax else { throw .tooLarge("A list has at most \(Self.listMax) numbers.") }
    }

    mutating func keep(_ text: [UInt8]) throws(WireError) -> TextRange {
        defer { extra += text }
        return TextRange(offset: body.count + extra.count, count: text.count)
    }

    func bytes(of range: TextRange) -> ArraySlice<UInt8> { ArraySlice(body[range.range]) }

    // MARK: The encoding

    private func malformed(_ reason: String) -> WireError { .malformed(reason, offset: index) }

    private func expect(_ type: WireType) throws(WireError) {
        guard wireType == type else { throw malformed("A field has another type than its message says") }
    }

    private mutating func word() throws(WireError) -> UInt64 {
        guard end - index >= 8 else { throw malformed("A number is cut off") }
        defer { index += 8 }
        return UInt64(littleEndian: body.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    private mutating func varint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while index < end, shift < 64 {
            let byte = body[index]
            index += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw malformed(shift < 64 ? "A number is cut off" : "A number is longer than ten bytes")
    }

    /// The length of what follows, all of which is there.
    private mutating func length() throws(WireError) -> Int {
        try expect(.bytes)
        let count = try varint()
        guard count <= UInt64(end - index) else { throw malformed("A text or message is cut off") }
        return Int(count)
    }

    private mutating func skip() throws(WireError) {
        switch wireType {
        case .varint: _ = try varint()
        case .fixed64: _ = try word()
        case .fixed32: _ = try fixed32()
        case .bytes:
            let count = try length()
            index += count
        }
    }
}
