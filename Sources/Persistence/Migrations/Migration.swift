// SPDX-License-Identifier: Apache-2.0

internal import Crypto
package import Kernel

/// One step of the schema. Once released it is never edited; a mistake is mended by the next one.
package struct Migration: Sendable {
    /// Whether old processes keep working beside the new schema.
    package enum Step: String, Sendable {
        /// Adds what old processes do not mind.
        case expand
        /// Removes what no running process uses any more.
        case contract
    }

    /// `<slice>-<number>-<what>`, unique for ever.
    package let name: String
    package let step: Step
    private let shared: String
    private let own: [Dialect: String]

    /// `shared` is for both engines, in SQLite's words (``Dialect/render(script:)``); `sqlite` and `postgres` follow it
    /// where only one of them can say it.
    package init(_ name: String, _ step: Step, _ shared: String, sqlite: String = "", postgres: String = "") {
        self.name = name
        self.step = step
        self.shared = shared
        own = [.sqlite: sqlite, .postgres: postgres]
    }

    func script(for dialect: Dialect) -> String {
        [dialect.render(script: shared), own[dialect] ?? ""].filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// SHA-256 of the script in hexadecimal.
    func checksum(for dialect: Dialect) -> String {
        SHA256.hash(data: Array(script(for: dialect).utf8)).hexadecimal
    }
}

/// Brings a database to the program's schema.
package struct Migrator: Sendable {
    private let database: Database
    private let migrations: [Migration]

    package init(database: Database, migrations: [Migration]) {
        precondition(Set(migrations.map(\.name)).count == migrations.count, "Two migrations share a name.")
        self.database = database
        self.migrations = migrations
    }

    /// The migrations that have not been applied, in order.
    ///
    /// - Throws: `Failure` with `misconfigured` when an applied migration was edited since, or is unknown to this program.
    package func pending() async throws -> [Migration] {
        let migrations = migrations
        return try await database.read { try Self.pending(migrations, in: $0) }
    }

    /// Applies what is pending in one transaction.
    ///
    /// - Returns: the migrations applied now.
    @discardableResult
    package func migrate(clock: WallClock) async throws -> [Migration] {
        let migrations = migrations
        return try await database.write { transaction in
            // Processes that start together take turns.
            try transaction.serialize(on: "migrations")
            try transaction.run(script: transaction.dialect.render(script: Self.ownTable))
            if transaction.dialect == .postgres { try transaction.run(script: Self.refusal) }
            let pending = try Self.pending(migrations, in: transaction)
            for migration in pending {
                try transaction.run(script: migration.script(for: transaction.dialect))
                try transaction.execute(
                    """
                    INSERT INTO schema_migrations (name, step, checksum, applied_at)
                    VALUES (\(migration.name), \(migration.step.rawValue), \(migration.checksum(for: transaction.dialect)),
                        \(clock.now()))
                    """)
            }
            return pending
        }
    }

    private static let ownTable = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name TEXT PRIMARY KEY, step TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT;
        """

    /// What triggers of append-only tables call.
    private static let refusal = """
        CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'check_violation'; END $$;
        """

    private static func pending(_ migrations: [Migration], in connection: Connection) throws -> [Migration] {
        let known: SQL =
            switch connection.dialect {
            case .sqlite: "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'"
            case .postgres:
                "SELECT 1 FROM pg_tables WHERE tablename = 'schema_migrations' AND schemaname = current_schema()"
            }
        guard try connection.exists(known) else { return migrations }
        var applied = try Dictionary(
            uniqueKeysWithValues: connection.all("SELECT name, checksum FROM schema_migrations") {
                (try $0.next(String.self), try $0.next(String.self))
            })
        var pending: [Migration] = []
        for migration in migrations {
            guard let checksum = applied.removeValue(forKey: migration.name) else {
                pending.append(migration)
                continue
            }
            guard checksum == migration.checksum(for: connection.dialect) else {
                throw Failure(
                    .misconfigured,
                    "Migration \(migration.name) was edited after it had been applied. Restore it and add a new one.")
            }
        }
        guard applied.isEmpty else {
            let names = applied.keys.sorted().joined(separator: ", ")
            throw Failure(
                .misconfigured,
                "The database was made by a newer program: it has \(names). Start that program, or restore a backup.")
        }
        return pending
    }
}
