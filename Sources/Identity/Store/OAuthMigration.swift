// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Users, apps, and what users let apps do.
    static let oauth = Migration(
        "identity-0003-oauth", .expand,
        """
        CREATE TABLE users (
            id TEXT PRIMARY KEY,
            email TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            password TEXT NOT NULL,
            role TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            disabled_at INTEGER,
            version INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE roles (
            name TEXT PRIMARY KEY,
            scopes TEXT NOT NULL
        ) STRICT;
        CREATE TABLE browser_sessions (
            hash BLOB PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL REFERENCES users (id),
            agent TEXT NOT NULL,
            address TEXT NOT NULL,
            authenticated_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id);
        CREATE INDEX browser_sessions_by_end ON browser_sessions (expires_at);
        CREATE TABLE sign_in_failures (
            subject BLOB PRIMARY KEY,
            failures INTEGER NOT NULL,
            last_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX sign_in_failures_by_time ON sign_in_failures (last_at);
        CREATE TABLE apps (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            confidentiality TEXT NOT NULL,
            redirect_uris TEXT NOT NULL,
            scopes TEXT NOT NULL,
            own_scopes TEXT NOT NULL,
            tier TEXT NOT NULL,
            keys TEXT NOT NULL,
            requires_binding INTEGER NOT NULL,
            homepage TEXT,
            installation TEXT NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            removed_at INTEGER,
            version INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE app_secrets (
            id TEXT PRIMARY KEY,
            app TEXT NOT NULL REFERENCES apps (id),
            hint TEXT NOT NULL,
            hash BLOB NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            expires_at INTEGER
        ) STRICT;
        CREATE INDEX app_secrets_by_app ON app_secrets (app);
        CREATE TABLE consents (
            user_id TEXT NOT NULL REFERENCES users (id),
            app TEXT NOT NULL REFERENCES apps (id),
            scopes TEXT NOT NULL,
            given_at INTEGER NOT NULL,
            PRIMARY KEY (user_id, app)
        ) STRICT;
        CREATE TABLE authorizations (
            id TEXT PRIMARY KEY,
            app TEXT NOT NULL REFERENCES apps (id),
            user_id TEXT NOT NULL REFERENCES users (id),
            scopes TEXT NOT NULL,
            authenticated_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            bound_to TEXT,
            refresh_number INTEGER NOT NULL,
            refresh_hash BLOB NOT NULL,
            refresh_issued_at INTEGER NOT NULL,
            refresh_expires_at INTEGER NOT NULL,
            refresh_answer BLOB,
            revoked_at INTEGER
        ) STRICT;
        CREATE INDEX authorizations_by_app ON authorizations (app, user_id);
        CREATE INDEX authorizations_by_user ON authorizations (user_id, app);
        CREATE INDEX authorizations_by_end ON authorizations (refresh_expires_at);
        CREATE INDEX authorizations_by_revocation ON authorizations (revoked_at) WHERE revoked_at IS NOT NULL;
        CREATE TABLE authorization_codes (
            hash BLOB PRIMARY KEY,
            app TEXT NOT NULL REFERENCES apps (id),
            user_id TEXT NOT NULL REFERENCES users (id),
            redirect_uri TEXT NOT NULL,
            challenge TEXT NOT NULL,
            scopes TEXT NOT NULL,
            nonce TEXT,
            bound_to TEXT,
            authenticated_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            exchanged_for TEXT
        ) STRICT;
        CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);
        CREATE TABLE pushed_requests (
            hash BLOB PRIMARY KEY,
            app TEXT NOT NULL REFERENCES apps (id),
            parameters TEXT NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);
        CREATE TABLE device_requests (
            hash BLOB PRIMARY KEY,
            user_code TEXT NOT NULL UNIQUE,
            app TEXT NOT NULL REFERENCES apps (id),
            scopes TEXT NOT NULL,
            state TEXT NOT NULL,
            user_id TEXT REFERENCES users (id),
            authenticated_at INTEGER,
            asked_at INTEGER,
            interval_seconds INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX device_requests_by_end ON device_requests (expires_at);
        CREATE TABLE token_revocations (
            id TEXT PRIMARY KEY,
            noted_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX token_revocations_by_end ON token_revocations (expires_at);
        CREATE INDEX token_revocations_by_time ON token_revocations (noted_at);
        CREATE TABLE signing_keys (
            id TEXT PRIMARY KEY,
            private_key BLOB NOT NULL,
            active_at INTEGER NOT NULL,
            ends_at INTEGER
        ) STRICT;
        UPDATE api_keys SET scopes = scopes
                || ' read:apps write:apps read:users write:users introspect:tokens'
            WHERE tier = 'trusted' AND scopes = 'read:products write:products read:inventory write:inventory '
                || 'read:customers write:customers read:carts write:carts read:orders write:orders import:orders '
                || 'read:keys write:keys read:audit read:telemetry';
        """)
}
