// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Logging
internal import Persistence
internal import Web

/// Changes limits while the shop is open, for all processes on its database.
struct ManageLimits: Sendable {
    let database: Database
    let outbox: Outbox
    let limits: RequestLimits
    let logger: Logger

    func change(_ limit: ChangedLimit, by actor: String, in transaction: Transaction) throws {
        let before = try present(limit.name, in: transaction)
        try LimitStore.save(limit, in: transaction)
        try outbox.publish(
            "limit.changed", subject: limit.name.rawValue, actor: actor,
            [
                "limit": .integer(Int64(limit.limit)), "enabled": .bool(limit.isEnabled),
                "changes": Changes.between(before.told, limit.told),
            ], in: transaction)
    }

    /// Makes a limit what the configuration says again.
    func reset(_ name: LimitName, by actor: String, in transaction: Transaction) throws {
        let before = try present(name, in: transaction)
        guard try LimitStore.remove(name, in: transaction) else { return }
        try outbox.publish(
            "limit.reset", subject: name.rawValue, actor: actor,
            ["changes": Changes.between(before.told, configured(name).told)], in: transaction)
    }

    /// Takes over what was changed, here or by another process.
    func refresh() async throws {
        let changed = try await database.read { try LimitStore.all(in: $0) }
        for limit in LimitName.allCases.map({ name in changed.first { $0.name == name } ?? configured(name) }) {
            let now = limits.state(of: limit.name)
            guard now.limit != limit.limit || now.isOff == limit.isEnabled else { continue }
            do {
                try limits.set(limit.name, limit: limit.limit, isOff: !limit.isEnabled)
            } catch {
                // One that cannot be held must not keep the others from being changed.
                logger.error(
                    "A limit cannot be held", metadata: ["limit": "\(limit.name.rawValue)", "error": "\(error)"])
            }
        }
    }

    private func present(_ name: LimitName, in transaction: Transaction) throws -> ChangedLimit {
        try LimitStore.all(in: transaction).first { $0.name == name } ?? configured(name)
    }

    private func configured(_ name: LimitName) -> ChangedLimit {
        let state = limits.configured(name)
        return ChangedLimit(name: name, limit: state.limit, isEnabled: !state.isOff)
    }
}

extension ChangedLimit {
    fileprivate var told: JSON { ["limit": .integer(Int64(limit)), "enabled": .bool(isEnabled)] }
}
