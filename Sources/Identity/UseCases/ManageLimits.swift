// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Changes limits while the shop is open, for all processes on its database.
struct ManageLimits: Sendable {
    let database: Database
    let outbox: Outbox
    let limits: RequestLimits

    func change(_ limit: ChangedLimit, by actor: String, in transaction: Transaction) throws {
        try LimitStore.save(limit, in: transaction)
        try outbox.publish(
            "limit.changed", subject: limit.name.rawValue, actor: actor,
            ["limit": .integer(Int64(limit.limit)), "enabled": .bool(limit.isEnabled)], in: transaction)
    }

    /// Takes over what was changed, here or by another process.
    func refresh() async throws {
        for limit in try await database.read({ try LimitStore.all(in: $0) }) {
            try limits.set(limit.name, limit: limit.limit, isOff: !limit.isEnabled)
        }
    }
}
