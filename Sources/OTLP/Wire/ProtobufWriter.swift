// SPDX-License-Identifier: Apache-2.0

/// Writes protobuf (the encoding of proto3). Fields with the value that absence means are left out.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func text(_ field: Int, _ value: String) {
        guard !value.isEmpty else { return }
        var value = value
        value.withUTF8 { data(field, $0) }
    }

    mutating func data(_ field: Int, _ value: some Collection<UInt8>) {
        tag(field, 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func integer(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        tag(field, 0)
        varint(value)
    }

    /// `sint32` and `sint64`.
    mutating func signed(_ field: Int, _ value: Int64) {
        integer(field, UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func fixed32(_ field: Int, _ value: UInt32) {
        guard value != 0 else { return }
        tag(field, 5)
        append(value)
    }

    mutating func fixed64(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        tag(field, 1)
        append(value)
    }

    /// Of a choice or an optional field, whose zero says something.
    mutating func number(_ field: Int, _ value: Double) {
        tag(field, 1)
        append(value.bitPattern)
    }

    /// Of a choice, whose zero says something.
    mutating func choice(_ field: Int, _ value: UInt64) {
        tag(field, 0)
        varint(value)
    }

    /// The 16 or 8 bytes of an id.
    mutating func identifier(_ field: Int, _ halves: UInt64...) {
        tag(field, 2)
        varint(UInt64(halves.count * 8))
        for half in halves { append(half.byteSwapped) }
    }

    mutating func packed(_ field: Int, fixed64s values: some Collection<UInt64>) {
        guard !values.isEmpty else { return }
        tag(field, 2)
        varint(UInt64(values.count * 8))
        for value in values { append(value) }
    }

    mutating func packed(_ field: Int, integers values: some Collection<UInt64>) {
        guard !values.isEmpty else { return }
        message(field) { writer in for value in values { writer.varint(value) } }
    }

    /// A message, written even where it is empty, because a choice or a list may need it.
    mutating func message(_ field: Int, _ body: (inout Self) -> Void) {
        tag(field, 2)
        let start = bytes.count
        // Most are short; the length of a longer one makes room for itself afterwards.
        bytes.append(0)
        body(&self)
        var rest = UInt64(bytes.count - start - 1)
        guard rest >= 0x80 else { return bytes[start] = UInt8(rest) }
        var length: [UInt8] = []
        while rest >= 0x80 {
            length.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        length.append(UInt8(rest))
        bytes.replaceSubrange(start..<(start + 1), with: length)
    }

    private mutating func tag(_ field: Int, _ type: Int) { varint(UInt64(field << 3 | type)) }

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
