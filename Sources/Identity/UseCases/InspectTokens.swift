// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Ends a token of an app, durably (RFC 7009).
struct RevokeToken: Sendable {
    let database: Database
    let outbox: Outbox
    let keeper: SecretKeeper
    let tokens: AccessTokens
    let clock: WallClock

    private static let isAnother = OAuthError(.unauthorizedClient, "This token was given to another app.")

    /// A refresh token ends with all that came of it; an access token ends alone.
    ///
    /// - Throws: ``OAuthError`` with `unauthorizedClient` for another app's (section 2.1).
    func callAsFunction(_ text: String, of app: App) async throws {
        let now = clock.now()
        if let token = RefreshToken(text, by: keeper) {
            let end = tokens.endOfAll(at: now)
            try await database.write { transaction in
                guard let known = try AuthorizationStore.find(token.authorization, in: transaction) else { return }
                guard known.app == app.id else { throw Self.isAnother }
                let count = try AuthorizationStore.revoke(
                    .one(known.id), at: now, tokensUntil: end, in: transaction)
                // What has ended before is not ended again.
                guard count > 0 else { return }
                let ended: JSON = [
                    "authorization": .string(known.id.rawValue), "user": .string(known.user.rawValue),
                ]
                try publish(ended, app, in: transaction)
            }
        } else if case .good(let token) = try await tokens.find(text) {
            guard token.app == app.id else { throw Self.isAnother }
            try await database.write { transaction in
                try TokenStore.revoke(token.id.rawValue, at: now, until: token.expiresAt, in: transaction)
                try publish(["token": .string(token.id.rawValue)], app, in: transaction)
            }
        }
    }

    private func publish(_ ended: JSON, _ app: App, in transaction: Transaction) throws {
        try outbox.publish(
            "app.token_revoked", subject: app.id.rawValue, actor: app.id.rawValue, ended, in: transaction)
    }
}

/// Tells whether a token is good, and for what (RFC 7662). An app may ask about its own, and with `introspect:tokens` about any;
/// of all others it learns that they are not good.
struct IntrospectToken: Sendable {
    let database: Database
    let keeper: SecretKeeper
    let tokens: AccessTokens
    let directory: AppDirectory
    let clock: WallClock

    private static let inactive: JSON = ["active": false]

    func callAsFunction(_ text: String, for app: App) async throws -> JSON {
        let seesAll = app.ownScopes.contains(Scope.introspectTokens.rawValue)
        if let token = RefreshToken(text, by: keeper) { return try await refresh(token, app, seesAll) }
        guard case .good(let token) = try await tokens.find(text), token.app == app.id || seesAll,
            try await directory.find(token.app) != nil
        else { return Self.inactive }
        let type: JSON = token.boundTo == nil ? "Bearer" : "DPoP"
        let claims = token.claims(issuer: tokens.settings.issuer).members ?? []
        return .object([.init("active", true), .init("token_type", type)] + claims)
    }

    private func refresh(_ token: RefreshToken, _ app: App, _ seesAll: Bool) async throws -> JSON {
        let known = try await database.read { try AuthorizationStore.find(token.authorization, in: $0) }
        guard let known, known.app == app.id || seesAll,
            known.ruling(on: token, hash: keeper.hash(token.text), at: clock.now(), grace: .zero) == .rotate
        else { return Self.inactive }
        return [
            "active": true, "scope": .string(known.scopes.text), "client_id": .string(known.app.rawValue),
            "sub": .string(known.user.rawValue), "exp": .integer(known.refresh.expiresAt.seconds),
            "iat": .integer(known.refresh.issuedAt.seconds), "iss": .string(tokens.settings.issuer),
        ]
    }
}
