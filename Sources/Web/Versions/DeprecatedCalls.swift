// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Persistence
internal import Synchronization

/// Who still calls what is on its way out, so that each can be told of their own (Zalando 188).
///
/// Counted in memory, and written down every few seconds: a crash forgets the last of them, which come again.
package final class DeprecatedCalls: Sendable {
    private struct Key: Hashable {
        let client: String
        let operation: String
    }

    struct Use: Sendable {
        var count = 0
        var firstAt: Timestamp
        var lastAt: Timestamp
    }

    private let database: Database
    private let waiting = Mutex<[Key: Use]>([:])

    package init(database: Database) { self.database = database }

    func note(_ operation: String, by client: String, at now: Timestamp) {
        waiting.withLock { waiting in
            var use = waiting[Key(client: client, operation: operation)] ?? Use(firstAt: now, lastAt: now)
            use.count += 1
            use.lastAt = now
            waiting[Key(client: client, operation: operation)] = use
        }
    }

    /// Writes down what was counted.
    package func flush() async throws {
        let uses = waiting.withLock { waiting in
            defer { waiting = [:] }
            return waiting
        }
        guard !uses.isEmpty else { return }
        do {
            try await write(uses)
        } catch {
            waiting.withLock { waiting in
                waiting.merge(uses) { Use(count: $0.count + $1.count, firstAt: $1.firstAt, lastAt: $0.lastAt) }
            }
            throw error
        }
    }

    private func write(_ uses: [Key: Use]) async throws {
        try await database.write { transaction in
            for (key, use) in uses {
                try transaction.execute(
                    """
                    INSERT INTO deprecated_calls (client, operation, calls, first_at, last_at)
                    VALUES (\(key.client), \(key.operation), \(use.count), \(use.firstAt), \(use.lastAt))
                    ON CONFLICT (client, operation) DO UPDATE
                    SET calls = deprecated_calls.calls + excluded.calls, last_at = excluded.last_at
                    """)
            }
        }
    }

    func uses(by client: String) async throws -> [String: Use] {
        try await flush()
        return try await database.read { connection in
            let rows = try connection.all(
                "SELECT operation, calls, first_at, last_at FROM deprecated_calls WHERE client = \(client)"
            ) { row in
                try (row.next(String.self), Use(count: row.next(), firstAt: row.next(), lastAt: row.next()))
            }
            return Dictionary(uniqueKeysWithValues: rows)
        }
    }

    package static let migration = Migration(
        "web-0002-deprecated-calls", .expand,
        """
        CREATE TABLE deprecated_calls (
            client TEXT NOT NULL,
            operation TEXT NOT NULL,
            calls INTEGER NOT NULL,
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            PRIMARY KEY (client, operation)
        ) STRICT;
        """)
}
