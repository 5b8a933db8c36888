// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum PushedRequestStore {
    static func insert(
        _ parameters: String, hash: [UInt8], of app: AppID, until end: Timestamp, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO pushed_requests (hash, app, parameters, expires_at)
            VALUES (\(hash), \(app), \(parameters), \(end))
            """)
    }

    static func find(hash: [UInt8], of app: AppID, at now: Timestamp, in connection: Connection) throws -> String? {
        try connection.first(
            "SELECT parameters FROM pushed_requests WHERE hash = \(hash) AND app = \(app) AND expires_at > \(now)"
        ) { try $0.next() }
    }
}
