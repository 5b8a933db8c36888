// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Texts, each once, one after the other, and where each stands by its hash.
struct TextTable {
    private(set) var bytes: [UInt8] = []
    /// Where each text ends in ``bytes``.
    private(set) var ends: [Int] = []
    private var slots: HashSlots

    /// `slots` is a power of two, and how many texts there may be before it is enlarged, times two.
    init(slots: Int = 1 << 10) { self.slots = HashSlots(slots: slots) }

    var count: Int { ends.count }

    func key(_ number: Int) -> ArraySlice<UInt8> { bytes[range(number)] }

    private func range(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

    func find(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32? {
        slots.find(hash) { isEqual($0, key) }
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
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
        let number = slots.add(hash)
        if slots.isFull {
            slots = slots.larger { number in
                bytes.withUnsafeBufferPointer { KeyHash.of(UnsafeBufferPointer(rebasing: $0[range(number)])) }
            }
        }
        return number
    }
}
