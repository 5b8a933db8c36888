// SPDX-License-Identifier: Apache-2.0

package import Kernel
internal import Metrics
package import Persistence
internal import Synchronization

/// What apps have asked and what came of it, so that those who build them can see it; for thirty days.
///
/// Noted in memory, and written down every second: a crash forgets the last. Of each app a process keeps so many requests a
/// minute, and the shop so many in all; what failed has room of its own, so that whoever looks for it finds it however much goes
/// well.
package final class RequestLog: Sendable {
    /// One request of an app.
    package struct Entry: Sendable {
        /// The same as in the field `X-Request-Id` of the answer; in the order of time.
        let id: String
        let app: String
        let at: Timestamp
        let method: String
        /// The address' template.
        let route: String
        let status: Int
        /// The code of the problem that was answered.
        let problem: String?
        let microseconds: Int64
        let trace: String?
    }

    private struct State {
        var waiting: [Entry] = []
        var minute: Int64 = 0
        var kept: [Share: Int] = [:]
    }

    private struct Share: Hashable {
        let app: String
        let hasFailed: Bool
    }

    /// Of an app in a minute, and again so many that failed.
    static let keptMax = 600
    /// Of an app, in all: the latest.
    static let totalMax = 100_000
    /// That wait to be written down, in all.
    private static let waitingMax = 20_000
    private static let step = 500
    private static let lifetime = Duration.seconds(30 * 86_400)

    private let database: Database
    private let clock: WallClock
    private let state = Mutex(State())
    private let left = Counter(label: "vitrine.app_requests.unkept")

    package init(database: Database, clock: WallClock) {
        self.database = database
        self.clock = clock
    }

    /// Notes what an app has asked; what others ask, for whom `app` is `nil`, is not kept.
    func note(
        _ id: String, of app: String?, _ method: String, _ route: String?, status: Int, problem: String? = nil,
        after duration: Duration, trace: @autoclosure () -> String? = nil
    ) {
        guard let app else { return }
        let share = Share(app: app, hasFailed: status >= 400)
        let now = clock.now()
        guard take(share, at: now) else { return left.increment() }
        let entry = Entry(
            id: id, app: app, at: now, method: method, route: route ?? "", status: status, problem: problem,
            microseconds: duration.wholeNanoseconds / 1_000, trace: trace())
        state.withLock { $0.waiting.append(entry) }
    }

    private func take(_ share: Share, at now: Timestamp) -> Bool {
        state.withLock { state in
            let minute = now.milliseconds / 60_000
            if minute != state.minute {
                state.minute = minute
                state.kept.removeAll(keepingCapacity: true)
            }
            let kept = state.kept[share, default: 0]
            guard kept < Self.keptMax, state.waiting.count < Self.waitingMax else { return false }
            state.kept[share] = kept + 1
            return true
        }
    }

    /// Writes down what was noted.
    package func flush() async throws {
        let entries = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        var rest = entries[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.step)
            do {
                try await database.write { transaction in
                    for entry in part { try RequestLogStore.insert(entry, in: transaction) }
                }
            } catch {
                let unwritten = rest
                state.withLock { $0.waiting = unwritten + $0.waiting }
                throw error
            }
            rest = rest.dropFirst(Self.step)
        }
    }

    /// Forgets what is older than thirty days, and of each app what is beyond the latest `totalMax`, in steps short enough that
    /// nobody waits behind them.
    package func purge(keeping totalMax: Int = RequestLog.totalMax) async throws {
        let end = clock.now().advanced(by: .zero - Self.lifetime)
        try await inSteps { try RequestLogStore.purge(before: end, limit: Self.step, in: $0) }
        for app in try await database.read({ try RequestLogStore.apps(withMoreThan: totalMax, in: $0) }) {
            try await inSteps { try RequestLogStore.purge(app, keeping: totalMax, limit: Self.step, in: $0) }
        }
    }

    private func inSteps(_ purge: @escaping @Sendable (Transaction) throws -> Int) async throws {
        while try await database.write({ try purge($0) }) >= Self.step { try Task.checkCancellation() }
    }

    package static let migration = RequestLogStore.migration
}
