// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Texts, each once, one after the other, and where each stands by its hash.
struct TextTable {
    private(set) var bytes: [UInt8] = []
    /// Where each text ends in ``bytes``.
    private(set) var ends: [Int] = []
    /// The upper half of a hash and the number of its text, with open addressing; all ones is free.
    private var slots: [UInt64]

    /// `slots` is a power of two, and how many texts there may be before it is enlarged, times two.
    init(slots: Int = 1 << 10) { self.slots = Array(repeating: .max, count: slots) }

    var count: Int { ends.count }

    func key(_ number: Int) -> ArraySlice<UInt8> { bytes[range(number)] }

    private func range(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

    func find(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != .max {
            let number = Int(truncatingIfNeeded: slots[slot] & 0xFFFF_FFFF)
            if slots[slot] >> 32 == hash >> 32, isEqual(number, key) { return UInt32(number) }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isEqual(_ number: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let range = range(number)
        guard range.count == key.count, let other = key.baseAddress else { return range.count == key.count }
        return bytes.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { memcmp($0 + range.lowerBound, other, key.count) == 0 } ?? false
        }
    }

    /// The number of a text, which is added where it is new.
    mutating func number(of key: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = KeyHash.of(key)
        return find(key, hash) ?? add(key, hash)
    }

    func find(_ key: [UInt8]) -> UInt32? { key.withUnsafeBufferPointer { find($0, KeyHash.of($0)) } }

    mutating func number(of key: [UInt8]) -> UInt32 { key.withUnsafeBufferPointer { number(of: $0) } }

    /// Adds a text that is not there.
    mutating func add(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32 {
        let number = UInt32(ends.count)
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
        place(number, hash)
        if ends.count * 2 > slots.count { grow() }
        return number
    }

    private mutating func place(_ number: UInt32, _ hash: UInt64) {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != .max { slot = (slot + 1) & mask }
        // The very last number would look like a free slot; there is no room in memory for so many texts.
        slots[slot] = (hash & ~0xFFFF_FFFF) | UInt64(number)
    }

    private mutating func grow() {
        slots = Array(repeating: .max, count: slots.count * 2)
        for number in ends.indices {
            let hash = bytes.withUnsafeBufferPointer { KeyHash.of(UnsafeBufferPointer(rebasing: $0[range(number)])) }
            place(UInt32(number), hash)
        }
    }
}
