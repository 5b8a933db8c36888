// SPDX-License-Identifier: Apache-2.0

internal import Glibc
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
    /// At a time, so that a query that nobody waits for any more is soon given up.
    private static let restMax = Duration.milliseconds(250)

    /// Of one processor.
    private let share: Double
    private let creditMax: Duration
    private let processTime: @Sendable () -> Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - share: of one processor, for all long queries together, while others in this process are busy.
    ///   - creditMax: what may be saved up.
    init(
        share: Double, creditMax: Duration = .milliseconds(300), now: ContinuousClock.Instant = .now,
        processTime: @escaping @Sendable () -> Duration = { ThreadTime.usedByAll }
    ) {
        (self.share, self.creditMax, self.processTime) = (share, creditMax, processTime)
        state = Mutex(State(credit: creditMax, creditedAt: now, looked: (now, processTime())))
    }

    /// Whether long queries have used more than their share, as far as is known.
    var isOverdrawn: Bool { state.withLock { $0.isBusy && $0.credit < .zero } }

    /// Counts what a long query has `used` of a processor since it last asked.
    /// - Returns: how long it is to rest.
    func rest(after used: Duration, _ now: ContinuousClock.Instant) -> Duration {
        state.withLock { state in
            state.credit = min(creditMax, state.credit + (now - state.creditedAt) * share) - used
            state.creditedAt = now
            state.queries += used
            look(&state, now)
            guard state.isBusy else {
                state.credit = max(state.credit, .zero)
                return .zero
            }
            return min(Self.restMax, max(.zero, (.zero - state.credit) / share))
        }
    }

    /// Finds out whether others use a processor, every now and then.
    private func look(_ state: inout State, _ now: ContinuousClock.Instant) {
        let passed = now - state.looked.at
        guard passed >= Self.lookEvery else { return }
        let process = processTime()
        state.isBusy = process - state.looked.process - state.queries > passed * Self.othersMin
        (state.looked, state.queries) = ((now, process), .zero)
    }
}
