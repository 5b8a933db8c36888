// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Which tokens ended before their time, and the keys that sign them.
enum TokenStore {
    static let revocations = "token_revocations"
    static let keys = ["signing_keys", "rsa_signing_keys"]

    /// Refuses what carries `id` until `end`, when it is no good by itself any more.
    static func revoke(_ id: String, at now: Timestamp, until end: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO token_revocations (id, noted_at, expires_at) VALUES (\(id), \(now), \(end))
            ON CONFLICT (id) DO NOTHING
            """)
    }

    static func revoked(since time: Timestamp, in connection: Connection) throws -> [String] {
        try connection.all("SELECT id FROM token_revocations WHERE noted_at >= \(time)") { try $0.next() }
    }

    // MARK: Keys

    /// Those of an algorithm have a table of their own, because a process that does not know it reads the others.
    private static func table(_ algorithm: SigningAlgorithm) -> SQL {
        switch algorithm {
        case .es256: "signing_keys"
        case .rs256: "rsa_signing_keys"
        }
    }

    /// Those of all algorithms, the latest of each first.
    static func signingKeys(in connection: Connection) throws -> [SigningKey] {
        try SigningAlgorithm.allCases.flatMap { algorithm in
            try connection.all(
                "SELECT id, private_key, active_at, ends_at FROM \(table(algorithm)) ORDER BY active_at DESC, id"
            ) { row in
                try SigningKey(
                    id: row.next(), material: .init(algorithm, row.next([UInt8].self)), activeAt: row.next(),
                    endsAt: row.next())
            }
        }
    }

    static func insert(_ key: SigningKey, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO \(table(key.algorithm)) (id, private_key, active_at)
            VALUES (\(key.id), \(key.material.bytes), \(key.activeAt))
            """)
    }

    /// Says when the keys before `key` have nothing good left.
    static func end(keysBefore key: SigningKey, at end: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE \(table(key.algorithm)) SET ends_at = \(end) WHERE id <> \(key.id) AND ends_at IS NULL
            """)
    }

    // MARK: What is over

    /// Removes what cannot be good any more, so many rows of each kind at most.
    ///
    /// - Returns: how many rows went.
    static func purge(at now: Timestamp, limit: Int, in transaction: Transaction) throws -> Int {
        // What was spent or ended a day ago is remembered no longer; until then it tells a theft from a mistake.
        let dayAgo = now.advanced(by: .seconds(-86_400))
        let ended: [(table: SQL, key: SQL, over: SQL)] = [
            ("authorization_codes", "hash", "expires_at < \(dayAgo)"),
            ("authorizations", "id", "refresh_expires_at < \(dayAgo)"),
            ("authorizations", "id", "revoked_at IS NOT NULL AND revoked_at < \(dayAgo)"),
            ("pushed_requests", "hash", "expires_at < \(now)"),
            ("device_requests", "hash", "expires_at < \(dayAgo)"),
            ("browser_sessions", "hash", "expires_at < \(now)"),
            ("sign_in_failures", "subject", "last_at < \(dayAgo)"),
            ("token_revocations", "id", "expires_at < \(now)"),
            ("signing_keys", "id", "ends_at < \(now)"), ("rsa_signing_keys", "id", "ends_at < \(now)"),
            ("seen_assertions", "hash", "expires_at < \(now)"),
        ]
        return try ended.reduce(0) { count, part in
            let sql: SQL =
                """
                DELETE FROM \(part.table) WHERE \(part.key) IN
                    (SELECT \(part.key) FROM \(part.table) WHERE \(part.over) LIMIT \(limit))
                """
            return count + (try transaction.execute(sql))
        }
    }
}
