// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// How many calls may be under way at once, learnt from how long they take (L. Brakmo, L. Peterson, "TCP Vegas", 1995, as
/// Netflix' concurrency-limits applies it to calls).
public struct AdaptiveLimitSettings: Sendable {
    /// Default 20.
    public var initial = 20
    /// Default 1.
    public var min = 1
    /// Default 1,000.
    public var max = 1_000
    /// Samples after which the limit is reckoned again. Default 20.
    public var samplesMin = 20
    /// And so long at least, so that a burst is not taken for a trend. Default 50 ms.
    public var windowMin: Duration = .milliseconds(50)

    public init() {}
}

/// The rules of an adaptive limit, without clock or lock. Times are nanoseconds.
///
/// Where calls know how long they have waited inside, as much of the limit waits as of their time was waiting. Where they do not,
/// the shortest time that a call has taken is what it takes without a queue, and what is beyond it was spent waiting. The limit
/// rises while few wait and falls while many do. Where Vegas alone drifts: only calls that succeeded teach it, a call that timed out
/// is a sign of too many, the limit never rises where it is not used, and what a call takes without a queue is measured
/// again now and then with a lower limit, because it may have changed.
struct AdaptiveLimit: Sendable {
    enum Outcome: Sendable {
        case success
        /// Timed out, or refused as too many.
        case overload
        case ignored
    }

    private let settings: AdaptiveLimitSettings
    private let windowMin: Int64
    private(set) var limit: Double
    private(set) var inFlight = 0
    private var baseline: Int64 = .max
    private var windowStart: Int64 = 0
    private var samples: [Int64] = []
    /// Of those samples that knew it: how long they took and how much of that was waiting.
    private var known: (took: Int64, waited: Int64) = (0, 0)
    private var overloads = 0
    private var inFlightMax = 0
    private var windowsSinceProbe = 0
    private var isProbing = false

    /// Windows after which the time without a queue is measured again, for each unit of the limit.
    private static let probeEvery = 30.0

    init(_ settings: AdaptiveLimitSettings) {
        self.settings = settings
        windowMin = settings.windowMin.wholeNanoseconds
        limit = Double(settings.initial)
        samples.reserveCapacity(256)
    }

    /// Calls that may be under way now; a third while it is measured how long one takes without a queue.
    var allowed: Int { max(settings.min, Int(isProbing ? limit / 3 : limit)) }

    /// Whether another call may begin; `share` of the limit is open to this caller, 0 to 1.
    mutating func admit(share: Double) -> Bool {
        guard inFlight < max(1, Int(Double(allowed) * share)) else { return false }
        inFlight += 1
        inFlightMax = Swift.max(inFlightMax, inFlight)
        return true
    }

    /// `waited` is how much of the time was spent in queues inside; `nil` where that is not known.
    mutating func report(_ outcome: Outcome, took duration: Int64, waited: Int64? = nil, _ now: Int64) {
        inFlight -= 1
        switch outcome {
        case .ignored: return
        case .overload: overloads += 1
        case .success:
            if samples.count < 4_096 { samples.append(duration) }
            if let waited { known = (known.took + duration, known.waited + Swift.min(waited, duration)) }
        }
        if windowStart == 0 { windowStart = now }
        guard samples.count + overloads >= settings.samplesMin, now - windowStart >= windowMin else { return }
        adapt()
        (windowStart, overloads, inFlightMax, known) = (now, 0, inFlight, (0, 0))
        samples.removeAll(keepingCapacity: true)
    }

    private mutating func adapt() {
        if overloads * 10 > samples.count {
            limit = clamped(limit * 0.9)
            return
        }
        guard !samples.isEmpty else { return }
        if known.took > 0 {
            (isProbing, windowsSinceProbe) = (false, 0)
            return step(waiting: limit * Double(known.waited) / Double(known.took))
        }
        samples.sort()
        if isProbing {
            baseline = samples[0]
            (isProbing, windowsSinceProbe) = (false, 0)
            return
        }
        baseline = Swift.min(baseline, samples[0])
        windowsSinceProbe += 1
        if Double(windowsSinceProbe) > Self.probeEvery * limit.squareRoot() { isProbing = true }
        let typical = samples[samples.count / 2]
        step(waiting: (limit * (1 - Double(baseline) / Double(typical))).rounded(.up))
    }

    private mutating func step(waiting: Double) {
        let step = Swift.max(1, decimalLogarithm(limit))
        // Where it is not used up, what calls differ by would be taken for a queue.
        let isUsed = Double(inFlightMax) * 2 > limit
        if waiting > 6 * step, isUsed {
            limit = clamped(limit - step)
        } else if waiting < 3 * step, isUsed {
            limit = clamped(limit + (waiting <= step ? 6 * step : step))
        }
    }

    private func clamped(_ value: Double) -> Double {
        Swift.min(Double(settings.max), Swift.max(Double(settings.min), value))
    }

    /// Rough, by digits and what lies between them.
    private func decimalLogarithm(_ value: Double) -> Double {
        (Double(value.exponent) + value.significand - 1) * 0.301_03
    }
}
