// SPDX-License-Identifier: Apache-2.0

/// Puts numbers into bytes. Fixed ones are little-endian; the others are varints of 7 bits a byte, the lowest first.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func raw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func count(_ value: Int) { varint(UInt64(value)) }

    /// Small where the value is near zero, on either side.
    mutating func signed(_ value: Int64) { varint(Zigzag.folded(value)) }

    mutating func fixed(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func fixed(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    /// Numbers of which the lower bits are random, in no more bits than the largest of 128 needs: a byte with that, and the bits of
    /// each, the lowest first.
    mutating func packed(_ values: [UInt64]) {
        for start in stride(from: 0, to: values.count, by: 128) {
            let frame = values[start..<min(start + 128, values.count)]
            let width = 64 - frame.reduce(0, |).leadingZeroBitCount
            byte(UInt8(width))
            var (rest, filled): (UInt64, Int) = (0, 0)
            for value in frame where width > 0 {
                rest |= value << UInt64(filled)
                filled += width
                guard filled >= 64 else { continue }
                fixed(rest)
                filled -= 64
                // What did not fit: all of it where nothing did before.
                rest = filled == 0 ? 0 : value >> UInt64(width - filled)
            }
            for shift in stride(from: 0, to: filled, by: 8) { byte(UInt8(truncatingIfNeeded: rest >> UInt64(shift))) }
        }
    }

    /// Numbers byte by byte: how many bytes the largest takes, the lowest bytes of all, then the next ones. What is random in them
    /// stays apart from what is not, which compresses.
    mutating func planes(_ values: [UInt64]) {
        let width = (64 - (values.reduce(0, |)).leadingZeroBitCount + 7) / 8
        byte(UInt8(width))
        for plane in 0..<width {
            let shift = UInt64(plane * 8)
            bytes.append(contentsOf: values.lazy.map { UInt8(truncatingIfNeeded: $0 >> shift) })
        }
    }

    /// All texts of a table: how many, how long each is, and what they are.
    mutating func texts(_ table: TextTable) {
        count(table.count)
        var start = 0
        for end in table.ends {
            count(end - start)
            start = end
        }
        raw(table.bytes)
    }

    /// With its length before it.
    mutating func text(_ value: some Collection<UInt8>) {
        count(value.count)
        bytes.append(contentsOf: value)
    }
}

/// Takes numbers out of bytes. Past the end it yields zeros and says so, so that its callers ask once, at their own end.
struct ByteReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var place: Int
    /// What was read is not what was written.
    private(set) var isDamaged = false

    init(_ bytes: UnsafeBufferPointer<UInt8>, at place: Int = 0) {
        self.bytes = bytes
        self.place = place
    }

    var isAtEnd: Bool { place >= bytes.count || isDamaged }

    mutating func byte() -> UInt8 {
        guard place < bytes.count else {
            isDamaged = true
            return 0
        }
        defer { place += 1 }
        return bytes[place]
    }

    mutating func varint() -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while place < bytes.count, shift < 64 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        isDamaged = true
        return 0
    }

    /// A count of things that take a byte or more each, and so cannot be more than bytes are left.
    mutating func count(max: Int? = nil) -> Int {
        let value = varint()
        guard value <= UInt64(max ?? bytes.count - place) else {
            isDamaged = true
            return 0
        }
        return Int(value)
    }

    mutating func signed() -> Int64 { Zigzag.unfolded(varint()) }

    mutating func fixed32() -> UInt32 { UInt32(truncatingIfNeeded: fixed(4)) }

    mutating func fixed64() -> UInt64 { fixed(8) }

    private mutating func fixed(_ count: Int) -> UInt64 {
        guard place + count <= bytes.count else {
            isDamaged = true
            place = bytes.count
            return 0
        }
        var value: UInt64 = 0
        for offset in 0..<count { value |= UInt64(bytes[place + offset]) << UInt64(8 * offset) }
        place += count
        return value
    }

    mutating func text() -> UnsafeBufferPointer<UInt8> { slice(count()) }

    /// As many numbers as were written by ``ByteWriter/planes(_:)``.
    mutating func planes(_ count: Int) -> [UInt64] {
        let width = Int(byte())
        guard width <= 8, width * count <= bytes.count - place else {
            isDamaged = true
            return Array(repeating: 0, count: width == 0 ? count : 0)
        }
        var values = [UInt64](repeating: 0, count: count)
        for plane in 0..<width {
            let (shift, base) = (UInt64(plane * 8), place + plane * count)
            for number in 0..<count { values[number] |= UInt64(bytes[base + number]) << shift }
        }
        place += width * count
        return values
    }

    mutating func signedPlanes(_ count: Int) -> [Int64] { planes(count).map(Zigzag.unfolded) }

    /// As many numbers as were written by ``ByteWriter/packed(_:)``; fewer where bytes are missing.
    mutating func packed(_ count: Int) -> [UInt64] {
        var values: [UInt64] = []
        values.reserveCapacity(min(count, bytes.count * 128))
        while values.count < count, !isDamaged {
            let (size, width) = (min(128, count - values.count), Int(byte()))
            let frame = slice((size * width + 7) / 8)
            guard width <= 64, !isDamaged else {
                isDamaged = true
                break
            }
            let mask = width == 64 ? UInt64.max : (1 << UInt64(width)) - 1
            for number in 0..<size {
                let bit = number * width
                values.append(Self.bits(of: frame, from: bit, width) & mask)
            }
        }
        return values
    }

    private static func bits(of frame: UnsafeBufferPointer<UInt8>, from bit: Int, _ width: Int) -> UInt64 {
        var (value, place, filled) = (UInt64(0), bit >> 3, -(bit & 7))
        while filled < width, place < frame.count {
            let byte = UInt64(frame[place])
            value |= filled < 0 ? byte >> UInt64(-filled) : byte << UInt64(filled)
            (place, filled) = (place + 1, filled + 8)
        }
        return value
    }

    /// Where each text of a table stands.
    mutating func texts() -> [Range<Int>] {
        let lengths = (0..<count()).map { _ in count() }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(lengths.count)
        for length in lengths {
            ranges.append(place..<place + length)
            _ = slice(length)
        }
        return isDamaged ? [] : ranges
    }

    mutating func slice(_ count: Int) -> UnsafeBufferPointer<UInt8> {
        guard count >= 0, place + count <= bytes.count else {
            isDamaged = true
            return UnsafeBufferPointer(rebasing: bytes[0..<0])
        }
        defer { place += count }
        return UnsafeBufferPointer(rebasing: bytes[place..<place + count])
    }
}

enum Zigzag {
    static func folded(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }
    static func unfolded(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}
