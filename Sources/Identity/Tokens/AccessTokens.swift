// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Synchronization

/// Makes access tokens, and tells which are good.
///
/// A token is not stored: its signature says that it is ours. What is stored is what ended before its time, which is little
/// and lives no longer than tokens do. A token that was seen before costs two look-ups and neither a query nor a signature.
final class AccessTokens: Sendable {
    let clock: WallClock
    let settings: IdentitySettings
    let keys: SigningKeys
    private let revocations: Revocations
    /// Whose signature is known to be right, in two halves, so that the ones that nobody shows any more go.
    private let verified = Mutex((recent: [String: AccessToken](), older: [String: AccessToken]()))

    private static let verifiedMax = 20_000

    init(database: Database, clock: WallClock, settings: IdentitySettings) {
        self.clock = clock
        self.settings = settings
        keys = SigningKeys(database: database, clock: clock)
        revocations = Revocations(database: database, clock: clock)
    }

    /// What signs now for an app.
    func signer(for app: App) async throws -> TokenSigner {
        let key = try await keys.current()
        let isUsual = app.identityAlgorithm == key.algorithm
        return TokenSigner(
            key: key, identityKey: isUsual ? key : try await keys.current(app.identityAlgorithm), settings: settings,
            clock: clock)
    }

    /// What a text is to this shop.
    enum Standing {
        case good(AccessToken)
        /// Ours, and over: whoever shows it guesses nothing.
        case ended
        case unknown
    }

    func find(_ text: String) async throws -> Standing {
        guard let token = try await signed(text) else { return .unknown }
        guard clock.now() < token.expiresAt, try await !revocations.contains(token.id.rawValue, token.root) else {
            return .ended
        }
        return .good(token)
    }

    /// When nothing that was made until now is good by itself any more.
    func endOfAll(at now: Timestamp) -> Timestamp { now.advanced(by: IdentitySettings.tokenLifetimeMax) }

    private func signed(_ text: String) async throws -> AccessToken? {
        if let known = known(text) { return known }
        guard let parsed = JWS(text), let id = parsed.header["kid"]?.string,
            let key = try await keys.key(id), parsed.isSigned(by: try JWK(key)),
            let token = AccessToken(parsed, issuer: settings.issuer)
        else { return nil }
        remember(text, token)
        return token
    }

    private func known(_ text: String) -> AccessToken? {
        let (token, isOlder) = verified.withLock { verified in
            if let token = verified.recent[text] { return (AccessToken?.some(token), false) }
            return (verified.older[text], true)
        }
        if let token, isOlder { remember(text, token) }
        return token
    }

    private func remember(_ text: String, _ token: AccessToken) {
        verified.withLock { verified in
            if verified.recent.count >= Self.verifiedMax / 2 {
                verified.older = verified.recent
                verified.recent = [:]
            }
            verified.recent[text] = token
        }
    }
}

/// Makes tokens of an app with the keys of now; waits for nothing, so that a transaction can hold the token beside what it stands for.
struct TokenSigner: Sendable {
    let key: SigningKey
    /// Of identity tokens.
    let identityKey: SigningKey
    let settings: IdentitySettings
    let clock: WallClock

    func make(
        for app: App, user: User?, root: String, scopes: ScopeSet, authenticatedAt: Timestamp? = nil, boundTo: String?
    ) throws -> (text: String, token: AccessToken) {
        // A customer's token that is confined to nobody would reach everybody.
        if let user, user.isCustomer, user.customer == nil { throw Failure(.corrupt, "\(user.id) is no customer.") }
        let now = clock.now().wholeSecond
        let token = AccessToken(
            id: .make(at: clock.now()), app: app.id, user: user?.id, customer: user?.customer, root: root,
            scopes: scopes, issuedAt: now, expiresAt: now.advanced(by: settings.accessTokenLifetime),
            authenticatedAt: authenticatedAt,
            boundTo: boundTo)
        return (try JWS.sign(token.claims(issuer: settings.issuer), type: AccessToken.type, with: key), token)
    }

    func sign(_ identity: IdentityToken) throws -> String {
        let now = clock.now().wholeSecond
        let claims = identity.claims(issuer: settings.issuer, at: now, lifetime: settings.accessTokenLifetime)
        return try JWS.sign(claims, type: "JWT", with: identityKey)
    }
}
