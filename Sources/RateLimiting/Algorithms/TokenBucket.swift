// SPDX-License-Identifier: Apache-2.0

/// A token bucket, kept as one number by the generic cell rate algorithm (ITU-T I.371, annex A): the time at which the bucket
/// would be full again.
struct TokenBucket: Sendable {
    /// Nanoseconds in which one unit comes back; rounded up, so that it is never too fast.
    let interval: Int64
    let burst: Int

    static let stateBytes = 8

    init(limit: Int, window: Int64, burst: Int) {
        interval = (window + Int64(limit) - 1) / Int64(limit)
        self.burst = burst
    }

    /// Nanoseconds in which an empty bucket fills.
    private var tolerance: Int64 { interval * Int64(burst) }

    /// Nanoseconds to wait until `cost` fits; zero or less where it does.
    func wait(_ fullAt: Int64, for cost: Int, _ now: Int64) -> Int64 {
        max(fullAt, now) + interval * Int64(cost) - tolerance - now
    }

    /// What is overdrawn beyond a hundred fillings is not remembered.
    func adding(_ cost: Int, to fullAt: Int64, _ now: Int64) -> Int64 {
        min(max(fullAt, now) + interval * Int64(cost), now + 100 * max(tolerance, 1))
    }

    /// What was taken too much comes back; a bucket is never more than full.
    func removing(_ cost: Int, from fullAt: Int64, _ now: Int64) -> Int64 {
        max(now, fullAt - interval * Int64(cost))
    }

    func available(_ fullAt: Int64, _ now: Int64) -> Int {
        let room = tolerance - max(0, fullAt - now)
        return room < 0 ? 0 : Int(room / interval)
    }
}
