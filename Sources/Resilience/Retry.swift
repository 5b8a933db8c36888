// SPDX-License-Identifier: Apache-2.0

/// How often and how patiently something is tried again.
public struct RetryPolicy: Sendable {
    /// Attempts in all, the first included. Default 3.
    public var attemptsMax: Int
    /// The pause before the second attempt; it doubles with each further one. Default 100 ms.
    public var firstPause: Duration

    public init(attemptsMax: Int = 3, firstPause: Duration = .milliseconds(100)) {
        precondition(attemptsMax >= 1, "There is at least one attempt.")
        self.attemptsMax = attemptsMax
        self.firstPause = firstPause
    }

    /// Runs `attempt` until it succeeds, until `isWorthRetrying` says no, or until the attempts are used up.
    ///
    /// Pauses are drawn between zero and their full length, so that callers who failed together do not return together
    /// (M. Brooker, "Exponential Backoff and Jitter", 2015).
    /// - Throws: what the last attempt threw.
    public func run<Result>(
        clock: some Clock<Duration> = ContinuousClock(), isWorthRetrying: (any Error) -> Bool,
        _ attempt: (_ number: Int) async throws -> Result
    ) async throws -> Result {
        var number = 1
        while true {
            do {
                return try await attempt(number)
            } catch  where number < attemptsMax && isWorthRetrying(error) {
                let full = firstPause * (1 << (number - 1))
                try await clock.sleep(for: full * Double.random(in: 0...1))
                number += 1
            }
        }
    }
}
