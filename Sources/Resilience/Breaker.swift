// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Logging
internal import Synchronization
internal import Tracing

/// A dependency was not asked, because it failed too often a moment ago.
public struct BreakerOpen: Error, Equatable, CustomStringConvertible {
    public let name: String
    /// When it may be asked again.
    public let retryAfter: Duration

    public var description: String { "\(name) failed too often and is not asked for \(retryAfter)" }
}

/// Stops asking a dependency that fails, and tries now and then whether it is back.
///
/// Every decision is counted; a change of state is a log line and a span of the call that made it. Cost: some 300 ns a call.
public final class Breaker: Sendable {
    /// What the end of a call says of the dependency.
    public enum Judgement: Sendable {
        /// It is at fault.
        case failure
        /// It answered, whatever it said.
        case success
        /// Neither: the caller left, or was refused for a reason of his own.
        case ignored
    }

    public enum State: Int, Sendable {
        case closed = 0
        case halfOpen = 1
        case open = 2
    }

    public let name: String
    private let state: Mutex<BreakerState>
    private let judge: @Sendable (any Error) -> Judgement
    private let now: MonotonicTime.Source
    private let logger: Logger
    private let gauge: Gauge
    private let calls: (allowed: Counter, rejected: Counter)

    /// `name` stands in metrics and log lines; `judge` says what an error means, by default that every one but a cancellation is
    /// a failure.
    public init(
        _ name: String, _ settings: BreakerSettings = .init(),
        now: @escaping MonotonicTime.Source = MonotonicTime.system,
        judge: @escaping @Sendable (any Error) -> Judgement = { $0 is CancellationError ? .ignored : .failure }
    ) {
        self.name = name
        self.judge = judge
        self.now = now
        state = Mutex(BreakerState(settings))
        logger = Logger(label: "resilience.breaker")
        gauge = Gauge(label: "resilience.breaker.state", dimensions: [("name", name)])
        gauge.record(0)
        calls = (
            Counter(label: "resilience.breaker.calls", dimensions: [("name", name), ("outcome", "allowed")]),
            Counter(label: "resilience.breaker.calls", dimensions: [("name", name), ("outcome", "rejected")])
        )
    }

    /// Runs `work` where the dependency may be asked.
    /// - Throws: ``BreakerOpen``, or what `work` throws.
    public func run<Result>(_ work: () async throws -> Result) async throws -> Result {
        let start = now()
        let permit = try admit(start)
        do {
            let result = try await work()
            report(permit, .success, since: start)
            return result
        } catch {
            report(permit, judge(error), since: start)
            throw error
        }
    }

    public var current: State { state.withLock { Self.state(of: $0.phase) } }

    /// When it may be asked again; `nil` where it may now.
    public var retryAfter: Duration? {
        let now = now()
        let wait: Int64 = state.withLock { if case .open = $0.phase { $0.wait(now) } else { 0 } }
        return wait > 0 ? .nanoseconds(wait) : nil
    }

    private func admit(_ now: Int64) throws(BreakerOpen) -> BreakerState.Permit {
        let (permit, wait, before, after) = state.withLock { state in
            let before = Self.state(of: state.phase)
            let permit = state.admit(now, jitter: .random(in: 0..<1))
            return (permit, state.wait(now), before, Self.state(of: state.phase))
        }
        tell(before, after)
        guard let permit else {
            calls.rejected.increment()
            throw BreakerOpen(name: name, retryAfter: .nanoseconds(wait))
        }
        calls.allowed.increment()
        return permit
    }

    private func report(_ permit: BreakerState.Permit, _ result: Judgement, since start: Int64) {
        let now = now()
        let (before, after) = state.withLock { state in
            let before = Self.state(of: state.phase)
            state.report(permit, result, took: now - start, now, jitter: .random(in: 0..<1))
            return (before, Self.state(of: state.phase))
        }
        tell(before, after)
    }

    private static func state(of phase: BreakerState.Phase) -> State {
        switch phase {
        case .closed: .closed
        case .open: .open
        case .halfOpen: .halfOpen
        }
    }

    private func tell(_ before: State, _ after: State) {
        guard before != after else { return }
        gauge.record(after.rawValue)
        logger.log(
            level: after == .open ? .warning : .notice, "A breaker changed its state",
            metadata: ["name": "\(name)", "from": "\(before)", "to": "\(after)"])
        let span = startSpan("breaker \(after)")
        span.attributes = ["resilience.breaker.name": .string(name), "resilience.breaker.from": .string("\(before)")]
        span.end()
    }
}
