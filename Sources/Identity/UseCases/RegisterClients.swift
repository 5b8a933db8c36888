// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

/// Lets clients register themselves (RFC 7591), and afterwards look at what they are registered as, change it and end it
/// (RFC 7592).
struct RegisterClients: Sendable {
    let database: Database
    let apps: ManageApps
    let keeper: SecretKeeper

    /// A client as it is registered.
    struct Registered: Sendable {
        let app: App
        let registration: Registration
        /// Only where it was made just now; it cannot be had again.
        let secret: String?
        /// By which it reads, changes and ends its registration.
        let token: String
    }

    static let tokenPrefix = "vr_"

    /// - Throws: ``IdentityError/redirectURI``.
    func callAsFunction(
        _ metadata: ClientMetadata, by actor: String, in transaction: Transaction
    ) throws -> Registered {
        let made = try apps.register(metadata.draft, by: actor, in: transaction)
        let token = Self.tokenPrefix + RandomText.make()
        let registration = Registration(
            app: made.app.id, hash: hash(token), method: metadata.method)
        try RegistrationStore.save(registration, in: transaction)
        return Registered(app: made.app, registration: registration, secret: made.secret, token: token)
    }

    /// - Returns: `nil` where there is no such client, or its token is another.
    func find(_ id: AppID, token: String) async throws -> Registered? {
        try await database.read { try find(id, token, in: $0) }
    }

    private func find(_ id: AppID, _ token: String, in connection: Connection) throws -> Registered? {
        guard let registration = try RegistrationStore.find(id, in: connection),
            registration.hash.isSame(as: hash(token)), let app = try AppStore.find(id, in: connection),
            app.removedAt == nil
        else { return nil }
        return Registered(app: app, registration: registration, secret: nil, token: token)
    }

    /// Makes `metadata` all that is registered. It may ask people for less than before, and for more only where the shop says so.
    ///
    /// - Returns: `nil` where there is no such client, or its token is another.
    /// - Throws: ``OAuthError`` with `invalidMetadata`, ``IdentityError/redirectURI``.
    func replace(
        _ id: AppID, token: String, with metadata: ClientMetadata, secret: String?, in transaction: Transaction
    ) throws -> Registered? {
        guard let before = try find(id, token, in: transaction) else { return nil }
        if let secret {
            let hash = keeper.hash(secret)
            let now = apps.clock.now()
            guard
                try AppStore.secrets(of: id, in: transaction).contains(where: {
                    $0.isValid(at: now) && $0.hash.isSame(as: hash)
                })
            else {
                throw OAuthError(.invalidMetadata, "client_secret is not the one that was given out.")
            }
        }
        let app = try apps.change(id, if: .none, by: id.rawValue, in: transaction) { try apply(metadata, to: &$0) }
        let made = try apps.renewSecret(of: app, before: before.app, by: id.rawValue, in: transaction)
        let registration = Registration(
            app: id, hash: before.registration.hash, method: metadata.method)
        try RegistrationStore.save(registration, in: transaction)
        return Registered(app: app, registration: registration, secret: made, token: token)
    }

    private func apply(_ metadata: ClientMetadata, to app: inout App) throws {
        guard metadata.confidentiality == app.confidentiality else {
            throw OAuthError(
                .invalidMetadata, "A client with a secret or keys and one without are two; register another.")
        }
        guard metadata.scopes.isSubset(of: app.scopes) else {
            throw OAuthError(
                .invalidMetadata, "scope is at most \(app.scopes.text); whoever runs the shop may allow more.")
        }
        app.name = metadata.name
        app.redirectURIs = metadata.redirectURIs
        app.scopes = metadata.scopes
        app.keys = metadata.keys
        // More than before, and never less: the shop may want it.
        app.requiresBinding = app.requiresBinding || metadata.requiresBinding
        app.identityAlgorithm = metadata.identityAlgorithm
        app.requiresPush = app.requiresPush || metadata.requiresPush
        app.grantTypes = metadata.grantTypes
        app.homepage = metadata.homepage
    }

    /// - Returns: whether there is such a client with this token.
    func remove(_ id: AppID, token: String, in transaction: Transaction) throws -> Bool {
        guard try find(id, token, in: transaction) != nil else { return false }
        try apps.remove(id, if: .none, by: id.rawValue, in: transaction) { _ in }
        return true
    }

    private func hash(_ token: String) -> [UInt8] { keeper.tag("registration", token) }
}
