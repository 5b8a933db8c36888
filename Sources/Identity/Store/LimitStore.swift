// SPDX-License-Identifier: Apache-2.0

internal import Persistence
internal import Web

/// A limit that is no longer what the configuration says.
struct ChangedLimit: Sendable {
    let name: LimitName
    let limit: Int
    let isEnabled: Bool
}

enum LimitStore {
    static func save(_ limit: ChangedLimit, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO rate_limits (name, units, enabled)
            VALUES (\(limit.name.rawValue), \(limit.limit), \(limit.isEnabled))
            ON CONFLICT (name) DO UPDATE SET units = excluded.units, enabled = excluded.enabled
            """)
    }

    /// - Returns: whether it had been changed.
    static func remove(_ name: LimitName, in transaction: Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM rate_limits WHERE name = \(name.rawValue)") > 0
    }

    static func all(in connection: Connection) throws -> [ChangedLimit] {
        try connection.all("SELECT name, units, enabled FROM rate_limits ORDER BY name") { row in
            let name = LimitName(rawValue: try row.next())
            let (limit, isEnabled) = (try row.next(Int.self), try row.next(Bool.self))
            return name.map { ChangedLimit(name: $0, limit: limit, isEnabled: isEnabled) }
        }.compactMap(\.self)
    }
}
