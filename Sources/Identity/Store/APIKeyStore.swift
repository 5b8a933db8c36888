// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

enum APIKeyStore {
    private static let columns: SQL =
        """
        id, name, hint, scopes, tier, units_per_minute, created_at, expires_at, revoked_at, last_used_at, version
        """

    static func exists(in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM api_keys")
    }

    static func find(_ id: APIKeyID, in connection: Connection) throws -> APIKey? {
        try connection.first("SELECT \(columns) FROM api_keys WHERE id = \(id)\(connection.forUpdate)", key)
    }

    static func find(hash: [UInt8], in connection: Connection) throws -> APIKey? {
        try connection.first("SELECT \(columns) FROM api_keys WHERE hash = \(hash)", key)
    }

    static func page(_ request: PageRequest, in connection: Connection) throws -> Page<APIKey> {
        let keyset = Keyset((expression: "id", order: .descending))
        let rows = try connection.all("SELECT \(columns) FROM api_keys WHERE 1 = 1 \(keyset.clause(request))", key)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func insert(_ key: APIKey, hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO api_keys (
                id, name, hint, hash, scopes, tier, units_per_minute, created_at, expires_at, version
            )
            VALUES (\(key.id), \(key.name), \(key.hint), \(hash), \(text(key.scopes)), \(key.tier.rawValue),
                \(key.unitsPerMinute), \(key.createdAt), \(key.expiresAt), \(key.version))
            """)
    }

    static func update(_ key: APIKey, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE api_keys SET name = \(key.name), tier = \(key.tier.rawValue),
                units_per_minute = \(key.unitsPerMinute), expires_at = \(key.expiresAt), revoked_at = \(key.revokedAt),
                version = version + 1
            WHERE id = \(key.id)
            """)
    }

    static func setLastUsed(_ id: APIKeyID, at time: Timestamp, in transaction: Transaction) throws {
        try transaction.execute("UPDATE api_keys SET last_used_at = \(time) WHERE id = \(id)")
    }

    private static func text(_ scopes: [Scope]) -> String { scopes.map(\.rawValue).joined(separator: " ") }

    private static func key(_ row: inout Row) throws -> APIKey {
        try APIKey(
            id: row.next(), name: row.next(), hint: row.next(),
            scopes: row.next(String.self).split(separator: " ").compactMap { Scope(rawValue: String($0)) },
            tier: Tier(rawValue: row.next()) ?? .standard, unitsPerMinute: row.next(),
            createdAt: row.next(), expiresAt: row.next(), revokedAt: row.next(), lastUsedAt: row.next(),
            version: row.next())
    }
}
