// SPDX-License-Identifier: Apache-2.0

package import Persistence

/// Random secrets of a shop, made once and the same in every process on its database.
package enum Secrets {
    /// 32 bytes under `name`, made where there are none yet.
    package static func load(_ name: String, from database: Database) async throws -> [UInt8] {
        try await database.write { transaction in
            let fresh = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
            try transaction.execute(
                "INSERT INTO secrets (name, value) VALUES (\(name), \(fresh)) ON CONFLICT (name) DO NOTHING")
            return try transaction.first("SELECT value FROM secrets WHERE name = \(name)") { try $0.next() } ?? fresh
        }
    }
}
