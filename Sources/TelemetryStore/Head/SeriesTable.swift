// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// The keys of series, one after the other, and where each stands by its hash.
struct SeriesTable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    /// The upper half of a hash and the number of its series, with open addressing; all ones is free.
    private var slots: [UInt64] = Array(repeating: .max, count: 1 << 10)

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

    /// Adds a key that is not there.
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
        // The very last number would look like a free slot; there is no room in memory for so many series.
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

/// A hash whose key is drawn anew in each process, so that nobody can choose labels that meet.
enum KeyHash {
    private static let seed = UInt64.random(in: .min ... .max)

    /// Eight bytes at a time, folded by a multiplication of full width (the idea of wyhash; W. Yi, 2019).
    static func of(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let raw = UnsafeRawBufferPointer(key)
        var (hash, place) = (seed ^ UInt64(raw.count), 0)
        while place + 8 <= raw.count {
            hash = fold(hash ^ raw.loadUnaligned(fromByteOffset: place, as: UInt64.self), 0xA076_1D64_78BD_642F)
            place += 8
        }
        var rest: UInt64 = 0
        while place < raw.count {
            rest = rest << 8 | UInt64(raw[place])
            place += 1
        }
        return fold(hash ^ rest, 0xE703_7ED1_A0B4_28DB ^ seed)
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}

extension SampleBatch {
    /// Of the keys of its rows.
    var hashes: [UInt64] {
        keys.withUnsafeBufferPointer { keys in
            rows.map { KeyHash.of(UnsafeBufferPointer(rebasing: keys[$0.key])) }
        }
    }
}
