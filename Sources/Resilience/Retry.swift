// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// How often and how patiently something is tried again.
public struct RetryPolicy: Sendable {
    /// How pauses are drawn, so that callers who failed together do not return together (M. Brooker, "Exponential Backoff and
    /// Jitter", 2015).
    public enum Jitter: Sendable {
        /// Between nothing and the full pause, which doubles; for requests that somebody waits for.
        case full
        /// Between the first pause and three times the last; for queues.
        case decorrelated
    }

    /// What to do about an error.
    public enum Advice: Sendable {
        case giveUp
        case retry
        /// The other side says when; that wins over the pause of the policy.
        case retryAfter(Duration)
    }

    /// Attempts in all, the first included. Default 3.
    public var attemptsMax: Int
    /// The pause before the second attempt. Default 100 ms.
    public var firstPause: Duration
    /// No pause is longer; where the other side asks for more, nothing is tried again. Default 10 s.
    public var pauseMax: Duration
    public var jitter: Jitter
    /// Shared by all callers of a dependency. Default: none.
    public var budget: RetryBudget?

    public init(
        attemptsMax: Int = 3, firstPause: Duration = .milliseconds(100), pauseMax: Duration = .seconds(10),
        jitter: Jitter = .full, budget: RetryBudget? = nil
    ) {
        precondition(attemptsMax >= 1, "There is at least one attempt.")
        self.attemptsMax = attemptsMax
        self.firstPause = firstPause
        self.pauseMax = pauseMax
        self.jitter = jitter
        self.budget = budget
    }

    /// Runs `attempt` until it succeeds, until `advice` says no, until the attempts or the budget are used up, or until the
    /// pause would outlast the deadline of the present task. Only what may be done twice belongs in here.
    /// - Throws: what the last attempt threw.
    public func run<Result>(
        clock: some Clock<Duration> = PromptClock(), advice: (any Error) -> Advice,
        _ attempt: (_ number: Int) async throws -> Result
    ) async throws -> Result {
        budget?.deposit()
        var (number, last) = (1, firstPause)
        while true {
            do {
                return try await attempt(number)
            } catch {
                guard number < attemptsMax, let pause = pause(after: number, last, advice(error)),
                    Deadline.current.map({ pause < $0.remaining }) ?? true, budget?.withdraw() ?? true
                else { throw error }
                try await clock.sleep(for: pause)
                (number, last) = (number + 1, pause)
            }
        }
    }

    /// - Returns: `nil` where nothing is to be tried again.
    func pause(after number: Int, _ last: Duration, _ advice: Advice, at random: Double = .random(in: 0...1))
        -> Duration?
    {
        switch advice {
        case .giveUp: return nil
        case .retryAfter(let asked):
            guard asked <= pauseMax else { return nil }
            // Never earlier than asked, and a little spread.
            return asked + firstPause * random
        case .retry:
            switch jitter {
            case .full: return min(pauseMax, firstPause * (1 << min(number - 1, 20))) * random
            case .decorrelated: return min(pauseMax, firstPause + (last * 3 - firstPause) * random)
            }
        }
    }
}
