// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// What is given out at the token endpoint (OAuth 2.1 section 3.2).
struct IssueTokens: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper
    let tokens: AccessTokens

    private var settings: IdentitySettings { tokens.settings }

    /// An answer in the words of RFC 6749 section 5.1.
    typealias Grant = JSON

    // MARK: For itself

    /// OAuth 2.1 section 4.2.
    func forItself(_ app: App, scope: String?, boundTo: String?) async throws -> Grant {
        guard app.confidentiality == .confidential, !app.ownScopes.isEmpty else {
            throw OAuthError(.unauthorizedClient, "This app was not let do anything for itself.")
        }
        let scopes = try Self.narrowed(app.ownScopes, to: scope)
        let access = try await tokens.signer(for: app).make(
            for: app, user: nil, root: app.installation.rawValue, scopes: scopes, boundTo: boundTo)
        return grant(access, scopes: scopes)
    }

    // MARK: For a code

    /// What became of a code or a token in the transaction that looked at it. Some refusals have an effect, which must be
    /// committed; so refusals are values there.
    private enum Outcome {
        case granted(Grant)
        case refused(OAuthError)

        static let gone = refused("The user or the app is no more.")

        static func refused(_ detail: String) -> Outcome { .refused(OAuthError(.invalidGrant, detail)) }

        func get() throws -> Grant {
            switch self {
            case .granted(let grant): grant
            case .refused(let error): throw error
            }
        }
    }

    /// OAuth 2.1 section 4.1.3.
    func forCode(
        _ app: App, code: String?, redirectURI: String?, verifier: String?, boundTo: String?
    ) async throws -> Grant {
        guard let code else { throw OAuthError(.invalidRequest, "code is missing.") }
        guard let verifier else { throw OAuthError(.invalidRequest, "code_verifier is missing.") }
        let (hash, signer) = (keeper.hash(code), try await tokens.signer(for: app))
        return try await database.write { transaction -> Outcome in
            guard let known = try AuthorizationStore.code(hash: hash, in: transaction) else {
                return .refused("The code is unknown.")
            }
            if let spent = known.authorization {
                try revoke(spent, of: known.app, because: "code_reused", in: transaction)
                return .refused("The code was used before; what it was used for has ended.")
            }
            if let fault = Self.fault(known, app, redirectURI, verifier, boundTo, at: clock.now()) {
                return .refused(fault)
            }
            guard let (app, user) = try held(app, known.user, in: transaction) else { return .gone }
            let (authorization, refresh) = begin(app, user, known.scopes, known.authenticatedAt, boundTo: boundTo)
            try AuthorizationStore.insert(authorization, in: transaction)
            try AuthorizationStore.spend(codeWith: hash, for: authorization.id, in: transaction)
            return .granted(
                try grant(
                    authorization, app, user, refresh, nonce: known.nonce, isFirst: true, boundTo: boundTo, signer))
        }.get()
    }

    private static func fault(
        _ code: AuthorizationCode, _ app: App, _ redirectURI: String?, _ verifier: String, _ boundTo: String?,
        at now: Timestamp
    ) -> String? {
        if code.app != app.id { return "The code was given to another app." }
        if now >= code.expiresAt { return "The code has expired." }
        // OAuth 2.1 needs it no more, because the code challenge does its work; where it is sent, it must be right.
        if let redirectURI, redirectURI != code.redirectURI {
            return "redirect_uri is not the one that the code was sent to."
        }
        if !CodeChallenge.matches(code.challenge, verifier) { return "code_verifier does not fit the code_challenge." }
        if let bound = code.boundTo, bound != boundTo {
            return "The code is bound to another key than the proof is made with."
        }
        return nil
    }

    // MARK: For a device

    /// RFC 8628 section 3.4: `user` has approved what `app` asked for on a device.
    func forDevice(
        _ app: App, _ request: DeviceRequest, user id: UserID, authenticatedAt: Timestamp, boundTo: String?
    ) async throws -> Grant {
        let signer = try await tokens.signer(for: app)
        return try await database.write { transaction -> Outcome in
            guard try DeviceStore.spend(request, in: transaction) else {
                return .refused("The device code was used before.")
            }
            guard let (app, user) = try held(app, id, in: transaction) else { return .gone }
            let (authorization, refresh) = begin(app, user, request.scopes, authenticatedAt, boundTo: boundTo)
            try AuthorizationStore.insert(authorization, in: transaction)
            return .granted(
                try grant(authorization, app, user, refresh, nonce: nil, isFirst: true, boundTo: boundTo, signer))
        }.get()
    }

    // MARK: For a refresh token

    /// OAuth 2.1 section 4.3. The old token is good once; for a minute it brings the same answer again, so that a client whose
    /// line broke is not locked out; after that, or with an older one, whoever shows it has stolen it or was stolen from, and
    /// everything of this authorization ends.
    func forRefreshToken(_ app: App, _ text: String?, scope: String?, boundTo: String?) async throws -> Grant {
        guard let text else { throw OAuthError(.invalidRequest, "refresh_token is missing.") }
        guard let old = RefreshToken(text, by: keeper) else {
            throw OAuthError(.invalidGrant, "The refresh token is unknown.")
        }
        let signer = try await tokens.signer(for: app)
        return try await database.write { transaction -> Outcome in
            guard let authorization = try AuthorizationStore.find(old.authorization, in: transaction) else {
                return .refused("The refresh token has ended.")
            }
            guard authorization.app == app.id else {
                // Ours, and in other hands than those that got it.
                try revoke(
                    authorization.id, of: authorization.app, because: "refresh_token_of_another_app", in: transaction)
                return .refused("The refresh token is not this app's; what it was for has ended.")
            }
            if let bound = authorization.boundTo, bound != boundTo {
                return .refused("The refresh token is bound to another key.")
            }
            switch authorization.ruling(
                on: old, hash: keeper.hash(old.text), at: clock.now(), grace: IdentitySettings.refreshGrace)
            {
            case .refuse: return .refused("The refresh token has ended.")
            case .repeatAnswer:
                guard let answer = open(authorization.refresh.answer ?? [], with: old) else {
                    return .refused("The refresh token was used before.")
                }
                return .granted(answer)
            case .revokeAll:
                try revoke(authorization.id, of: app.id, because: "refresh_token_reused", in: transaction)
                return .refused("The refresh token was used before; the authorization has ended.")
            case .rotate: return try rotate(authorization, app, old, scope, boundTo, signer, in: transaction)
            }
        }.get()
    }

    private func rotate(
        _ authorization: Authorization, _ app: App, _ old: RefreshToken, _ scope: String?, _ boundTo: String?,
        _ signer: TokenSigner, in transaction: Transaction
    ) throws -> Outcome {
        guard let (app, user) = try held(app, authorization.user, in: transaction) else { return .gone }
        let next = RefreshToken(old.authorization, number: old.number + 1, by: keeper)
        do {
            let answer = try grant(
                authorization, app, user, next, scope: scope, nonce: nil, isFirst: false, boundTo: boundTo, signer)
            var refresh = refresh(next, at: clock.now())
            refresh.answer = try close(answer, for: old)
            try AuthorizationStore.setRefresh(refresh, of: authorization.id, in: transaction)
            return .granted(answer)
        } catch let error as OAuthError {
            return .refused(error)
        }
    }

    private static let answerPurpose = "refresh answer"

    private func close(_ answer: Grant, for old: RefreshToken) throws -> [UInt8] {
        try keeper.close(Array(answer.text.utf8), Self.answerPurpose, under: old.text)
    }

    private func open(_ closed: [UInt8], with old: RefreshToken) -> Grant? {
        keeper.open(closed, Self.answerPurpose, under: old.text).flatMap { try? JSON.parse($0) }
    }
}

// What all grants share.
extension IssueTokens {
    private func revoke(
        _ id: AuthorizationID, of app: AppID, because reason: String, in transaction: Transaction
    ) throws {
        let now = clock.now()
        let count = try AuthorizationStore.revoke(
            .one(id), at: now, tokensUntil: tokens.endOfAll(at: now), in: transaction)
        guard count > 0 else { return }
        try outbox.publish(
            "app.token_reuse_detected", subject: app.rawValue, actor: app.rawValue,
            ["authorization": .string(id.rawValue), "reason": .string(reason)], in: transaction)
    }

    /// Both as they are, and stay until the transaction ends.
    private func held(_ app: App, _ user: UserID, in transaction: Transaction) throws -> (App, User)? {
        guard let app = try AppStore.held(app.id, in: transaction),
            let user = try UserStore.held(user, in: transaction), app.isFor(user)
        else { return nil }
        return (app, user)
    }

    /// The refresh token of a public app is bound to its key; one that proves who it is has no need of that (RFC 9449
    /// section 5).
    private func begin(
        _ app: App, _ user: User, _ scopes: ScopeSet, _ authenticatedAt: Timestamp, boundTo: String?
    ) -> (Authorization, RefreshToken) {
        let now = clock.now()
        let id = AuthorizationID.make(at: now)
        let token = RefreshToken(id, number: 0, by: keeper)
        let authorization = Authorization(
            id: id, app: app.id, user: user.id, scopes: scopes, authenticatedAt: authenticatedAt, createdAt: now,
            boundTo: app.confidentiality == .public ? boundTo : nil, refresh: refresh(token, at: now), revokedAt: nil)
        return (authorization, token)
    }

    private func refresh(_ token: RefreshToken, at now: Timestamp) -> Authorization.Refresh {
        Authorization.Refresh(
            number: token.number, hash: keeper.hash(token.text), issuedAt: now,
            expiresAt: now.advanced(by: settings.refreshTokenLifetime), answer: nil)
    }

    /// Fewer scopes than were granted, where the client asks for fewer; never more (OAuth 2.1 section 4.3.1).
    private static func narrowed(_ granted: ScopeSet, to text: String?) throws(OAuthError) -> ScopeSet {
        guard let text else { return granted }
        guard let wanted = ScopeSet(text), !wanted.isEmpty, wanted.isSubset(of: granted) else {
            throw OAuthError(.invalidScope, "scope asks for more than was granted: \(granted.text).")
        }
        return wanted
    }

    private func grant(
        _ authorization: Authorization, _ app: App, _ user: User, _ refresh: RefreshToken, scope: String? = nil,
        nonce: String?, isFirst: Bool, boundTo: String?, _ signer: TokenSigner
    ) throws -> Grant {
        // Nobody lets an app do what they may not do themselves, nor what it may not ask for; now, and not only when they
        // said so.
        let scopes = try Self.narrowed(authorization.scopes, to: scope)
            .intersection(Authorize.allowed(user)).intersection(app.scopes)
        let access = try signer.make(
            for: app, user: user, root: authorization.id.rawValue, scopes: scopes,
            authenticatedAt: authorization.authenticatedAt, boundTo: boundTo)
        var members = grant(access, scopes: scopes).members ?? []
        if app.mayUse("refresh_token") { members.append(.init("refresh_token", .string(refresh.text))) }
        if isFirst, scopes.contains("openid") {
            let identity = IdentityToken(
                user: user, app: app, scopes: scopes, nonce: nonce, authenticatedAt: authorization.authenticatedAt,
                accessToken: access.text)
            members.append(.init("id_token", .string(try signer.sign(identity))))
        }
        return .object(members)
    }

    private func grant(_ access: (text: String, token: AccessToken), scopes: ScopeSet) -> Grant {
        let lifetime = access.token.issuedAt.duration(to: access.token.expiresAt)
        return [
            "access_token": .string(access.text), "token_type": access.token.boundTo == nil ? "Bearer" : "DPoP",
            "expires_in": .integer(Int64(lifetime / .seconds(1))), "scope": .string(scopes.text),
        ]
    }
}

/// Proof Key for Code Exchange with SHA-256 (RFC 7636), the only method.
enum CodeChallenge {
    /// 32 bytes in base 64.
    static func isValid(_ challenge: String) -> Bool {
        challenge.utf8.count == 43 && RandomText.bytes(challenge)?.count == 32
    }

    static func matches(_ challenge: String, _ verifier: String) -> Bool {
        let isAllowed = verifier.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [45, 46, 95, 126].contains(byte)
        }
        guard (43...128).contains(verifier.utf8.count), isAllowed else { return false }
        let hash = RandomText.text(Array(SHA256.hash(data: Array(verifier.utf8))))
        return hash.isSame(as: challenge)
    }
}
