// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Synchronization

/// What ended before its time, as this process knows it.
///
/// Whoever ends something here is obeyed from then on; other processes follow as soon as they hear of it, and within a second
/// at most. Only what is new is read, some minutes' worth.
final class Revocations: Sendable {
    private struct State {
        var ids: Set<String> = []
        /// From when on the next reading looks for news: well before the last one began, by this process's clock.
        var since = Timestamp.earliest
        var moment = -1
        var readAt = ContinuousClock.now
        var isReading = false
        var wholeAt = ContinuousClock.now
    }

    private let database: Database
    private let clock: WallClock
    private let table: TableVersions.Table
    private let state = Mutex(State())

    /// What was read longer ago than this is read again before it is believed. With the memory of ready answers
    /// (`Principal.memory`) it makes the second.
    private static let ageMax = Duration.milliseconds(500)
    /// From this age on somebody reads while the others go on.
    private static let ageToRefresh = Duration.milliseconds(250)
    /// What is written later may carry an earlier time: the clocks of processes differ, and transactions take their time. Whose
    /// clock is further off is obeyed at the next reading of everything.
    private static let overlap = Duration.seconds(300)
    /// When all is read anew, so that what is over goes.
    private static let wholePeriod = Duration.seconds(600)

    init(database: Database, clock: WallClock) {
        self.database = database
        self.clock = clock
        table = database.versions.table(TokenStore.revocations)
    }

    func contains(_ first: String, _ second: String) async throws -> Bool {
        if needsReading() {
            do {
                try await read()
            } catch {
                state.withLock { $0.isReading = false }
                throw error
            }
        }
        return state.withLock { $0.ids.contains(first) || $0.ids.contains(second) }
    }

    private func needsReading() -> Bool {
        state.withLock { state in
            guard table.isUnchanged(since: state.moment), state.moment >= 0 else { return true }
            let age = ContinuousClock.now - state.readAt
            if age >= Self.ageMax { return true }
            guard age >= Self.ageToRefresh, !state.isReading else { return false }
            state.isReading = true
            return true
        }
    }

    private func read() async throws {
        let (moment, now) = (database.versions.now, ContinuousClock.now)
        let time = clock.now()
        let (since, isWhole) = state.withLock { state in
            let isWhole = now - state.wholeAt >= Self.wholePeriod || time < state.since
            if isWhole { state.wholeAt = now }
            return (isWhole ? .earliest : state.since, isWhole)
        }
        let ids = try await database.read { try TokenStore.revoked(since: since, in: $0) }
        state.withLock { state in
            // A reading of everything that took longer than a later one must not undo what that has found.
            if isWhole, moment >= state.moment, now >= state.readAt { state.ids = [] }
            state.ids.formUnion(ids)
            state.since = time.advanced(by: .zero - Self.overlap)
            (state.moment, state.readAt) = (max(state.moment, moment), max(state.readAt, now))
            state.isReading = false
        }
    }
}
