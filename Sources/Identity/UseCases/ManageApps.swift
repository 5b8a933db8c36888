// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// What a new app is to be.
struct AppDraft: Sendable {
    var organization: OrganizationID?
    var name: String
    var confidentiality: App.Confidentiality
    var redirectURIs: [String]
    var origins: [String] = []
    var scopes: ScopeSet
    var ownScopes: ScopeSet = .empty
    var people = App.People.staff
    var tier = Tier.standard
    var keys: [JWK] = []
    var requiresBinding = false
    var requiresPush = false
    var identityAlgorithm = SigningAlgorithm.es256
    var homepage: String?
    /// The latest where nothing is said: who begins now begins with that.
    var apiVersion: String?
    /// Of an app that registers itself.
    var grantTypes: [String]?
}

/// Registers apps, changes them and takes them out again.
struct ManageApps: Sendable {
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper
    let tokens: AccessTokens
    let versions: APIVersions

    /// An app with its secret, which cannot be had again; a public app, and one with keys, has none.
    struct Registered: Sendable {
        let app: App
        let secret: String?
    }

    private static let secretsMax = 5
    /// Of an organisation: that there are, and that there have ever been.
    private static let (countMax, countEverMax) = (50, 500)

    func register(_ draft: AppDraft, by actor: String, in transaction: Transaction) throws -> Registered {
        try draft.organization.map { try requireRoom(in: $0, transaction) }
        let now = clock.now()
        let app = App(
            id: .make(at: now), organization: draft.organization, name: draft.name,
            confidentiality: draft.confidentiality,
            redirectURIs: draft.redirectURIs, origins: draft.origins, scopes: draft.scopes, ownScopes: draft.ownScopes,
            people: draft.people,
            tier: draft.tier,
            keys: draft.keys, requiresBinding: draft.requiresBinding, requiresPush: draft.requiresPush,
            identityAlgorithm: draft.identityAlgorithm,
            homepage: draft.homepage,
            apiVersion: draft.apiVersion ?? versions.latest.description, grantTypes: draft.grantTypes,
            installation: .make(at: now), createdAt: now,
            createdBy: actor, removedAt: nil, version: 1)
        try check(app)
        try requireVersion(app)
        try AppStore.insert(app, in: transaction)
        let secret = app.hasSecret ? try addSecret(to: app.id, at: now, in: transaction).text : nil
        try outbox.publish(
            "app.registered", subject: app.id.rawValue, actor: actor,
            ["name": .string(app.name), "scope": .string(app.scopes.text), "own_scope": .string(app.ownScopes.text)],
            in: transaction)
        return Registered(app: app, secret: secret)
    }

    func change(
        _ id: AppID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ change: (inout App) throws -> Void
    ) throws -> App {
        var app = try find(id, in: transaction)
        try precondition.check(app.version)
        let before = app
        try change(&app)
        try check(app)
        // One that is no more keeps its apps until they take another.
        if app.apiVersion != before.apiVersion { try requireVersion(app) }
        // What people have allowed was this app under this name, which answers there.
        let isAnother = app.name != before.name || !Set(app.redirectURIs).isSubset(of: before.redirectURIs)
        if isAnother || before.people != app.people || !before.scopes.isSubset(of: app.scopes) {
            try AuthorizationStore.voidConsents(to: id, in: transaction)
        }
        // Tokens say what they are good for; those that say more than the app may still do must not go on.
        if !before.ownScopes.isSubset(of: app.ownScopes) || !before.scopes.isSubset(of: app.scopes)
            || before.people != app.people
        {
            try endTokens(of: before, in: transaction)
            app.installation = .make(at: clock.now())
        }
        try AppStore.update(app, in: transaction)
        try outbox.publish(
            "app.changed", subject: id.rawValue, actor: actor,
            [
                "name": .string(app.name), "scope": .string(app.scopes.text),
                "own_scope": .string(app.ownScopes.text), "changes": Changes.between(before.told, app.told),
            ], in: transaction)
        app.version += 1
        return app
    }

    /// Ends an app and everything it was let do, in this process at once and within a second in others.
    func remove(
        _ id: AppID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        where isAllowed: (App) throws -> Void
    ) throws {
        var app = try find(id, in: transaction)
        try isAllowed(app)
        try precondition.check(app.version)
        app.removedAt = clock.now()
        try AppStore.update(app, in: transaction)
        try AuthorizationStore.removeConsents(to: id, of: nil, in: transaction)
        try RegistrationStore.remove(id, in: transaction)
        try endTokens(of: app, in: transaction)
        try outbox.publish(
            "app.removed", subject: id.rawValue, actor: actor, ["name": .string(app.name)], in: transaction)
    }

    /// Makes a new secret; the others end after `overlap`, so that nothing breaks meanwhile.
    func rotateSecret(
        of id: AppID, overlap: Duration, by actor: String, in transaction: Transaction
    ) throws -> (app: App, secret: AppSecret, text: String) {
        let (app, now) = (try find(id, in: transaction), clock.now())
        guard app.hasSecret else { throw IdentityError.publicAppHasNoSecret }
        let isFull =
            try AppStore.secrets(of: id, in: transaction).filter { $0.isValid(at: now) }.count >= Self.secretsMax
        if isFull { throw IdentityError.tooManySecrets }
        let made = try addSecret(to: id, at: now, in: transaction)
        try AppStore.end(secretsOf: id, but: made.secret.id, at: now.advanced(by: overlap), in: transaction)
        try outbox.publish(
            "app.secret_rotated", subject: id.rawValue, actor: actor, ["secret": .string(made.secret.id.rawValue)],
            in: transaction)
        return (app, made.secret, made.text)
    }

    /// Gives an app that proves itself by a secret from now on its first; one that does so no longer loses those it had.
    func renewSecret(of app: App, before: App, by actor: String, in transaction: Transaction) throws -> String? {
        guard app.hasSecret != before.hasSecret else { return nil }
        let now = clock.now()
        try AppStore.end(secretsOf: app.id, but: nil, at: now, in: transaction)
        let made = app.hasSecret ? try addSecret(to: app.id, at: now, in: transaction) : nil
        try outbox.publish(
            "app.secret_rotated", subject: app.id.rawValue, actor: actor,
            ["secret": made.map { .string($0.secret.id.rawValue) } ?? .null], in: transaction)
        return made?.text
    }

    /// Makes an app what it is in another shop, under the same name and with a `secret` of its own here.
    func mirror(_ app: App, secret: String, by actor: String, in transaction: Transaction) throws {
        let before = try AppStore.find(app.id, in: transaction)
        if let before {
            try AuthorizationStore.voidConsents(to: app.id, in: transaction)
            try endTokens(of: before, in: transaction)
        }
        try AppStore.replace(Self.inSandbox(app), in: transaction)
        let (hash, now) = (keeper.hash(secret), clock.now())
        let isKnown = try AppStore.secrets(of: app.id, in: transaction).contains {
            $0.hash == hash && $0.isValid(at: now)
        }
        if app.hasSecret, !isKnown {
            _ = try addSecret(secret, to: app.id, at: clock.now(), in: transaction)
        }
        try outbox.publish(
            app.removedAt != nil ? "app.removed" : before == nil ? "app.registered" : "app.changed",
            subject: app.id.rawValue, actor: actor,
            ["name": .string(app.name)], in: transaction)
    }

    private func requireRoom(in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.serialize(on: "apps of " + organization.rawValue)
        let (count, ever) = try AppStore.count(of: organization, in: transaction)
        guard count < Self.countMax else { throw IdentityError.tooManyApps(Self.countMax) }
        guard ever < Self.countEverMax else { throw IdentityError.tooManyApps(Self.countEverMax) }
    }

    /// Whoever develops from outside tries things out before anybody lets them in: nothing there is anybody's. The sandbox itself
    /// is, with its keys and people: all share it.
    static func inSandbox(_ app: App) -> App {
        guard app.organization != nil, app.confidentiality == .confidential else { return app }
        var app = app
        app.ownScopes = ScopeSet(app.scopes.scopes.union(app.ownScopes.scopes).filter(Scope.ofTrade.contains))
        return app
    }

    private func addSecret(
        _ text: String = AppSecret.make(), to app: AppID, at now: Timestamp, in transaction: Transaction
    ) throws -> (secret: AppSecret, text: String) {
        let secret = AppSecret(
            id: .make(at: now), hint: AppSecret.hint(text), hash: keeper.hash(text), createdAt: now, expiresAt: nil)
        try AppStore.insert(secret, of: app, in: transaction)
        return (secret, text)
    }

    private func endTokens(of app: App, in transaction: Transaction) throws {
        let now = clock.now()
        let end = tokens.endOfAll(at: now)
        try AuthorizationStore.revoke(.all(app: app.id, user: nil), at: now, tokensUntil: end, in: transaction)
        // What it got for itself names its installation.
        try TokenStore.revoke(app.installation.rawValue, at: now, until: end, in: transaction)
    }

    private func find(_ id: AppID, in transaction: Transaction) throws -> App {
        guard let app = try AppStore.find(id, in: transaction), app.removedAt == nil else {
            throw IdentityError.appNotFound
        }
        return app
    }

    private func requireVersion(_ app: App) throws {
        guard versions.find(app.apiVersion) == nil else { return }
        throw IdentityError.versionUnknown(app.apiVersion, versions.releases.map(\.version.description))
    }

    private func check(_ app: App) throws {
        for uri in app.redirectURIs {
            if let fault = RedirectURI.fault(in: uri) { throw IdentityError.redirectURI(uri, fault) }
        }
        if app.confidentiality == .public, !app.ownScopes.isEmpty { throw IdentityError.publicAppActsForNobody }
    }
}

extension App {
    /// What somebody may have to answer for; of keys, their fingerprints.
    fileprivate var told: JSON {
        [
            "name": .string(name), "redirect_uris": .array(redirectURIs.map { .string($0) }),
            "allowed_origins": .array(origins.map { .string($0) }), "scope": .string(scopes.text),
            "own_scope": .string(ownScopes.text), "people": .string(people.rawValue),
            "tier": .string(tier.rawValue), "jwks": .array(keys.map { .string($0.thumbprint) }),
            "dpop_bound": .bool(requiresBinding), "require_pushed_requests": .bool(requiresPush),
            "id_token_algorithm": .string(identityAlgorithm.rawValue),
            "homepage": homepage.map { .string($0) } ?? .null,
            "api_version": .string(apiVersion),
            "grant_types": grantTypes.map { .array($0.map { .string($0) }) } ?? .null,
        ]
    }
}
