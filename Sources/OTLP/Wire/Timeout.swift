// SPDX-License-Identifier: Apache-2.0

/// There was no answer in time.
struct NoAnswer: Error, CustomStringConvertible {
    let time: Duration

    var description: String { "no answer within \(time)" }
}

/// Runs `work`, and cancels it when the time is over.
///
/// - Throws: ``NoAnswer``, or what `work` throws.
func withTimeout<Result: Sendable>(
    _ time: Duration, _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: time)
            throw NoAnswer(time: time)
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
