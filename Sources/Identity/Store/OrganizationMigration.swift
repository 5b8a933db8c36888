// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Developers from outside the shop, and whose apps are whose. Apps that there are belong to the shop. `partner` is a role of
    /// ours from now on; whoever put one of that name together finds it under another.
    static let organizations = Migration(
        "identity-0009-organizations", .expand,
        """
        CREATE TABLE organizations (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            version INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE organization_members (
            organization TEXT NOT NULL,
            member TEXT NOT NULL,
            role TEXT NOT NULL,
            since INTEGER NOT NULL,
            PRIMARY KEY (organization, member)
        ) STRICT;
        CREATE INDEX organization_members_by_member ON organization_members (member);
        CREATE TABLE organization_invitations (
            hash BLOB PRIMARY KEY,
            organization TEXT NOT NULL,
            role TEXT NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX organization_invitations_by_end ON organization_invitations (expires_at);
        ALTER TABLE apps ADD COLUMN organization TEXT;
        CREATE INDEX apps_by_organization ON apps (organization, id);
        UPDATE users SET role = 'former-partner-role' WHERE role = 'partner';
        UPDATE roles SET name = 'former-partner-role' WHERE name = 'partner';
        """)
}
