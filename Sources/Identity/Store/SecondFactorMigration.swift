// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    static let secondFactor = Migration(
        "identity-0005-second-factor", .expand,
        """
        ALTER TABLE users ADD COLUMN second_factor BLOB;
        ALTER TABLE users ADD COLUMN second_factor_step INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE recovery_codes (
            hash BLOB PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id)
        ) STRICT;
        CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);
        """)
}
