// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// One of the ways to count, over the bytes in which a key's use is kept. Times are nanoseconds since the clock's zero.
struct Algorithm: Sendable {
    private enum Kind: Sendable {
        case window(SlidingWindow, isNarrow: Bool)
        case bucket(TokenBucket)
        case concurrency(limit: Int)
    }

    /// What a look at a key's use says.
    struct Reading {
        let fits: Bool
        /// Nanoseconds until the cost fits; 0 where it does.
        let wait: Int64
    }

    private let kind: Kind
    let rule: RatePolicy.Rule
    let stateBytes: Int
    /// Of what a state has beside it; 0 where there is nothing.
    let ringBytes: Int
    let limit: Int
    /// The largest cost that can ever fit.
    let costMax: Int
    private let window: Int64

    /// With `isNarrow` windows count in 16 bits.
    init(_ rule: RatePolicy.Rule, isNarrow: Bool) {
        self.rule = rule
        window = rule.window.map(\.wholeNanoseconds) ?? 0
        (limit, costMax) = (rule.limit, rule.costMax)
        switch rule {
        case .slidingWindow(let limit, _, let slots):
            kind = .window(SlidingWindow(limit: limit, window: window, slots: slots), isNarrow: isNarrow)
            stateBytes = SlidingWindow.stateBytes
            ringBytes = SlidingWindow.ringBytes(slots: slots, isNarrow: isNarrow)
        case .tokenBucket(let limit, _, let burst):
            kind = .bucket(TokenBucket(limit: limit, window: window, burst: burst))
            (stateBytes, ringBytes) = (TokenBucket.stateBytes, 0)
        case .concurrency(let limit):
            kind = .concurrency(limit: limit)
            (stateBytes, ringBytes) = (8, 0)
        }
    }

    private var isNarrow: Bool { if case .window(_, let isNarrow) = kind { isNarrow } else { false } }

    /// The same counting by another rule of the same kind, in the same bytes; `nil` where they cannot hold its limit.
    func by(_ rule: RatePolicy.Rule) -> Algorithm? {
        if isNarrow, !SlidingWindow.isNarrow(limit: rule.limit) { return nil }
        return Algorithm(rule, isNarrow: isNarrow)
    }

    /// For a key with a limit of its own, as far as the bytes hold it.
    func with(limit: Int) -> Algorithm {
        let held = isNarrow ? min(limit, Int(UInt16.max)) : limit
        return Algorithm(rule.with(limit: held), isNarrow: isNarrow)
    }

    /// Brings the state up to date, and says whether `cost` fits.
    @inline(__always)
    func read(_ state: UnsafeMutableRawPointer, _ cost: Int, _ now: Int64) -> Reading {
        // Never, however long somebody waits; what is left of a window is reckoned as usual below.
        if cost > costMax {
            _ = read(state, 0, now)
            return Reading(fits: false, wait: max(window, 1_000_000_000))
        }
        switch kind {
        case .window(let window, let isNarrow):
            return isNarrow
                ? Self.read(window, .init(state, of: UInt16.self), cost, now)
                : Self.read(window, .init(state, of: UInt32.self), cost, now)
        case .bucket(let bucket):
            let wait = bucket.wait(state.load(as: Int64.self), for: cost, now)
            return Reading(fits: wait <= 0, wait: max(0, wait))
        case .concurrency(let limit):
            let fits = state.load(as: Int64.self) + Int64(cost) <= Int64(limit)
            return Reading(fits: fits, wait: fits ? 0 : 1_000_000_000)
        }
    }

    private static func read<Counter>(
        _ window: SlidingWindow, _ state: SlidingWindow.State<Counter>, _ cost: Int, _ now: Int64
    ) -> Reading {
        window.roll(state, now)
        if window.fits(state, cost) { return Reading(fits: true, wait: 0) }
        return Reading(fits: false, wait: window.wait(state, for: state.total + cost - window.limit, now))
    }

    /// Counts `cost`, whether it fits or not, up to all that can ever fit.
    /// - Returns: when it was counted, for ``settle(_:charged:actual:at:_:)``.
    @inline(__always)
    func charge(_ state: UnsafeMutableRawPointer, _ cost: Int, _ now: Int64) -> Int64 {
        let cost = min(cost, costMax)
        switch kind {
        case .window(let window, let isNarrow):
            return isNarrow
                ? window.add(SlidingWindow.State(state, of: UInt16.self), cost)
                : window.add(SlidingWindow.State(state, of: UInt32.self), cost)
        case .bucket(let bucket):
            state.storeBytes(of: bucket.adding(cost, to: state.load(as: Int64.self), now), as: Int64.self)
        case .concurrency:
            state.storeBytes(of: state.load(as: Int64.self) + Int64(cost), as: Int64.self)
        }
        return 0
    }

    /// Makes what was charged what it really cost. The state is up to date.
    func settle(_ state: UnsafeMutableRawPointer, charged: Int, actual: Int, at moment: Int64, _ now: Int64) {
        if actual > charged {
            _ = charge(state, actual - charged, now)
            return
        }
        let excess = min(charged - actual, costMax)
        switch kind {
        case .window(let window, let isNarrow):
            if isNarrow {
                window.remove(SlidingWindow.State(state, of: UInt16.self), excess, from: moment)
            } else {
                window.remove(SlidingWindow.State(state, of: UInt32.self), excess, from: moment)
            }
        case .bucket(let bucket):
            state.storeBytes(of: bucket.removing(excess, from: state.load(as: Int64.self), now), as: Int64.self)
        case .concurrency:
            state.storeBytes(of: max(0, state.load(as: Int64.self) - Int64(excess)), as: Int64.self)
        }
    }

    /// What is left, and how long no more than that comes. The state is up to date.
    @inline(__always)
    func quota(_ state: UnsafeMutableRawPointer, _ now: Int64) -> (available: Int, span: Int64) {
        switch kind {
        case .window(let window, let isNarrow):
            return isNarrow
                ? quota(window, .init(state, of: UInt16.self), now) : quota(window, .init(state, of: UInt32.self), now)
        case .bucket(let bucket):
            let fullAt = state.load(as: Int64.self)
            let available = bucket.available(fullAt, now)
            return (available, fullAt <= now ? window : max(0, bucket.wait(fullAt, for: available + 1, now)))
        case .concurrency(let limit):
            return (max(0, limit - Int(state.load(as: Int64.self))), 0)
        }
    }

    private func quota<Counter>(
        _ window: SlidingWindow, _ state: SlidingWindow.State<Counter>, _ now: Int64
    ) -> (available: Int, span: Int64) {
        let total = state.total
        guard total > 0 else { return (window.limit, self.window) }
        let overdrawn = total - window.limit
        let span = overdrawn > 0 ? window.wait(state, for: overdrawn + 1, now) : window.waitForAny(state, now)
        return (window.available(state), span)
    }

    /// What the script in Redis is to know.
    var shared: SharedRule {
        switch kind {
        case .window(let window, _):
            SharedRule(
                isWindow: true, ringCount: window.ringCount, most: Int64(limit), pace: window.slotWidth / 1_000)
        case .bucket(let bucket):
            SharedRule(
                isWindow: false, ringCount: 0, most: bucket.interval * Int64(bucket.burst), pace: bucket.interval)
        case .concurrency: preconditionFailure("What runs at the same time is shared as a window.")
        }
    }

    /// Whether forgetting the state changes nothing.
    func isIdle(_ state: UnsafeMutableRawPointer, _ now: Int64) -> Bool {
        switch kind {
        case .window(let window, let isNarrow):
            isNarrow
                ? window.isIdle(SlidingWindow.State(state, of: UInt16.self), now)
                : window.isIdle(SlidingWindow.State(state, of: UInt32.self), now)
        case .bucket: state.load(as: Int64.self) <= now
        case .concurrency: state.load(as: Int64.self) == 0
        }
    }

    /// How much of its limit a key has used, 0 to 1 and beyond; for choosing whom to forget. A concurrency is never forgotten.
    func use(_ state: UnsafeMutableRawPointer, _ now: Int64) -> Double {
        switch kind {
        case .window(let window, _):
            Double(SlidingWindow.State(state, of: UInt16.self).total) / Double(window.limit)
        case .bucket(let bucket):
            1 - Double(bucket.available(state.load(as: Int64.self), now)) / Double(bucket.burst)
        case .concurrency: .infinity
        }
    }
}
