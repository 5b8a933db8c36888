// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The guards of one dependency, put around each call from the outside in: retry, throttle, concurrency, breaker, deadline. Those
/// that are not set are not there.
public struct Guards: Sendable {
    public var retry: RetryPolicy?
    public var throttle: ClientThrottle?
    public var bulkhead: Bulkhead?
    public var limiter: ConcurrencyLimiter?
    public var breaker: Breaker?
    /// How long an attempt may take. It is told to whatever the attempt asks, by the task's deadline, and is not enforced
    /// here: what waits for sockets and statements ends them itself.
    public var timeMax: Duration?

    public init(
        retry: RetryPolicy? = nil, throttle: ClientThrottle? = nil, bulkhead: Bulkhead? = nil,
        limiter: ConcurrencyLimiter? = nil, breaker: Breaker? = nil, timeMax: Duration? = nil
    ) {
        self.retry = retry
        self.throttle = throttle
        self.bulkhead = bulkhead
        self.limiter = limiter
        self.breaker = breaker
        self.timeMax = timeMax
    }

    /// Runs `work` behind the guards. `advice` says whether an error is worth another attempt; what a guard refuses never is.
    /// - Returns: what `work` does.
    /// - Throws: what the first guard that refused says, or what the last attempt threw.
    public func run<Result>(
        _ priority: Priority = .standard, advice: (any Error) -> RetryPolicy.Advice = { _ in .giveUp },
        _ work: () async throws -> Result
    ) async throws -> Result {
        guard let retry else { return try await throttled(priority, work) }
        return try await retry.run(advice: { Self.isRefusal($0) ? .giveUp : advice($0) }) { _ in
            try await throttled(priority, work)
        }
    }

    static func isRefusal(_ error: any Error) -> Bool {
        error is BreakerOpen || error is BulkheadFull || error is Overloaded || error is Throttled
    }

    private func throttled<Result>(_ priority: Priority, _ work: () async throws -> Result) async throws -> Result {
        guard let throttle else { return try await bounded(priority, work) }
        return try await throttle.run { try await bounded(priority, work) }
    }

    private func bounded<Result>(_ priority: Priority, _ work: () async throws -> Result) async throws -> Result {
        guard let bulkhead else { return try await limited(priority, work) }
        return try await bulkhead.run { try await limited(priority, work) }
    }

    private func limited<Result>(_ priority: Priority, _ work: () async throws -> Result) async throws -> Result {
        guard let limiter else { return try await broken(work) }
        return try await limiter.run(priority) { try await broken(work) }
    }

    private func broken<Result>(_ work: () async throws -> Result) async throws -> Result {
        guard let breaker else { return try await timed(work) }
        return try await breaker.run { try await timed(work) }
    }

    private func timed<Result>(_ work: () async throws -> Result) async throws -> Result {
        guard let timeMax else { return try await work() }
        return try await Deadline.narrowed(to: timeMax, work)
    }
}
