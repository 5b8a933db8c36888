// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A rule as the script in Redis knows it.
struct SharedRule: Sendable {
    /// Or a bucket.
    let isWindow: Bool
    let ringCount: Int
    /// Units of a window; nanoseconds that a bucket takes to fill.
    var most: Int64
    /// Microseconds of a window's slot; nanoseconds in which a unit comes back to a bucket.
    let pace: Int64
}

/// A policy and how it is shared.
struct SharedPolicy: Sendable {
    let name: String
    let isShadow: Bool
    let isConcurrency: Bool
    private(set) var algorithm: Algorithm
    /// Under which the use of a key is found; another for windows of another length or other slots.
    private(set) var field = ""
    /// Nanoseconds that a lease may last; 0 where there are none.
    private(set) var leaseTime: Int64 = 0
    private let leaseTimeMax: Int64

    /// A place that nobody gives back is free again after this.
    static let placeTimeMax = Duration.seconds(60)

    init(_ policy: RatePolicy, leaseTimeMax: Int64) {
        name = policy.name
        isShadow = policy.isShadow
        self.leaseTimeMax = leaseTimeMax
        if case .concurrency = policy.rule { isConcurrency = true } else { isConcurrency = false }
        algorithm = Algorithm(Self.counted(policy.rule), isNarrow: false)
        set(policy.rule)
    }

    /// Places are counted as a window does, so that those of a process that has died come back.
    private static func counted(_ rule: RatePolicy.Rule) -> RatePolicy.Rule {
        guard case .concurrency(let limit) = rule else { return rule }
        return .slidingWindow(limit: limit, window: placeTimeMax, slots: 60)
    }

    mutating func set(_ rule: RatePolicy.Rule) {
        // Wide counters whatever the limit, so that it may change in one process before it does in another.
        algorithm = Algorithm(Self.counted(rule), isNarrow: false)
        let shared = algorithm.shared
        if !shared.isWindow {
            field = name + ":bucket"
            // What is used late comes on top of what has refilled meanwhile, so the bucket is kept smaller by that: by a
            // twentieth at most.
            leaseTime = leaseTimeMax * 20 <= shared.most ? leaseTimeMax : 0
        } else {
            field = "\(name):slots:\(shared.ringCount):\(shared.pace)"
            leaseTime = isConcurrency ? 0 : leaseTimeMax
        }
    }

    /// What a check is held to.
    func rule(for check: Check) -> SharedRule {
        var rule = (check.limit.map { algorithm.with(limit: $0) } ?? algorithm).shared
        rule.most -= held(by: check, rule)
        return rule
    }

    /// How much smaller a bucket is kept, so that leases which are used late do not exceed it. Who needs all of it gets it.
    private func held(by check: Check, _ rule: SharedRule) -> Int64 {
        !rule.isWindow && Int64(check.cost) <= (rule.most - leaseTime) / rule.pace ? leaseTime : 0
    }

    /// Milliseconds after which the use of a key is forgotten.
    var timeToLive: Int64 {
        let rule = algorithm.shared
        if rule.isWindow { return Int64(rule.ringCount + 1) * rule.pace / 1_000 + 1 }
        // Under a smaller limit a single unit may take the whole window.
        let window = algorithm.rule.window.map(\.wholeNanoseconds) ?? 0
        return (rule.most + window) / 1_000_000 + 1_000
    }

    /// Reads what Redis keeps of a key.
    /// - Returns: when the check would fit, and what is left.
    func read(_ bytes: ArraySlice<UInt8>, _ check: Check, at now: Int64) -> SharedReading {
        let algorithm = check.limit.map { self.algorithm.with(limit: $0) } ?? self.algorithm
        return withUnsafeTemporaryAllocation(byteCount: algorithm.stateBytes + algorithm.ringBytes, alignment: 8) {
            state in
            guard let start = state.baseAddress else { preconditionFailure("A state has bytes.") }
            state.initializeMemory(as: UInt8.self, repeating: 0)
            if !algorithm.shared.isWindow {
                let numbers = bytes.withUnsafeBytes { bytes in
                    (0..<2).map { bytes.count < 16 ? 0 : bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self) }
                }
                let fullAt = max(now, numbers[0] * 1_000 + numbers[1])
                start.storeBytes(of: fullAt + held(by: check, algorithm.shared), as: Int64.self)
            } else {
                let window = SlidingWindow.State(start, of: UInt32.self)
                window.set(ring: start + algorithm.stateBytes)
                bytes.withUnsafeBytes { fill(window, from: $0, ringCount: algorithm.shared.ringCount) }
            }
            let reading = algorithm.read(start, check.cost, now)
            let (available, span) = algorithm.quota(start, now)
            let wait = isConcurrency && !reading.fits ? 1_000_000_000 : reading.wait
            return SharedReading(
                wait: wait, available: available, span: isConcurrency ? 0 : span,
                limit: algorithm.limit, slot: !algorithm.shared.isWindow ? 0 : start.load(as: Int64.self),
                isImpossible: check.cost > algorithm.costMax)
        }
    }

    /// Makes a window of what the script keeps: the number of its newest slot, the sum, and slots with what was counted in them.
    private func fill(_ state: SlidingWindow.State<UInt32>, from bytes: UnsafeRawBufferPointer, ringCount: Int) {
        guard bytes.count >= 12 else { return }
        state.slot = bytes.loadUnaligned(as: Int64.self)
        (state.newest, state.oldest) = (ringCount - 1, ringCount - 1)
        for entry in stride(from: 12, to: bytes.count - 5, by: 6) {
            let low = bytes.loadUnaligned(fromByteOffset: entry, as: UInt16.self)
            let units = bytes.loadUnaligned(fromByteOffset: entry + 2, as: UInt32.self)
            let age = Int(UInt16(truncatingIfNeeded: state.slot) &- low)
            guard units > 0, age < ringCount else { continue }
            let place = state.newest - age
            // Added up, so that the sum is what the ring holds, whatever came.
            state.total += Int(units)
            state.oldest = min(state.oldest, place)
            if age == 0 { state.current = Int(units) } else { state.ring[place] = units }
        }
    }
}

/// What Redis says of one policy. Times are nanoseconds.
struct SharedReading: Sendable {
    /// Until the check would fit.
    let wait: Int64
    let available: Int
    let span: Int64
    let limit: Int
    /// The window's newest slot.
    let slot: Int64
    let isImpossible: Bool
}
