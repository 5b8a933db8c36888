// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// A browser in which somebody is signed in.
struct BrowserSession: Sendable {
    let id: String
    let user: UserID
    let agent: String
    let address: String
    let authenticatedAt: Timestamp
    let seenAt: Timestamp
    let expiresAt: Timestamp
}

enum SessionStore {
    private static let columns: SQL = "id, user_id, agent, address, authenticated_at, seen_at, expires_at"

    static func insert(_ session: BrowserSession, hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO browser_sessions (hash, \(columns))
            VALUES (\(hash), \(session.id), \(session.user), \(session.agent), \(session.address),
                \(session.authenticatedAt), \(session.seenAt), \(session.expiresAt))
            """)
    }

    static func find(hash: [UInt8], in connection: Connection) throws -> BrowserSession? {
        try connection.first("SELECT \(columns) FROM browser_sessions WHERE hash = \(hash)", session)
    }

    static func all(of user: UserID, at now: Timestamp, in connection: Connection) throws -> [BrowserSession] {
        try connection.all(
            """
            SELECT \(columns) FROM browser_sessions WHERE user_id = \(user) AND expires_at > \(now)
            ORDER BY seen_at DESC
            """, session)
    }

    static func setSeen(_ id: String, at now: Timestamp, until end: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE browser_sessions SET seen_at = \(now), expires_at = \(end) WHERE id = \(id)")
    }

    static func end(_ id: String, of user: UserID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM browser_sessions WHERE id = \(id) AND user_id = \(user)")
    }

    static func endAll(of user: UserID, but kept: String? = nil, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM browser_sessions WHERE user_id = \(user) AND id <> \(kept ?? "")")
    }

    // MARK: Failures

    static func failures(of subject: [UInt8], in connection: Connection) throws -> (count: Int, lastAt: Timestamp)? {
        try connection.first(
            "SELECT failures, last_at FROM sign_in_failures WHERE subject = \(subject)\(connection.forUpdate)"
        ) { row in
            try (count: row.next(), lastAt: row.next())
        }
    }

    static func setFailures(_ count: Int, of subject: [UInt8], at now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO sign_in_failures (subject, failures, last_at) VALUES (\(subject), \(count), \(now))
            ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at
            """)
    }

    static func touchFailures(of subject: [UInt8], in transaction: Transaction) throws {
        try transaction.execute("UPDATE sign_in_failures SET failures = failures WHERE subject = \(subject)")
    }

    static func clearFailures(of subject: [UInt8], in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM sign_in_failures WHERE subject = \(subject)")
    }

    private static func session(_ row: inout Row) throws -> BrowserSession {
        try BrowserSession(
            id: row.next(), user: row.next(), agent: row.next(), address: row.next(), authenticatedAt: row.next(),
            seenAt: row.next(), expiresAt: row.next())
    }
}
