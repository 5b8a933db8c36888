// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// What is kept of a client that has registered itself, beside the app that it is.
struct Registration: Sendable {
    let app: AppID
    /// Of the token by which it may look at what it is, change it and end it (RFC 7592).
    let hash: [UInt8]
    let method: String
}

enum RegistrationStore {
    static func find(_ app: AppID, in connection: Connection) throws -> Registration? {
        try connection.first("SELECT app, hash, method FROM client_registrations WHERE app = \(app)") { row in
            try Registration(app: row.next(), hash: row.next(), method: row.next())
        }
    }

    static func save(_ registration: Registration, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO client_registrations (app, hash, method)
            VALUES (\(registration.app), \(registration.hash), \(registration.method))
            ON CONFLICT (app) DO UPDATE SET hash = excluded.hash, method = excluded.method
            """)
    }

    static func remove(_ app: AppID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM client_registrations WHERE app = \(app)")
    }
}

extension IdentityMigrations {
    static let algorithms = Migration(
        "identity-0012-algorithms", .expand,
        """
        ALTER TABLE apps ADD COLUMN identity_algorithm TEXT NOT NULL DEFAULT 'ES256';
        ALTER TABLE users ADD COLUMN address_proved INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE rsa_signing_keys (
            id TEXT PRIMARY KEY,
            private_key BLOB NOT NULL,
            active_at INTEGER NOT NULL,
            ends_at INTEGER
        ) STRICT;
        """)

    static let pushing = Migration(
        "identity-0011-pushing", .expand, "ALTER TABLE apps ADD COLUMN requires_push INTEGER NOT NULL DEFAULT 0;")

    static let registrations = Migration(
        "identity-0010-registrations", .expand,
        """
        CREATE TABLE client_registrations (
            app TEXT PRIMARY KEY REFERENCES apps (id),
            hash BLOB NOT NULL,
            method TEXT NOT NULL
        ) STRICT;
        ALTER TABLE apps ADD COLUMN grant_types TEXT;
        ALTER TABLE apps ADD COLUMN origins TEXT NOT NULL DEFAULT '[]';
        CREATE TABLE seen_assertions (
            hash BLOB PRIMARY KEY,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX seen_assertions_by_end ON seen_assertions (expires_at);
        """)
}
