// SPDX-License-Identifier: Apache-2.0

/// Where things stand in a list of their owner's, by their hashes, with open addressing.
struct HashSlots {
    /// The upper half of a hash and the number of its thing; all ones is free. A power of two.
    private var slots: [UInt64]
    private var count = 0

    /// `slots` is a power of two, and how many things there may be before it is full, times two.
    init(slots: Int = 1 << 10) { self.slots = Array(repeating: .max, count: slots) }

    /// - Parameters:
    ///   - hash: the thing's hash.
    ///   - isSame: whether the thing of a number, whose hash may be this, is the one that is looked for.
    /// - Returns: its number.
    func find(_ hash: UInt64, where isSame: (Int) -> Bool) -> UInt32? {
        var slot = first(hash)
        while slots[slot] != .max {
            let number = Int(truncatingIfNeeded: slots[slot] & 0xFFFF_FFFF)
            if slots[slot] >> 32 == hash >> 32, isSame(number) { return UInt32(number) }
            slot = next(slot)
        }
        return nil
    }

    /// Adds the next thing, which is not there.
    ///
    /// - Returns: its number.
    mutating func add(_ hash: UInt64) -> UInt32 {
        let number = UInt32(count)
        place(number, hash)
        count += 1
        return number
    }

    /// Whether there is to be more room before the next thing.
    var isFull: Bool { count * 2 > slots.count }

    /// The same with more room. `hashOf` has the hash of each thing.
    func larger(hashOf: (Int) -> UInt64) -> HashSlots {
        var larger = HashSlots(slots: slots.count * 2)
        for number in 0..<count { _ = larger.add(hashOf(number)) }
        return larger
    }

    private func first(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots.count - 1) }
    private func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }

    private mutating func place(_ number: UInt32, _ hash: UInt64) {
        var slot = first(hash)
        while slots[slot] != .max { slot = next(slot) }
        // The very last number would look like a free slot; there is no room in memory for so many things.
        slots[slot] = (hash & ~0xFFFF_FFFF) | UInt64(number)
    }
}
