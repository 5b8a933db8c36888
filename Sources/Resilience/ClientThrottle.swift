// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Synchronization

/// A call was not made, because most of those before it were turned away.
public struct Throttled: Error, Equatable, CustomStringConvertible {
    public let name: String

    public var description: String { "\(name) turns most calls away, and is asked less" }
}

/// Asks a dependency less while it turns calls away, so that it need not (Site Reliability Engineering, chapter 21, "Handling
/// Overload": adaptive throttling).
///
/// A call is dropped here with the chance `(requests - K * accepts) / (requests + 1)` over two minutes, 0.9 at most; one a second
/// is made in any case. A request counts when it is sent, so that those without an answer yet are seen.
public final class ClientThrottle: Sendable {
    private struct Slot {
        var number: Int64 = -1
        var requests = 0
        var accepts = 0
    }

    private struct State {
        var slots = InlineArray<12, Slot>(repeating: Slot())
        var probedAt: Int64 = .min

        mutating func place(_ number: Int64) -> Int {
            let place = Int(number % 12)
            if slots[place].number != number { slots[place] = Slot(number: number) }
            return place
        }

        func sums(_ number: Int64) -> (requests: Int, accepts: Int) {
            var sums = (requests: 0, accepts: 0)
            for place in 0..<12 where slots[place].number > number - 12 {
                sums.requests += slots[place].requests
                sums.accepts += slots[place].accepts
            }
            return sums
        }
    }

    public let name: String
    private let multiplier: Double
    private let state = Mutex(State())
    private let now: MonotonicTime.Source
    private let isRefusal: @Sendable (any Error) -> Bool
    private let dropped: Counter

    private static let slotWidth: Int64 = 10_000_000_000
    private static let chanceMax = 0.9

    /// A dependency may be asked `multiplier` times what it accepts; `isRefusal` says whether an error means that it turned the
    /// call away.
    public init(
        _ name: String, multiplier: Double = 2, now: @escaping MonotonicTime.Source = MonotonicTime.system,
        isRefusal: @escaping @Sendable (any Error) -> Bool
    ) {
        self.name = name
        self.multiplier = multiplier
        self.now = now
        self.isRefusal = isRefusal
        dropped = Counter(label: "resilience.throttle.dropped", dimensions: [("name", name)])
    }

    /// - Throws: ``Throttled``, or what `work` throws.
    public func run<Result>(_ work: () async throws -> Result) async throws -> Result {
        guard admit(at: .random(in: 0..<1)) else {
            dropped.increment()
            throw Throttled(name: name)
        }
        do {
            let result = try await work()
            accepted()
            return result
        } catch {
            // An error that is no refusal is an answer, too; what another guard refused was not asked for.
            if !isRefusal(error), !Guards.isRefusal(error) { accepted() }
            throw error
        }
    }

    func admit(at random: @autoclosure () -> Double) -> Bool {
        let now = now()
        return state.withLock { state in
            let number = now / Self.slotWidth
            let (requests, accepts) = state.sums(number)
            let excess = Double(requests) - multiplier * Double(accepts)
            let chance = min(Self.chanceMax, max(0, excess / Double(requests + 1)))
            let isProbe = now - 1_000_000_000 >= state.probedAt
            // Dropped ones count as asked for, so that the chance follows what is wanted.
            let place = state.place(number)
            state.slots[place].requests += 1
            guard chance == 0 || isProbe || random() >= chance else { return false }
            if isProbe { state.probedAt = now }
            return true
        }
    }

    func accepted() {
        let number = now() / Self.slotWidth
        state.withLock { state in
            let place = state.place(number)
            state.slots[place].accepts += 1
        }
    }
}
