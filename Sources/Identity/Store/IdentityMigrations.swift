// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum IdentityMigrations {
    static let all = [
        Migration(
            "identity-0001-keys", .expand,
            """
            CREATE TABLE api_keys (
                id TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                hint TEXT NOT NULL,
                hash BLOB NOT NULL UNIQUE,
                scopes TEXT NOT NULL,
                created_at INTEGER NOT NULL,
                expires_at INTEGER,
                revoked_at INTEGER,
                last_used_at INTEGER,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE audit_log (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                event TEXT NOT NULL UNIQUE,
                action TEXT NOT NULL,
                subject TEXT NOT NULL,
                actor TEXT NOT NULL,
                data TEXT NOT NULL,
                occurred_at INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX audit_log_by_subject ON audit_log (subject, sequence);
            CREATE INDEX audit_log_by_actor ON audit_log (actor, sequence);
            CREATE TRIGGER audit_log_keeps BEFORE UPDATE ON audit_log
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
            CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
            """),
        // Keys that there are had no limit, and keep none.
        Migration(
            "identity-0002-tiers", .expand,
            """
            ALTER TABLE api_keys ADD COLUMN tier TEXT NOT NULL DEFAULT 'standard';
            ALTER TABLE api_keys ADD COLUMN units_per_minute INTEGER;
            UPDATE api_keys SET tier = 'trusted';
            CREATE TABLE rate_limits (
                name TEXT PRIMARY KEY,
                units INTEGER NOT NULL CHECK (units > 0),
                enabled INTEGER NOT NULL
            ) STRICT;
            """),
        oauth,
        auditChain,
        secondFactor,
        customerAccounts,
        versions,
        people,
        organizations,
        registrations, pushing, algorithms,
    ]
}
