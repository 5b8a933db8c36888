// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Removes what has ended by itself, in steps short enough that nobody waits behind them.
struct PurgeIdentity: Sendable {
    let database: Database
    let clock: WallClock
    var auditRetention: Duration?

    private static let step = 500

    func run() async throws {
        let clock = clock
        while try await database.write({ try TokenStore.purge(at: clock.now(), limit: Self.step, in: $0) }) >= Self.step
        {
            try Task.checkCancellation()
        }
        try await database.write { transaction in
            try AccountLinkStore.purge(at: clock.now(), in: transaction)
            try OrganizationStore.purge(at: clock.now(), in: transaction)
        }
        guard let auditRetention else { return }
        let end = clock.now().advanced(by: .zero - auditRetention)
        while try await database.write({ try AuditLog.forget(before: end, limit: Self.step, in: $0) }) >= Self.step {
            try Task.checkCancellation()
        }
    }
}
