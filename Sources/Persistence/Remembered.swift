// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What was read from tables, for as long as they have not changed, and for `ageMax` at most, because changes by other
/// processes may be heard of late.
///
/// Whoever has changed a table here is never told what was before. A look-up that finds something costs one lock and no query.
package final class Remembered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Known {
        let value: Value
        let moment: Int
        let readAt: ContinuousClock.Instant
    }

    private let database: Database
    private let tables: [TableVersions.Table]
    private let ageMax: Duration
    private let countMax: Int
    private let known = Mutex<[Key: Known]>([:])

    /// At most `countMax` things are remembered; beyond that all are forgotten.
    package init(from tables: [String], of database: Database, ageMax: Duration = .seconds(1), countMax: Int = 10_000) {
        self.database = database
        self.tables = tables.map(database.versions.table)
        self.ageMax = ageMax
        self.countMax = countMax
    }

    /// - Throws: what `read` and the database throw.
    package func value(
        of key: Key, reading read: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        if let value = current(key) { return value }
        let (moment, now) = (database.versions.now, ContinuousClock.now)
        let value = try await database.read(read)
        known.withLock { known in
            if known.count >= countMax { known.removeAll() }
            known[key] = Known(value: value, moment: moment, readAt: now)
        }
        return value
    }

    /// What is remembered, where it is current.
    package func current(_ key: Key) -> Value? {
        guard let found = known.withLock({ $0[key] }), ContinuousClock.now - found.readAt < ageMax,
            tables.allSatisfy({ $0.isUnchanged(since: found.moment) })
        else { return nil }
        return found.value
    }
}
