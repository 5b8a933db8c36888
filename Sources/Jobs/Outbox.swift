// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Persistence

/// Something that happened in the shop, as consumers learn of it.
package struct Event: Sendable {
    /// Its place in the order of all events; grows, with no promise of being gapless.
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
}

/// The append-only table of events, each written in the transaction of its change.
package struct Outbox: Sendable {
    let clock: WallClock

    /// Writes an event; it exists exactly if `transaction` commits.
    package func publish(
        _ type: String, subject: String, actor: String, _ data: JSON, in transaction: Transaction
    ) throws {
        let now = clock.now()
        try transaction.execute(
            """
            INSERT INTO events (id, type, subject, actor, data, occurred_at)
            VALUES (\(EventID.make(at: now)), \(type), \(subject), \(actor), \(data), \(now))
            """)
    }

    /// The events after `sequence`, oldest first.
    package func events(after sequence: Int64, limit: Int, in connection: Connection) throws -> [Event] {
        try connection.all(
            """
            SELECT sequence, id, type, subject, actor, data, occurred_at FROM events
            WHERE sequence > \(sequence) ORDER BY sequence LIMIT \(limit)
            """
        ) { row in
            try Event(
                sequence: row.next(), id: row.next(), type: row.next(), subject: row.next(), actor: row.next(),
                data: row.next(), occurredAt: row.next())
        }
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

    static let migration = Migration(
        "jobs-0001-events", .expand,
        """
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
        """)
}
