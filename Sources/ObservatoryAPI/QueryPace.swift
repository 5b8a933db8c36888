// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// How fast long queries may go on while the process has something else to do.
///
/// That they run only when nobody else wants a processor is not enough: what they leave behind in caches, and that a processor
/// has to change over, was seen in every request beside them. So all of them together have a share of the processors, saved up
/// for a while, so that the single long query of somebody who looks for a fault goes on at once, and twenty that are asked
/// again and again wait. Where nothing else is done they have all they want.
final class QueryPace: Sendable {
    private struct State {
        /// What may be used at once; below zero what is to be waited for.
        var credit: Duration
        var creditedAt: ContinuousClock.Instant
        var isBusy = true
        /// What the process and its long queries had used when it was last looked at who is busy.
        var looked: (at: ContinuousClock.Instant, process: Duration)
        var queries = Duration.zero
    }

    /// Of one processor that others use from which on they are somebody: what a shop takes that nobody asks is below one in a hundred.
    private static let othersMin = 0.02
    private static let lookEvery = Duration.milliseconds(100)
    /// A look back over more than this says nothing of now.
    private static let lookMax = Duration.seconds(1)
    /// What was used beyond the share in one piece is made up for so far, so that nobody waits for long.
    private static let debtMax = Duration.seconds(-1)

    /// Of one processor.
    private let share: Double
    private let creditMax: Duration
    private let processTime: @Sendable () -> Duration
    private let state: Mutex<State>
    private let began: ContinuousClock.Instant
    /// Until when those that run have used more than their share, in nanoseconds since it began. Read without a lock, because
    /// whoever holds that may be put aside at any moment, and short queries ask.
    private let overdrawnUntil = Atomic<Int64>(0)

    /// Long queries together have `share` of one processor while others in this process are busy, and may save up `creditMax`.
    init(
        share: Double, creditMax: Duration = .milliseconds(300), now: ContinuousClock.Instant = .now,
        processTime: @escaping @Sendable () -> Duration = { ThreadTime.usedByAll }
    ) {
        (self.share, self.creditMax, self.processTime) = (share, creditMax, processTime)
        began = now
        state = Mutex(State(credit: creditMax, creditedAt: now, looked: (now, processTime())))
    }

    /// Whether long queries have used more than their share, as far as is known.
    func isOverdrawn(at now: ContinuousClock.Instant) -> Bool {
        (now - began).wholeNanoseconds < overdrawnUntil.load(ordering: .relaxed)
    }

    /// Counts what a long query has `used` of a processor since it last asked.
    /// - Returns: how long it is to rest, as things are.
    func rest(after used: Duration, _ now: ContinuousClock.Instant) -> Duration {
        // Outside the lock, because it is asked of the system.
        let process = processTime()
        let rest = state.withLock { state -> Duration in
            let passed = max(.zero, now - state.creditedAt)
            state.credit = max(Self.debtMax, min(creditMax, state.credit + passed * share) - used)
            state.creditedAt = max(state.creditedAt, now)
            state.queries += used
            look(&state, now, process)
            if !state.isBusy { state.credit = max(state.credit, .zero) }
            return max(.zero, (.zero - state.credit) / share)
        }
        overdrawnUntil.store((now - began + rest).wholeNanoseconds, ordering: .relaxed)
        return rest
    }

    /// Finds out whether others use a processor, every now and then.
    private func look(_ state: inout State, _ now: ContinuousClock.Instant, _ process: Duration) {
        let passed = now - state.looked.at
        guard passed >= Self.lookEvery else { return }
        state.isBusy =
            passed > Self.lookMax || process - state.looked.process - state.queries > passed * Self.othersMin
        (state.looked, state.queries) = ((now, process), .zero)
    }
}
