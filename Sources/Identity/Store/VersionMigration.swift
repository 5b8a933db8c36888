// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Apps that there are were written for the first version, and for who works in the shop.
    static let versions = Migration(
        "identity-0007-api-version", .expand,
        """
        ALTER TABLE apps ADD COLUMN api_version TEXT NOT NULL DEFAULT '2026-11-27';
        ALTER TABLE apps ADD COLUMN people TEXT NOT NULL DEFAULT 'staff';
        """)
}
