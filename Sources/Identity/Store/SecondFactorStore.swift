// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum SecondFactorStore {
    static func find(of user: UserID, in connection: Connection) throws -> (closed: [UInt8], step: Int64)? {
        try connection.first(
            """
            SELECT second_factor, second_factor_step FROM users
            WHERE id = \(user) AND second_factor IS NOT NULL\(connection.forUpdate)
            """
        ) { row in
            try (closed: row.next(), step: row.next())
        }
    }

    static func set(_ closed: [UInt8], step: Int64, of user: UserID, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE users SET second_factor = \(closed), second_factor_step = \(step), version = version + 1 WHERE id = \(user)"
        )
    }

    static func setStep(_ step: Int64, of user: UserID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE users SET second_factor_step = \(step) WHERE id = \(user)")
    }

    static func remove(of user: UserID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE users SET second_factor = NULL, version = version + 1 WHERE id = \(user)")
        try transaction.execute("DELETE FROM recovery_codes WHERE user_id = \(user)")
    }

    static func setRecovery(_ hashes: [[UInt8]], of user: UserID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM recovery_codes WHERE user_id = \(user)")
        try transaction.insert(
            into: "recovery_codes (hash, user_id)", hashes.map { [.blob($0), .text(user.rawValue)] })
    }

    /// - Returns: whether there was one.
    static func spend(recovery hash: [UInt8], of user: UserID, in transaction: Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM recovery_codes WHERE hash = \(hash) AND user_id = \(user)") > 0
    }
}
