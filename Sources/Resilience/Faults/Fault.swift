// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// What is done on purpose to calls at an edge of a process, to see what becomes of it.
public struct Fault: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The call is made later: after a time between the two, all equally likely.
        case latency(from: Duration, to: Duration)
        /// The same with most calls near `mean` and a few very late: exponentially distributed, at most ten times the mean.
        case tail(mean: Duration)
        /// The call is not made, and fails at once.
        case error
        /// The call is made, and its answer is lost.
        case reset
        /// The call is not made, and there is no answer for so long, or until nobody waits any more.
        case timeout(Duration)
        /// Nothing gets through, and nothing comes back, for as long as the fault lasts; as if a network were cut.
        case partition
        /// What is said arrives at so many bytes a second.
        case bandwidth(Int)
        /// What is said arrives byte by byte, with this pause before each.
        case drip(Duration)
        /// The call is made, and its answer arrives as bytes that mean nothing.
        case wrong
    }

    /// What the process calls the edge, such as `payment` or `database.write`.
    public let edge: String
    /// Of the calls that match, 0 to 1.
    public let share: Double
    public let kind: Kind
    /// Facts of a call that must all be as they are here, such as a route or a key.
    public let facts: [String: String]
    /// Since the plan began.
    public let from: Duration
    /// Since the plan began; `nil` until it ends.
    public let until: Duration?

    public init(
        at edge: String, share: Double = 1, _ kind: Kind, where facts: [String: String] = [:],
        from: Duration = .zero, until: Duration? = nil
    ) {
        precondition((0...1).contains(share), "A share lies between 0 and 1.")
        self.edge = edge
        self.share = share
        self.kind = kind
        self.facts = facts
        self.from = from
        self.until = until
    }

    /// How bytes get through where it makes a line narrow: so many, each time after such a pause; `nil` where it does not.
    public var trickle: (count: Int, pause: Duration)? {
        switch kind {
        case .bandwidth(let rate):
            // Fifty times a second, where there are as many bytes.
            let count = max(1, rate / 50)
            return (count, .seconds(count) / max(1, rate))
        case .drip(let pause): return (1, pause)
        case .latency, .tail, .error, .reset, .timeout, .partition, .wrong: return nil
        }
    }

    /// The kind in a word.
    public var name: String {
        switch kind {
        case .latency: "latency"
        case .tail: "tail"
        case .error: "error"
        case .reset: "reset"
        case .timeout: "timeout"
        case .partition: "partition"
        case .bandwidth: "bandwidth"
        case .drip: "drip"
        case .wrong: "wrong"
        }
    }
}

/// Faults that begin together, end by themselves, and come again with their seed.
public struct FaultPlan: Sendable, Hashable {
    public let seed: UInt64
    public let faults: [Fault]
    /// After which no fault is made any more; an hour at most.
    public let length: Duration

    public static let lengthMax = Duration.seconds(3_600)

    public init(seed: UInt64, _ faults: [Fault], length: Duration) {
        precondition(length > .zero && length <= Self.lengthMax, "A plan ends by itself within an hour.")
        self.seed = seed
        self.faults = faults
        self.length = length
    }

    /// What becomes of the `number`th call that matches a fault: each fault has a sequence of its own, whatever the others do.
    /// - Returns: `nil` where nothing is done to it; else how long it waits.
    func draw(fault: Int, call number: Int) -> Duration? {
        var dice = Splitmix(state: seed ^ UInt64(fault + 1) &* 0xD6E8_FEB8_6659_FD93 ^ UInt64(number) << 20)
        guard dice.unit() < faults[fault].share else { return nil }
        switch faults[fault].kind {
        case .latency(let from, let to): return from + (to - from) * dice.unit()
        case .tail(let mean): return mean * min(10, dice.exponential())
        case .error, .reset, .partition, .bandwidth, .drip, .wrong: return .zero
        case .timeout(let time): return time
        }
    }
}

/// Random numbers that come again with their seed (splitmix64; S. Vigna, 2015).
private struct Splitmix {
    var state: UInt64

    /// From 0 to below 1.
    mutating func unit() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53
    }

    /// With the mean 1, by von Neumann's method, which needs no logarithm: the whole part counts the runs that failed.
    mutating func exponential() -> Double {
        var whole = 0.0
        while true {
            let first = unit()
            var (last, isOdd) = (first, true)
            while true {
                let next = unit()
                if next >= last { break }
                (last, isOdd) = (next, !isOdd)
            }
            if isOdd { return whole + first }
            whole += 1
        }
    }
}
