// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Synchronization

/// More was asked for than can be done; whoever matters less is told first.
public struct Overloaded: Error, Equatable, CustomStringConvertible {
    public let name: String

    public var description: String { "\(name) has as much to do as it can" }
}

/// What is given up first when there is too much.
public enum Priority: Sendable, CaseIterable {
    /// Can be had later: reports, exports, refreshes.
    case sheddable
    case standard
    /// Checkout, and what a payment provider tells.
    case critical

    /// How much of a limit is open to it.
    var share: Double {
        switch self {
        case .sheddable: 0.7
        case .standard: 0.9
        case .critical: 1
        }
    }
}

/// Lets as many calls run at once as turn out to be good for a dependency, or for a server itself.
///
/// Where calls differ much in how long they take, tell it how much of that was waiting (`waited`); without, the longer ones are
/// taken for a queue and too few are let in: with times of 2 to 38 ms at half of capacity it refused a third.
///
/// Nobody waits: a queue inside would be the delay that it is there to prevent. Cost: a lock each way.
public final class ConcurrencyLimiter: Sendable {
    public let name: String
    private let state: Mutex<AdaptiveLimit>
    private let isOverload: @Sendable (any Error) -> Bool
    private let now: MonotonicTime.Source
    private let limit: Gauge
    private let shed: [Priority: Counter]

    /// `isOverload` says whether an error means that there was too much; by default a passed deadline does.
    public init(
        _ name: String, _ settings: AdaptiveLimitSettings = .init(),
        now: @escaping MonotonicTime.Source = MonotonicTime.system,
        isOverload: @escaping @Sendable (any Error) -> Bool = { $0 is DeadlineExceeded }
    ) {
        self.name = name
        self.now = now
        self.isOverload = isOverload
        state = Mutex(AdaptiveLimit(settings))
        limit = Gauge(label: "resilience.concurrency.limit", dimensions: [("name", name)])
        shed = Dictionary(
            uniqueKeysWithValues: Priority.allCases.map { priority in
                let dimensions = [("name", name), ("priority", "\(priority)")]
                return (priority, Counter(label: "resilience.concurrency.shed", dimensions: dimensions))
            })
    }

    /// `waited` is asked when `work` has ended: how much of its time it spent in queues, where that is known.
    /// - Throws: ``Overloaded``, or what `work` throws.
    public func run<Result>(
        _ priority: Priority = .standard, waited: () -> Duration? = { nil }, _ work: () async throws -> Result
    ) async throws -> Result {
        guard state.withLock({ $0.admit(share: priority.share) }) else {
            shed[priority]?.increment()
            throw Overloaded(name: name)
        }
        let start = now()
        do {
            let result = try await work()
            report(.success, since: start, waited())
            return result
        } catch {
            report(isOverload(error) ? .overload : .ignored, since: start, nil)
            throw error
        }
    }

    public var current: Int { state.withLock { $0.allowed } }

    private func report(_ outcome: AdaptiveLimit.Outcome, since start: Int64, _ waited: Duration?) {
        let now = now()
        let (before, after) = state.withLock { state in
            let before = state.allowed
            state.report(outcome, took: now - start, waited: waited?.wholeNanoseconds, now)
            return (before, state.allowed)
        }
        if before != after { limit.record(after) }
    }
}
