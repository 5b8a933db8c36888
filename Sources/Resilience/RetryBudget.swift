// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Synchronization

/// How many second attempts a dependency may see: a share of the first ones, and a few a second in any case, over the last ten
/// seconds. Without it, three attempts on each of three layers make 27 of one when it hurts most (Finagle, `RetryBudget`).
public final class RetryBudget: Sendable {
    private struct Slot {
        var second: Int64 = -1
        var calls = 0
        var retries = 0
    }

    private let share: Double
    private let perSecondMin: Int
    private let slots = Mutex(InlineArray<10, Slot>(repeating: Slot()))
    private let now: MonotonicTime.Source
    private let denied: Counter

    /// `share` of the calls may be tried again, by default a tenth, and `perSecondMin` a second however few calls there are.
    public init(
        _ name: String, share: Double = 0.1, perSecondMin: Int = 1,
        now: @escaping MonotonicTime.Source = MonotonicTime.system
    ) {
        self.share = share
        self.perSecondMin = perSecondMin
        self.now = now
        denied = Counter(label: "resilience.retries.denied", dimensions: [("name", name)])
    }

    /// Notes a first attempt.
    public func deposit() {
        let second = now() / 1_000_000_000
        slots.withLock { slots in
            let place = Self.place(&slots, second)
            slots[place].calls += 1
        }
    }

    /// Whether another attempt may be made now; it counts as made.
    public func withdraw() -> Bool {
        let second = now() / 1_000_000_000
        let isAllowed = slots.withLock { slots in
            var (calls, retries) = (0, 0)
            for place in 0..<10 where slots[place].second > second - 10 {
                calls += slots[place].calls
                retries += slots[place].retries
            }
            guard Double(retries + 1) <= share * Double(calls) + Double(perSecondMin * 10) else { return false }
            slots[Self.place(&slots, second)].retries += 1
            return true
        }
        if !isAllowed { denied.increment() }
        return isAllowed
    }

    private static func place(_ slots: inout InlineArray<10, Slot>, _ second: Int64) -> Int {
        let place = Int(second % 10)
        if slots[place].second != second { slots[place] = Slot(second: second) }
        return place
    }
}
