// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Apps that there are were written for the first version.
    static let versions = Migration(
        "identity-0007-api-version", .expand,
        "ALTER TABLE apps ADD COLUMN api_version TEXT NOT NULL DEFAULT '2026-11-27';")

    /// Apps that there are were written for who works in the shop. `customer` is a role of ours from now on; whoever put one of
    /// that name together finds it under another.
    static let people = Migration(
        "identity-0008-people", .expand,
        """
        ALTER TABLE apps ADD COLUMN people TEXT NOT NULL DEFAULT 'staff';
        UPDATE users SET role = 'former-customer-role' WHERE role = 'customer' AND customer IS NULL AND disabled_at IS NULL;
        UPDATE roles SET name = 'former-customer-role' WHERE name = 'customer';
        """)
}
