// SPDX-License-Identifier: Apache-2.0

/// Asks a second time when the first answer is late, and takes whichever comes first (J. Dean, L. Barroso, "The Tail at Scale",
/// 2013). For what may be done twice.
public struct Hedge: Sendable {
    /// How long the first attempt has before the second is made; what 95 of 100 calls take, for example.
    public var delay: Duration
    /// How many second attempts there may be; without, a dependency that is slow would be asked twice as much.
    public var budget: RetryBudget

    public init(after delay: Duration, budget: RetryBudget) {
        self.delay = delay
        self.budget = budget
    }

    private enum Ending<Result: Sendable>: Sendable {
        case result(Result)
        case failed(any Error)
        case late
    }

    /// - Throws: what the last attempt threw, where none succeeded. Cost: two tasks, three with a second attempt.
    public func run<Result: Sendable>(
        clock: some Clock<Duration> = PromptClock(), _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        budget.deposit()
        return try await withThrowingTaskGroup(of: Ending<Result>.self) { group in
            let attempt: @Sendable () async -> Ending<Result> = {
                do { return .result(try await work()) } catch { return .failed(error) }
            }
            group.addTask { await attempt() }
            group.addTask {
                try? await clock.sleep(for: delay)
                return .late
            }
            defer { group.cancelAll() }
            var (running, hasHedged) = (1, false)
            while let ending = try await group.next() {
                switch ending {
                case .result(let result): return result
                case .failed(let error):
                    running -= 1
                    // A failure is for retries; only lateness is hedged.
                    if running == 0 { throw error }
                case .late:
                    guard !hasHedged, !Task.isCancelled, budget.withdraw() else { continue }
                    (running, hasHedged) = (running + 1, true)
                    group.addTask { await attempt() }
                }
            }
            throw CancellationError()
        }
    }
}
