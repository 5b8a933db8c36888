// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
internal import Logging
package import Persistence
package import Web

/// The front door: API keys, authentication and the audit log.
package struct IdentityModule: Sendable {
    package let keys: ManageKeys
    let authenticator: KeyAuthenticator
    let database: Database
    let limits: ManageLimits

    package init(database: Database, jobs: JobsModule, clock: WallClock, limits: RequestLimits) {
        self.database = database
        self.limits = ManageLimits(
            database: database, outbox: jobs.outbox, limits: limits, logger: Logger(label: "vitrine.limits"))
        let authenticator = KeyAuthenticator(database: database, clock: clock)
        self.authenticator = authenticator
        keys = ManageKeys(outbox: jobs.outbox, clock: clock, forget: { authenticator.forgetAll() })
    }

    package static let migrations = IdentityMigrations.all
    /// The tables that say who may ask.
    package static let accessTables = ["api_keys"]

    /// Tells who holds a token; `nil` for unknown, revoked and expired keys.
    package var authenticate: Authenticate {
        let authenticator = authenticator
        return { try await authenticator.principal(holding: $0) }
    }

    /// The chores of this room.
    package var schedules: [Schedule] {
        let limits = limits
        return [Schedule("limits.refresh", every: .seconds(5)) { try await limits.refresh() }]
    }

    /// Makes an administrator's key where the shop has no key at all.
    ///
    /// - Returns: the secret, which is shown once, or `nil` where there are keys.
    package func administratorKeyAtFirstStart() async throws -> String? {
        let keys = keys
        return try await database.write { transaction in
            try transaction.serialize(on: "first key")
            guard try !APIKeyStore.exists(in: transaction) else { return nil }
            let draft = APIKeyDraft(name: "Administrator", scopes: Scope.allCases, tier: .trusted, expiresAt: nil)
            return try keys.create(draft, by: "first start", in: transaction).secret
        }
    }

    /// Writes the events that the audit log is about.
    package var auditSubscription: Subscription {
        Subscription("identity.audit", to: AuditLog.sensitive) { event, transaction in
            try AuditLog.append(event, in: transaction)
        }
    }
}
