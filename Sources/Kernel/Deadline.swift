// SPDX-License-Identifier: Apache-2.0

/// The moment after which nobody waits for the work at hand any more.
///
/// It travels with the task: whoever waits or computes for long asks ``current``, and gives up once that has passed.
package struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    /// The deadline of the present task; `nil` where nobody waits, as in chores.
    @TaskLocal package static var current: Deadline?

    package static func after(_ limit: Duration) -> Deadline { Deadline(instant: ContinuousClock.now + limit) }

    /// Runs `work`, which has `limit` from now, or what its caller has where that is less: a caller's deadline is never put off.
    package static func narrowed<Result>(
        to limit: Duration, _ work: () async throws -> Result
    ) async throws -> Result {
        let mine = Deadline.after(limit)
        if let outer = current, outer.instant < mine.instant { return try await work() }
        return try await $current.withValue(mine) { try await work() }
    }

    /// What is left; negative once it has passed.
    package var remaining: Duration { instant - ContinuousClock.now }
}
