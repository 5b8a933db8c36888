// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// The use of every key under one policy, in a fixed amount of memory.
///
/// Sixteen shards, each behind a lock of its own, each an open-addressed table of hashes with their states. A place is never
/// freed; it is taken over: first from a key of which forgetting loses nothing, then from the one that has used the least share
/// of the policy's limit, and never from one that is at that. Where all are, newcomers share the shard's last place until there is room.
final class LimitTable: Sendable {
    static let shardCount = 16

    /// Each is reached under its lock, and no two of one table at once.
    let shards: InlineArray<16, Mutex<LimitShard>>

    init(_ policy: RatePolicy, capacity: Int) {
        let largest = max(policy.limit * 4, policy.keyLimitMax ?? 0)
        let algorithm = Algorithm(policy.rule, isNarrow: SlidingWindow.isNarrow(limit: largest))
        shards = InlineArray { _ in Mutex(LimitShard(algorithm, capacity: capacity / Self.shardCount)) }
    }

    @inline(__always)
    static func shard(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 60) }

    /// Counts by another limit from now on; what was used stays used.
    func set(_ rule: RatePolicy.Rule) {
        for place in 0..<Self.shardCount { shards[place].withLock { $0.set(rule) } }
    }

    var rule: RatePolicy.Rule { shards[0].withLock { $0.algorithm.rule } }

    var account: LimitTableAccount {
        var account = LimitTableAccount()
        for place in 0..<Self.shardCount {
            shards[place].withLock { shard in
                account.forgotten += shard.account.forgotten
                account.shared += shard.account.shared
            }
        }
        return account
    }
}

struct LimitTableAccount {
    /// Keys that were forgotten though they had used something.
    var forgotten = 0
    /// Times that a newcomer found no place of its own.
    var shared = 0
}

struct LimitShard: ~Copyable {
    private(set) var algorithm: Algorithm
    private(set) var account = LimitTableAccount()
    /// At each place a hash, zero where there is none, and the state behind it; one place more than there are hashes, whose
    /// state is shared. Behind all of them their rings.
    private var places: UnsafeMutableRawPointer
    private let mask: Int

    private var count: Int { mask + 2 }
    private var stride: Int { 8 + algorithm.stateBytes }

    /// How far a key may lie from its home.
    private static let probesMax = 32

    /// `capacity` is rounded up to a power of two, at least 64.
    init(_ algorithm: Algorithm, capacity: Int) {
        self.algorithm = algorithm
        var count = 64
        while count < capacity { count *= 2 }
        mask = count - 1
        places = Self.zeroed(Self.bytes(count + 1, algorithm))
        setRing(of: count)
    }

    deinit { munmap(places, Self.bytes(count, algorithm)) }

    private static func bytes(_ count: Int, _ algorithm: Algorithm) -> Int {
        count * (8 + algorithm.stateBytes + algorithm.ringBytes)
    }

    /// Zeroed by the system when it is first touched, so that a large table costs what is used of it.
    private static func zeroed(_ size: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("There is no room for so many keys.") }
        return memory
    }

    /// Of whoever found no place of his own.
    var shared: UnsafeMutableRawPointer { state(at: mask + 1) }

    /// The place of a key's use, found or made.
    @inline(__always)
    mutating func state(of hash: UInt64, _ now: Int64) -> UnsafeMutableRawPointer {
        var place = Int(truncatingIfNeeded: hash) & mask
        for _ in 0..<Self.probesMax {
            let start = places + place &* stride
            let found = start.load(as: UInt64.self)
            if found == hash { return start + 8 }
            if found == 0 {
                start.storeBytes(of: hash, as: UInt64.self)
                setRing(of: place)
                return start + 8
            }
            place = (place + 1) & mask
        }
        return takenOver(by: hash, now)
    }

    private func state(at place: Int) -> UnsafeMutableRawPointer { places + place * stride + 8 }

    private func ring(at place: Int) -> UnsafeMutableRawPointer {
        places + count * stride + place * algorithm.ringBytes
    }

    private func setRing(of place: Int) {
        guard algorithm.ringBytes > 0 else { return }
        SlidingWindow.State(state(at: place), of: UInt32.self).set(ring: ring(at: place))
    }

    @inline(never)
    private mutating func takenOver(by hash: UInt64, _ now: Int64) -> UnsafeMutableRawPointer {
        let home = Int(truncatingIfNeeded: hash) & mask
        var least: (place: Int, use: Double)?
        for step in 0..<Self.probesMax {
            let place = (home + step) & mask
            if algorithm.isIdle(state(at: place), now) { return take(place, for: hash) }
            let use = algorithm.use(state(at: place), now)
            if use < least?.use ?? 1 { least = (place, use) }
        }
        guard let least else {
            account.shared += 1
            return shared
        }
        account.forgotten += 1
        return take(least.place, for: hash)
    }

    private func take(_ place: Int, for hash: UInt64) -> UnsafeMutableRawPointer {
        let start = places + place * stride
        start.storeBytes(of: hash, as: UInt64.self)
        memset(start + 8, 0, algorithm.stateBytes)
        memset(ring(at: place), 0, algorithm.ringBytes)
        setRing(of: place)
        return start + 8
    }

    mutating func set(_ rule: RatePolicy.Rule) {
        if let changed = algorithm.by(rule) {
            algorithm = changed
            return
        }
        // Counters of 16 bits become counters of 32.
        guard case .slidingWindow(_, _, let slots) = rule else { return }
        let narrow = (places: places, algorithm: algorithm, rings: ring(at: 0))
        algorithm = Algorithm(rule, isNarrow: false)
        places = Self.zeroed(Self.bytes(count, algorithm))
        for place in 0..<count {
            let state = narrow.places + place * stride
            // What nobody has used is not touched, so that it takes no memory.
            guard state.load(as: UInt64.self) != 0 || place == count - 1 else { continue }
            // Up to the ring the states are as they were.
            memcpy(places + place * stride, state, stride)
            setRing(of: place)
            guard SlidingWindow.State(self.state(at: place), of: UInt32.self).total > 0 else { continue }
            let old = (narrow.rings + place * narrow.algorithm.ringBytes).assumingMemoryBound(to: UInt16.self)
            let new = ring(at: place).assumingMemoryBound(to: UInt32.self)
            for counter in 0...slots { new[counter] = UInt32(old[counter]) }
        }
        munmap(narrow.places, Self.bytes(count, narrow.algorithm))
    }
}
