// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// How much somebody may use, and how that is counted.
public struct RatePolicy: Sendable, Hashable {
    public enum Rule: Sendable, Hashable {
        /// At most `limit` in *any* span of `window`, wherever it begins.
        ///
        /// `window` is counted in `slots`; what stands in the oldest counts in full, which makes the bound exact and costs at most
        /// one part in `slots + 1` of the throughput.
        case slidingWindow(limit: Int, window: Duration, slots: Int)
        /// A bucket of `burst` units that refills at `limit` in `window`. In any span of `window` at most `limit + burst` pass.
        case tokenBucket(limit: Int, window: Duration, burst: Int)
        /// At most `limit` at the same time.
        case concurrency(limit: Int)
    }

    /// What a shared limit does while Redis does not answer.
    public enum StoreFailure: Sendable, Hashable {
        /// Lets everything pass, uncounted.
        case open
        /// Refuses everything, for a second at a time.
        case closed
        /// Each process lets through its share: the limit divided by the processes that were seen last.
        case share
    }

    /// Names it to clients and in metrics: letters, digits, `-`, `_` and `.`.
    public let name: String
    public var rule: Rule
    /// Decides and counts, and refuses nothing: for trying a limit out.
    public var isShadow = false
    /// What becomes of requests while the processes that share the limit cannot ask each other. Default: ``StoreFailure/share``.
    public var whenStoreFails = StoreFailure.share
    /// Counted in each process for itself, even where others are shared.
    public var isPerProcess = false
    /// The largest limit that a key may have of its own (``Check/limit``). Default: four times the limit.
    public var keyLimitMax: Int?

    public init(_ name: String, _ rule: Rule, isShadow: Bool = false) {
        self.name = name
        self.rule = rule
        self.isShadow = isShadow
    }

    /// At most `limit` units in any span of `window`, in as many slots as suit it: 20 up to a second, 96 from an hour on, else
    /// 60.
    public static func slidingWindow(_ name: String, limit: Int, per window: Duration, slots: Int? = nil) -> RatePolicy
    {
        let standard = window <= .seconds(1) ? 20 : window >= .seconds(3_600) ? 96 : 60
        return RatePolicy(name, .slidingWindow(limit: limit, window: window, slots: slots ?? standard))
    }

    /// `limit` units in `window` on the average, and `burst` at once. Default of `burst`: `limit`.
    public static func tokenBucket(_ name: String, limit: Int, per window: Duration, burst: Int? = nil) -> RatePolicy {
        RatePolicy(name, .tokenBucket(limit: limit, window: window, burst: burst ?? limit))
    }

    /// At most `limit` at the same time. Whoever is let in must be released.
    public static func concurrency(_ name: String, limit: Int) -> RatePolicy {
        RatePolicy(name, .concurrency(limit: limit))
    }

    public var limit: Int { rule.limit }

    /// - Throws: ``RatePolicyError``, which says what is wrong.
    func validate() throws(RatePolicyError) {
        let isNamed =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                    || byte == 0x2D || byte == 0x5F || byte == 0x2E
            }
        guard isNamed else { throw RatePolicyError(name, "has a name that is no word of letters, digits, -, _ and .") }
        guard (1...Self.limitMax).contains(rule.limit) else {
            throw RatePolicyError(name, "needs a limit from 1 to \(Self.limitMax), not \(rule.limit)")
        }
        switch rule {
        case .slidingWindow(_, let window, let slots):
            try validate(window)
            guard (1...1_024).contains(slots) else {
                throw RatePolicyError(name, "needs 1 to 1,024 slots, not \(slots)")
            }
        case .tokenBucket(_, let window, let burst):
            try validate(window)
            guard (1...Self.limitMax).contains(burst) else {
                throw RatePolicyError(name, "needs a burst from 1 to \(Self.limitMax), not \(burst)")
            }
            guard Double(window.wholeNanoseconds) / Double(rule.limit) * Double(burst) <= Self.fillMax * 1.001 else {
                throw RatePolicyError(name, "would take more than a year to fill its burst")
            }
        case .concurrency: break
        }
    }

    private func validate(_ window: Duration) throws(RatePolicyError) {
        guard window >= .milliseconds(1), window <= .seconds(366 * 86_400) else {
            throw RatePolicyError(name, "needs a window from 1 ms to 366 days, not \(window)")
        }
    }

    public static let limitMax = 1_000_000_000
    /// Nanoseconds.
    private static let fillMax = 366 * 86_400e9
}

extension RatePolicy.Rule {
    public var limit: Int {
        switch self {
        case .slidingWindow(let limit, _, _), .tokenBucket(let limit, _, _), .concurrency(let limit): limit
        }
    }

    /// `nil` where nothing passes with time.
    public var window: Duration? {
        switch self {
        case .slidingWindow(_, let window, _), .tokenBucket(_, let window, _): window
        case .concurrency: nil
        }
    }

    /// The largest cost that can ever pass.
    public var costMax: Int { if case .tokenBucket(_, _, let burst) = self { burst } else { limit } }

    /// The same with another limit, and another window where one is given; a bucket keeps the proportion of its burst.
    public func with(limit: Int, window other: Duration? = nil) -> Self {
        switch self {
        case .slidingWindow(_, let window, let slots):
            return .slidingWindow(limit: limit, window: other ?? window, slots: slots)
        case .tokenBucket(let old, let window, let burst):
            let scaled = (Double(burst) * Double(limit) / Double(old)).rounded()
            let bounded = max(1, min(Double(RatePolicy.limitMax), scaled))
            return .tokenBucket(limit: limit, window: other ?? window, burst: Int(bounded))
        case .concurrency: return .concurrency(limit: limit)
        }
    }
}

/// A policy that cannot be kept.
public struct RatePolicyError: Error, CustomStringConvertible, Equatable {
    public let policy: String
    public let reason: String

    init(_ policy: String, _ reason: String) {
        self.policy = policy
        self.reason = reason
    }

    public var description: String { "The rate policy \(policy) \(reason)." }
}
