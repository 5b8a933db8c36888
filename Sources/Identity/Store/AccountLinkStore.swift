// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Links on their way to customers, of which each has one at most.
enum AccountLinkStore {
    static func save(_ link: AccountLink, hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO account_links (customer, hash, email, expires_at)
            VALUES (\(link.customer), \(hash), \(link.email), \(link.expiresAt))
            ON CONFLICT (customer) DO UPDATE
            SET hash = excluded.hash, email = excluded.email, expires_at = excluded.expires_at
            """)
    }

    static func find(hash: [UInt8], in connection: Connection) throws -> AccountLink? {
        try connection.first(
            "SELECT customer, email, expires_at FROM account_links WHERE hash = \(hash)\(connection.forUpdate)"
        ) { row in
            try AccountLink(customer: row.next(), email: row.next(), expiresAt: row.next())
        }
    }

    static func remove(of customer: CustomerID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM account_links WHERE customer = \(customer)")
    }

    static func purge(at now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM account_links WHERE expires_at < \(now)")
    }
}
