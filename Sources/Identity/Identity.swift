// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
package import Persistence
package import Web

/// The front door: API keys, authentication and the audit log.
package struct IdentityModule: Sendable {
    package let keys: ManageKeys
    let authenticator: KeyAuthenticator
    let database: Database

    package init(database: Database, jobs: JobsModule, clock: WallClock) {
        self.database = database
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

    /// Makes an administrator's key where the shop has no key at all.
    ///
    /// - Returns: the secret, which is shown once, or `nil` where there are keys.
    package func administratorKeyAtFirstStart() async throws -> String? {
        let keys = keys
        return try await database.write { transaction in
            try transaction.serialize(on: "first key")
            guard try !APIKeyStore.exists(in: transaction) else { return nil }
            let draft = APIKeyDraft(name: "Administrator", scopes: Scope.allCases, expiresAt: nil)
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
