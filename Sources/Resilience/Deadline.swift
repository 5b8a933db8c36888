// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The time allowed for a piece of work passed before it ended.
public struct DeadlineExceeded: Error, Equatable, CustomStringConvertible {
    public let limit: Duration

    public var description: String { "not done within \(limit)" }
}

/// Runs `work` for at most `limit`, and cancels it after that. Whatever `work` asks knows how long it has: statements end by
/// then, in real time whatever `clock` is, and nothing is tried again that would end later.
///
/// `work` must end soon after it is cancelled: structured concurrency waits for it.
/// - Throws: ``DeadlineExceeded``, or what `work` throws. Cost: two tasks and a timer.
public func withDeadline<Result: Sendable>(
    _ limit: Duration, clock: some Clock<Duration> = PromptClock(),
    _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await Deadline.narrowed(to: limit, work) }
        group.addTask {
            try await clock.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw DeadlineExceeded(limit: limit) }
        return result
    }
}
