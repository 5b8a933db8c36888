// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What is remembered of a key.
protocol KeyEntry: Sendable {
    init(hash: UInt64)
    /// Zero where there is none.
    var hash: UInt64 { get }
    /// Nothing is lost by forgetting it.
    func isIdle(_ now: Int64) -> Bool
    /// The smallest goes first where none is idle.
    var lastUse: Int64 { get }
}

/// Entries of keys in a fixed amount of memory. Whoever finds no place takes one of four, from an idle key if there is one.
final class KeyTable<Entry: KeyEntry>: Sendable {
    private struct Shard: ~Copyable {
        var entries: [Entry]
        let mask: Int

        init(capacity: Int) {
            var count = 16
            while count < capacity { count *= 2 }
            mask = count / 4 - 1
            entries = Array(repeating: Entry(hash: 0), count: count)
        }

        /// The place of a key, or the one that it would take.
        func place(of hash: UInt64, _ now: Int64) -> Int {
            let first = (Int(truncatingIfNeeded: hash) & mask) * 4
            var oldest = first
            for place in first..<first + 4 {
                if entries[place].hash == hash { return place }
                if entries[oldest].isIdle(now) { continue }
                if entries[place].isIdle(now) || entries[place].lastUse < entries[oldest].lastUse { oldest = place }
            }
            return oldest
        }
    }

    private let shards: InlineArray<16, Mutex<Shard>>

    init(capacity: Int) { shards = InlineArray { _ in Mutex(Shard(capacity: capacity / 16)) } }

    private func shard(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 60) }

    func entry(_ hash: UInt64, _ now: Int64) -> Entry? {
        shards[shard(hash)].withLock { shard in
            let entry = shard.entries[shard.place(of: hash, now)]
            return entry.hash == hash ? entry : nil
        }
    }

    /// Runs `body` on the entry of a key, which is made where there is none.
    func with<Result>(_ hash: UInt64, _ now: Int64, _ body: (inout Entry) -> Result) -> Result {
        shards[shard(hash)].withLock { shard in
            let place = shard.place(of: hash, now)
            if shard.entries[place].hash != hash { shard.entries[place] = Entry(hash: hash) }
            return body(&shard.entries[place])
        }
    }
}
