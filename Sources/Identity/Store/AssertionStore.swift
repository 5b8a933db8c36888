// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Assertions by which clients have proved who they are (RFC 7523), each good once.
enum AssertionStore {
    /// Whether nobody has shown it before, in any process.
    static func isFirst(_ hash: [UInt8], until end: Timestamp, in transaction: Transaction) throws -> Bool {
        try transaction.execute(
            "INSERT INTO seen_assertions (hash, expires_at) VALUES (\(hash), \(end)) ON CONFLICT (hash) DO NOTHING") > 0
    }
}
