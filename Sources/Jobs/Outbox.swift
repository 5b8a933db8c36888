// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Persistence

/// Something that happened in the shop, as consumers learn of it.
package struct Event: Sendable {
    /// Its place in the order in which events became visible; grows, with no promise of being gapless.
    package let sequence: Int64
    package let id: EventID
    /// `noun.verb`, for example `order.placed`.
    package let type: String
    /// The identifier of what it happened to.
    package let subject: String
    /// Who caused it: an API key's identifier, or the name of a chore.
    package let actor: String
    package let data: JSON
    package let occurredAt: Timestamp
    /// The trace in which it happened, as `traceparent` (W3C Trace Context); `nil` where nobody traced.
    package let trace: String?
    /// The address from which it was asked for; `nil` for chores.
    package let origin: String?
}

/// The append-only table of events, each written in the transaction of its change.
package struct Outbox: Sendable {
    let clock: WallClock

    /// Writes an event; it exists exactly if `transaction` commits.
    package func publish(
        _ type: String, subject: String, actor: String, _ data: JSON, in transaction: Transaction
    ) throws {
        let now = clock.now()
        try transaction.send(
            """
            INSERT INTO events (id, type, subject, actor, data, occurred_at, trace, origin)
            VALUES (\(EventID.make(at: now)), \(type), \(subject), \(actor), \(data), \(now), \(transaction.trace),
                \(transaction.origin))
            """)
    }

    /// Some of what was written, for one consumer.
    struct Portion: Sendable {
        /// Those that the consumer wants, oldest first.
        let events: [Event]
        /// All, with those that it does not want.
        let count: Int
        /// The place of the last of all.
        let last: Int64
        let oldest: Timestamp
    }

    /// The next `limit` events after `sequence`, of which those of other types are only counted; `nil` where there is none.
    func portion(
        after sequence: Int64, of types: Set<String>, limit: Int, in connection: Connection
    ) throws -> Portion? {
        let all = try connection.first(
            """
            SELECT COUNT(*), COALESCE(MAX(sequence), 0), COALESCE(MIN(occurred_at), 0) FROM
                (SELECT sequence, occurred_at FROM events WHERE sequence > \(sequence) ORDER BY sequence LIMIT \(limit)) AS next
            """
        ) { row in (count: try row.next(Int.self), last: try row.next(Int64.self), oldest: try row.next(Timestamp.self))
        }
        guard let all, all.count > 0 else { return nil }
        let events = try connection.all(
            """
            SELECT sequence, id, type, subject, actor, data, occurred_at, trace, origin FROM events
            WHERE sequence > \(sequence) AND sequence <= \(all.last) AND type IN \(anyOf: types.sorted())
            ORDER BY sequence
            """
        ) { row in
            try Event(
                sequence: row.next(), id: row.next(), type: row.next(), subject: row.next(), actor: row.next(),
                data: row.next(), occurredAt: row.next(), trace: row.next(), origin: row.next())
        }
        return Portion(events: events, count: all.count, last: all.last, oldest: all.oldest)
    }

    /// Gives the events that were committed since their places in the order.
    ///
    /// On SQLite an event has its place when it is written, because writers take turns. On Postgres transactions commit in
    /// another order than they write, and a reader that went by a number drawn while writing would pass over events that
    /// become visible later; so places are given afterwards, by one process at a time.
    func number(in transaction: Transaction) throws {
        guard transaction.dialect == .postgres else { return }
        try transaction.serialize(on: "events.sequence")
        try transaction.execute(
            """
            UPDATE events SET sequence = numbered.place FROM (
                SELECT id, nextval('event_sequence') AS place FROM
                    (SELECT id FROM events WHERE sequence IS NULL ORDER BY written LIMIT 1000) AS fresh
            ) AS numbered WHERE events.id = numbered.id
            """)
    }

    /// Numbers everything that is committed, before the events are copied to another database.
    package func numberAll(of database: Database) async throws {
        guard database.dialect == .postgres else { return }
        while try await database.read({ try $0.exists("SELECT 1 FROM events WHERE sequence IS NULL") }) {
            try await database.write { try number(in: $0) }
        }
    }

    /// Numbers events from now on after those that were copied.
    package func continueNumbering(in transaction: Transaction) throws {
        guard transaction.dialect == .postgres else { return }
        try transaction.send(
            "SELECT setval('event_sequence', COALESCE(MAX(sequence), 0) + 1, false) FROM events")
    }

    /// Forgets events that are older than `age` and that every consumer has had.
    func purge(olderThan age: Duration, in transaction: Transaction) throws {
        let limit = clock.now().advanced(by: .zero - age)
        try transaction.execute(
            """
            DELETE FROM events WHERE occurred_at < \(limit)
            AND sequence <= (SELECT COALESCE(MIN(sequence), 0) FROM event_cursors)
            """)
    }

    static let migrations = [events, trace, origin, Mails.migration]

    private static let origin = Migration("jobs-0003-origin", .expand, "ALTER TABLE events ADD COLUMN origin TEXT;")

    private static let trace = Migration("jobs-0002-trace", .expand, "ALTER TABLE events ADD COLUMN trace TEXT;")

    private static let events = Migration(
        "jobs-0001-events", .expand, "",
        sqlite: """
            CREATE TABLE events (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                type TEXT NOT NULL,
                subject TEXT NOT NULL,
                actor TEXT NOT NULL,
                data TEXT NOT NULL,
                occurred_at INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE event_cursors (
                consumer TEXT PRIMARY KEY,
                sequence INTEGER NOT NULL
            ) STRICT;
            """,
        postgres: """
            CREATE TABLE events (
                id text COLLATE "C" PRIMARY KEY,
                written bigint GENERATED BY DEFAULT AS IDENTITY,
                sequence bigint UNIQUE,
                type text NOT NULL,
                subject text NOT NULL,
                actor text NOT NULL,
                data text NOT NULL,
                occurred_at bigint NOT NULL
            );
            CREATE INDEX events_without_sequence ON events (written) WHERE sequence IS NULL;
            CREATE SEQUENCE event_sequence;
            CREATE TABLE event_cursors (
                consumer text PRIMARY KEY,
                sequence bigint NOT NULL
            );
            """)
}
