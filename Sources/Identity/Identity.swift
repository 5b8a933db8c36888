// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
internal import Logging
package import Persistence
package import Web

/// The front door: who asks, by key or by token; the authorization server; users, apps and the audit log.
package struct IdentityModule: Sendable {
    package let keys: ManageKeys
    package let users: ManageUsers
    let keyAuthenticator: KeyAuthenticator
    let tokenAuthenticator: TokenAuthenticator
    let database: Database
    let limits: ManageLimits
    let settings: IdentitySettings
    let directory: AppDirectory
    let tokens: AccessTokens
    let apps: ManageApps
    let register: RegisterClients
    let clients: AuthenticateClient
    let issue: IssueTokens
    let revokeToken: RevokeToken
    let introspectToken: IntrospectToken
    let authorize: Authorize
    let devices: AuthorizeDevices
    let signIn: SignIn
    let secondFactor: SecondFactor
    let customerAccounts: CustomerAccounts
    let testCredentials: TestCredentials
    package let sandbox: OpenSandbox
    let keeper: SecretKeeper
    let organizations: Organizations
    /// `nil` where the shop sends no mail.
    let signUps: SignUps?

    package init(
        database: Database, jobs: JobsModule, clock: WallClock, limits: RequestLimits, settings: IdentitySettings,
        versions: APIVersions, findCustomer: @escaping FindCustomer
    ) async throws {
        self.database = database
        self.settings = settings
        let outbox = jobs.outbox
        self.limits = ManageLimits(
            database: database, outbox: outbox, limits: limits, logger: Logger(label: "vitrine.limits"))
        keyAuthenticator = KeyAuthenticator(database: database, clock: clock)
        keys = ManageKeys(outbox: outbox, clock: clock)
        keeper = SecretKeeper(key: try await Secrets.load("identity", from: database))
        organizations = Organizations(outbox: outbox, clock: clock, keeper: keeper)
        directory = AppDirectory(database: database)
        tokens = AccessTokens(database: database, clock: clock, settings: settings)
        let proofs = KeyProofs(
            keeper: keeper, seen: SeenProofs(lifetime: KeyProofs.lifetime), clock: clock, issuer: settings.issuer)
        tokenAuthenticator = TokenAuthenticator(tokens: tokens, directory: directory, proofs: proofs)
        apps = ManageApps(
            outbox: outbox, clock: clock, keeper: keeper, tokens: tokens, versions: versions)
        register = RegisterClients(database: database, apps: apps, keeper: keeper)
        clients = AuthenticateClient(
            directory: directory, keeper: keeper, database: database, clock: clock, issuer: settings.issuer)
        issue = IssueTokens(database: database, outbox: outbox, clock: clock, keeper: keeper, tokens: tokens)
        revokeToken = RevokeToken(database: database, outbox: outbox, keeper: keeper, tokens: tokens, clock: clock)
        introspectToken = IntrospectToken(
            database: database, keeper: keeper, tokens: tokens, directory: directory, clock: clock)
        authorize = Authorize(
            database: database, outbox: outbox, clock: clock, keeper: keeper, directory: directory,
            issuer: settings.issuer)
        devices = AuthorizeDevices(
            database: database, clock: clock, keeper: keeper, directory: directory, authorize: authorize)
        let passwords = PasswordKeeper(cost: settings.passwordCost)
        users = ManageUsers(outbox: outbox, clock: clock, passwords: passwords, tokens: tokens)
        customerAccounts = CustomerAccounts(
            database: database, outbox: outbox, clock: clock, keeper: keeper, users: users, find: findCustomer)
        signUps = jobs.mails.map { [keeper, users] mails in
            SignUps(
                database: database, mails: mails, clock: clock, keeper: keeper, users: users, settings: settings)
        }
        testCredentials = try await TestCredentials(of: database)
        sandbox = OpenSandbox(database: database, keys: keys, users: users, apps: apps)
        secondFactor = SecondFactor(database: database, outbox: outbox, clock: clock, keeper: keeper)
        signIn = SignIn(
            database: database, outbox: outbox, clock: clock, keeper: keeper, passwords: passwords, settings: settings,
            secondFactor: secondFactor)
    }

    package static let migrations = IdentityMigrations.all
    /// The tables that say who may ask.
    package static let accessTables = ["api_keys", "apps", TokenStore.revocations]

    /// Tells who holds a key or a token; `nil` for unknown, revoked and expired ones.
    package var authenticate: Authenticate {
        let (keys, tokens) = (keyAuthenticator, tokenAuthenticator)
        return { credential in
            if APISecret.isOne(credential.token) {
                return credential.kind == .bearer ? try await keys.principal(holding: credential.token) : nil
            }
            return try await tokens.principal(holding: credential)
        }
    }

    /// Whether pages of an origin may call the API: those of the app whose token they have, before that of any app, and in a sandbox
    /// those of its shop.
    package var isCallingOrigin: CrossOriginMiddleware.IsAllowed {
        let shop = settings.shopAddress.map(FormTargets.origin)
        return { [directory] origin, authorization in
            if origin == shop { return true }
            // Believed unproved: with a token that is none there is nothing to be read.
            let token = authorization.flatMap { JWS($0.drop { $0 != " " }.trimmingSpace) }
            let app = token?.payload["client_id"]?.string.flatMap { AppID($0) }
            return try await directory.isOrigin(origin, of: app)
        }
    }

    /// The chores of this room.
    package var schedules: [Schedule] {
        let (limits, tokens, purge) = (
            limits, tokens,
            PurgeIdentity(database: database, clock: issue.clock, auditRetention: settings.auditRetention)
        )
        return [
            Schedule("limits.refresh", every: .seconds(5)) { try await limits.refresh() },
            Schedule("signing_keys.rotate", every: .seconds(3_600)) { try await tokens.keys.rotate() },
            Schedule("identity.purge", every: .seconds(300)) { try await purge.run() },
        ]
    }

    /// Whether nobody has a key yet.
    package func isNew() async throws -> Bool { try await database.read { try !APIKeyStore.exists(in: $0) } }

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

    /// Goes through the audit log's chain: how many entries there are, up to which they were let go, the last hash, and what is
    /// wrong. A `knownHead` that was
    /// noted before must be one of the chain's hashes.
    package func audit(
        knownHead: String? = nil, in connection: Connection
    ) throws -> (count: Int, forgotten: Int64, head: String?, faults: [String]) {
        let verdict = try AuditLog.verify(knownHead: knownHead, in: connection)
        return (verdict.count, verdict.forgotten, verdict.head, verdict.faults)
    }

    /// Ends the account of whoever is erased.
    package var erasureSubscription: Subscription {
        Subscription("identity.erasure", to: ["customer.erased"]) { [customerAccounts] event, transaction in
            guard let customer = CustomerID(event.subject) else { return }
            try customerAccounts.remove(of: customer, by: event.actor, in: transaction)
        }
    }

    /// Writes the events that the audit log is about.
    package var auditSubscription: Subscription {
        Subscription("identity.audit", to: AuditLog.sensitive) { event, transaction in
            try AuditLog.append(event, in: transaction)
        }
    }
}
