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
            """)
    ]
}
