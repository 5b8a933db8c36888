// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Lets people say what an app may do in their name.
struct Authorize: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper
    let directory: AppDirectory
    let issuer: String

    private static let pushedPrefix = "urn:ietf:params:oauth:request_uri:"

    /// Reads a request, or one that was pushed before (RFC 9126 section 4): by the app, or by us. One that `isOurs` comes from a page
    /// of ours, on which what an app had pushed was shown.
    ///
    /// - Throws: ``AuthorizationRequest/Fault``.
    func request(_ form: Form, isOurs: Bool = false) async throws -> AuthorizationRequest {
        guard let id = form["client_id"].flatMap({ AppID($0) }), let known = try await directory.find(id) else {
            throw AuthorizationRequest.Fault.toPerson("No app of this shop has the name that was given (client_id).")
        }
        guard let uri = form["request_uri"] else {
            let request = try AuthorizationRequest(form, app: known.app, issuer: issuer)
            guard isOurs || !known.app.requiresPush else {
                throw AuthorizationRequest.Fault.toApp(
                    OAuthError(.invalidRequest, "This app asks by requests alone that it has pushed to /oauth/par."),
                    known.app, redirectURI: request.redirectURI, state: request.state)
            }
            return request
        }
        let (hash, now) = (keeper.hash(uri), clock.now())
        let pushed = try await database.read { try PushedRequestStore.find(hash: hash, of: id, at: now, in: $0) }
        guard let pushed, let parameters = Form(encoded: pushed) else {
            throw AuthorizationRequest.Fault.toPerson("The request that the app has pushed is over. Begin again there.")
        }
        let named = Form(
            fields: parameters.fields.filter { $0.name != "client_id" } + [.init(name: "client_id", value: id.rawValue)]
        )
        return try AuthorizationRequest(named, app: known.app, issuer: issuer, isPushed: true)
    }

    /// Keeps a request until a browser comes with its name (RFC 9126).
    ///
    /// - Throws: ``AuthorizationRequest/Fault``.
    func push(_ form: Form, by app: App, boundTo: String?) async throws -> String {
        let secrets: Set = ["client_secret", "client_assertion", "client_assertion_type"]
        var kept = Form(fields: form.fields.filter { !secrets.contains($0.name) })
        if let boundTo {
            // A proof says the same as the field (RFC 9449 section 10.1).
            guard kept["dpop_jkt"] ?? boundTo == boundTo else {
                throw OAuthError(.invalidProof, "dpop_jkt names another key than the proof is made with.")
            }
            let others = kept.fields.filter { $0.name != "dpop_jkt" }
            kept = Form(fields: others + [.init(name: "dpop_jkt", value: boundTo)])
        }
        guard kept["request_uri"] == nil else {
            throw AuthorizationRequest.Fault.toPerson("A pushed request names no other one.")
        }
        _ = try AuthorizationRequest(kept, app: app, issuer: issuer)
        return try await keep(kept, of: app, for: IdentitySettings.pushedRequestLifetime)
    }

    /// - Returns: the name by which the request is known for so long.
    private func keep(_ form: Form, of app: App, for lifetime: Duration) async throws -> String {
        let uri = Self.pushedPrefix + RandomText.make()
        let (hash, end) = (keeper.hash(uri), clock.now().advanced(by: lifetime))
        let parameters = form.encoded
        try await database.write {
            try PushedRequestStore.insert(parameters, hash: hash, of: app.id, until: end, in: $0)
        }
        return uri
    }

    // MARK: Signing in for a request

    /// How long somebody may take to sign in.
    private static let signInMax = Duration.seconds(600)

    /// What brings somebody back from signing in: the request with a mark of now, which nobody else can make. What was pushed stays
    /// out of addresses (RFC 9126 section 1).
    func asking(_ request: AuthorizationRequest) async throws -> Form {
        let form = marked(request)
        guard request.isPushed else { return form }
        let uri = try await keep(form, of: request.app, for: Self.signInMax)
        return Form(fields: [
            .init(name: "client_id", value: request.app.id.rawValue), .init(name: "request_uri", value: uri),
        ])
    }

    private func marked(_ request: AuthorizationRequest) -> Form {
        let now = String(clock.now().milliseconds)
        let mark =
            now + "." + RandomText.text(keeper.tag("signed in since", "\(now) \(request.app.id) \(request.challenge)"))
        let others = request.form.fields.filter { $0.name != AuthorizationRequest.askedField }
        return Form(fields: others + [.init(name: AuthorizationRequest.askedField, value: mark)])
    }

    /// When the person in front of this request was sent to sign in; `nil` where they were not, or long ago.
    func asked(_ request: AuthorizationRequest) -> Timestamp? {
        let parts = (request.form[AuthorizationRequest.askedField] ?? "").split(separator: ".")
        guard parts.count == 2, let time = Int64(parts[0]).flatMap({ Timestamp(milliseconds: $0) }) else { return nil }
        let tag = RandomText.text(keeper.tag("signed in since", "\(parts[0]) \(request.app.id) \(request.challenge)"))
        guard tag.isSame(as: parts[1]), time.duration(to: clock.now()) <= Self.signInMax else {
            return nil
        }
        return time
    }

    func consented(by user: UserID, to app: AppID) async throws -> ScopeSet {
        try await database.read { try AuthorizationStore.consent(of: user, to: app, in: $0) }
    }

    func consents(
        of user: UserID
    ) async throws -> [(app: AppID, name: String, scopes: ScopeSet, givenAt: Timestamp)] {
        try await database.read { try AuthorizationStore.consents(of: user, in: $0) }
    }

    /// Ends what a user lets an app do, with every token of it.
    func withdraw(_ app: AppID, by user: UserID, _ tokens: AccessTokens) async throws {
        let now = clock.now()
        try await database.write { transaction in
            try UserStore.lock(user, in: transaction)
            try AuthorizationStore.removeConsents(to: app, of: user, in: transaction)
            try AuthorizationStore.revoke(
                .all(app: app, user: user), at: now, tokensUntil: tokens.endOfAll(at: now), in: transaction)
            try outbox.publish(
                "app.authorization_withdrawn", subject: app.rawValue, actor: user.rawValue, [:], in: transaction)
        }
    }

    /// Makes a code. What the user has `consented` to now is remembered with what they consented to before.
    func code(
        for request: AuthorizationRequest, _ user: User, authenticatedAt: Timestamp, consents: Bool
    ) async throws -> String {
        guard request.app.isFor(user) else {
            throw AuthorizationRequest.Fault.toApp(
                OAuthError(.accessDenied, "This app is not for you."), request.app, redirectURI: request.redirectURI,
                state: request.state)
        }
        let (code, now) = (RandomText.make(), clock.now())
        let kept = AuthorizationCode(
            app: request.app.id, user: user.id, redirectURI: request.redirectURI, challenge: request.challenge,
            scopes: request.scopes.intersection(Self.allowed(user)), nonce: request.nonce, boundTo: request.boundTo,
            authenticatedAt: authenticatedAt, expiresAt: now.advanced(by: IdentitySettings.codeLifetime))
        let hash = keeper.hash(code)
        let isGiven = try await database.write { transaction in
            try UserStore.lock(user.id, in: transaction)
            if consents {
                try note(request.scopes, user, request.app, at: now, in: transaction)
            } else {
                // Taken back in this moment, it is not given.
                let known = try AuthorizationStore.consent(of: user.id, to: request.app.id, in: transaction)
                guard request.scopes.isSubset(of: known) else { return false }
            }
            try AuthorizationStore.insert(kept, hash: hash, in: transaction)
            return true
        }
        guard isGiven else {
            throw AuthorizationRequest.Fault.toApp(
                OAuthError(.accessDenied, "The user has taken it back."), request.app, redirectURI: request.redirectURI,
                state: request.state)
        }
        return code
    }

    func note(_ scopes: ScopeSet, _ user: User, _ app: App, at now: Timestamp, in transaction: Transaction) throws {
        let before = try AuthorizationStore.consent(of: user.id, to: app.id, in: transaction)
        let all = before.union(scopes.intersection(Self.allowed(user)))
        try AuthorizationStore.saveConsent(of: user.id, to: app.id, all, at: now, in: transaction)
        try outbox.publish(
            "app.authorized", subject: app.id.rawValue, actor: user.id.rawValue, ["scope": .string(all.text)],
            in: transaction)
    }

    /// What somebody can let an app do: what they may do themselves.
    static func allowed(_ user: User) -> ScopeSet {
        ScopeSet(user.scopes).union(.identity)
    }
}
