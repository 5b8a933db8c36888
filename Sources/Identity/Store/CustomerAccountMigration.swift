// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Accounts of customers beside those of the people who work in the shop, and the links with which they are opened.
    static let customerAccounts = Migration(
        "identity-0006-customer-accounts", .expand,
        """
        ALTER TABLE users ADD COLUMN customer TEXT;
        CREATE UNIQUE INDEX users_by_customer ON users (customer);
        CREATE TABLE account_links (
            customer TEXT PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE,
            email TEXT NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX account_links_by_end ON account_links (expires_at);
        """)
}
