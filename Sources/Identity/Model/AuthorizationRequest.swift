// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What an app asks for through a browser (OAuth 2.1 section 4.1.1), once it is known to be well formed.
struct AuthorizationRequest: Sendable {
    /// As the app wrote it, wherever that stood.
    let form: Form
    let app: App
    /// Whether it was pushed, so that no address has it.
    let isPushed: Bool
    let redirectURI: String
    let state: String?
    let scopes: ScopeSet
    let challenge: String
    let nonce: String?
    /// The thumbprint of the key that the code is for (RFC 9449 section 10).
    let boundTo: String?
    let prompt: Set<String>
    /// How long ago the user may have proved who they are, in seconds (OpenID Connect Core 1.0 section 3.1.2.1).
    let maxAge: Int64?

    /// The field by which we know on the way back from signing in that it was asked for, and when.
    static let askedField = "signed_in_since"

    /// A refusal, and whom it is told: the app, where it is sure whose address that is; else the person in front of the browser.
    enum Fault: Error {
        case toPerson(String)
        case toApp(OAuthError, App, redirectURI: String, state: String?)
    }

    /// - Throws: ``Fault``. Nothing is sent to an address before it is known to be the app's (RFC 9700 section 4.11).
    init(_ form: Form, app: App, issuer: String, isPushed: Bool = false) throws(Fault) {
        guard form.encoded.utf8.count <= Self.bytesMax else { throw .toPerson("The app asks in too many words.") }
        if let name = form.repeated, name != "resource" { throw .toPerson("\(name) is given more than once.") }
        guard let uri = form["redirect_uri"] ?? (app.redirectURIs.count == 1 ? app.redirectURIs.first : nil) else {
            throw .toPerson("The app did not say where you come from (redirect_uri).")
        }
        guard app.redirects(to: uri) else {
            throw .toPerson("The address that the app names (redirect_uri) is not one that it registered.")
        }
        let state = form["state"]
        do throws(OAuthError) {
            guard app.mayUse("authorization_code") else {
                throw OAuthError(.unauthorizedClient, "This app has not registered for the grant authorization_code.")
            }
            try Self.check(form, issuer: issuer)
            (scopes, challenge) = (try Self.scopes(form, app), try Self.challenge(form))
            (prompt, maxAge) = (try Self.prompt(form), try Self.maxAge(form))
        } catch {
            throw .toApp(error, app, redirectURI: uri, state: state)
        }
        self.form = form
        self.app = app
        self.isPushed = isPushed
        redirectURI = uri
        self.state = state
        nonce = form["nonce"]
        boundTo = form["dpop_jkt"]
    }

    /// So much fits into an address wherever it passes.
    private static let bytesMax = 7_000

    private static func check(_ form: Form, issuer: String) throws(OAuthError) {
        guard form["response_type"] == "code" else {
            throw OAuthError(.unsupportedResponseType, "response_type is code; the implicit grant is no more.")
        }
        guard form["response_mode"] ?? "query" == "query" else {
            throw OAuthError(.invalidRequest, "response_mode is query.")
        }
        guard form["request"] == nil else {
            throw OAuthError(.requestNotSupported, "Requests in a token are not taken; push the request instead.")
        }
        try Resource.check(form, issuer: issuer)
        for (name, most) in [("state", 1_000), ("nonce", 500), ("dpop_jkt", 43)] {
            guard form[name]?.utf8.count ?? 0 <= most else {
                throw OAuthError(.invalidRequest, "\(name) has \(most) characters at most.")
            }
        }
    }

    private static func scopes(_ form: Form, _ app: App) throws(OAuthError) -> ScopeSet {
        guard let text = form["scope"] else { return app.scopes }
        guard let scopes = ScopeSet(text), !scopes.isEmpty else {
            throw OAuthError(.invalidScope, "scope names something that there is not.")
        }
        guard scopes.isSubset(of: app.scopes) else {
            throw OAuthError(.invalidScope, "The app did not register for \(scopes.subtracting(app.scopes).text).")
        }
        return scopes
    }

    private static func challenge(_ form: Form) throws(OAuthError) -> String {
        guard let challenge = form["code_challenge"] else {
            throw OAuthError(.invalidRequest, "code_challenge is needed (RFC 7636), of every client.")
        }
        guard form["code_challenge_method"] == "S256", CodeChallenge.isValid(challenge) else {
            throw OAuthError(.invalidRequest, "code_challenge_method is S256, and code_challenge 43 characters.")
        }
        return challenge
    }

    private static func prompt(_ form: Form) throws(OAuthError) -> Set<String> {
        let prompt = Set((form["prompt"] ?? "").split(separator: " ").map(String.init))
        guard prompt.isSubset(of: ["none", "login", "consent", "select_account"]),
            !prompt.contains("none") || prompt.count == 1
        else { throw OAuthError(.invalidRequest, "prompt is none, login, consent or select_account.") }
        return prompt
    }

    private static func maxAge(_ form: Form) throws(OAuthError) -> Int64? {
        guard let text = form["max_age"] else { return nil }
        guard let age = Int64(text), (0...1_000_000_000).contains(age) else {
            throw OAuthError(.invalidRequest, "max_age is a number of seconds.")
        }
        return age
    }

    /// What is asked before anything is given: whether to sign in, or to consent.
    enum Step: Equatable {
        case signIn
        case consent
        case proceed
    }

    /// What comes next for somebody who proved at `authenticatedAt` who they are, `nil` for nobody, and who has `consented` to
    /// this before. `asked` is when they were sent to sign in for this.
    func step(
        authenticatedAt: Timestamp?, consented: ScopeSet, asked: Timestamp?, at now: Timestamp
    ) throws(OAuthError) -> Step {
        guard let authenticatedAt, !isTooOld(authenticatedAt, asked: asked, at: now) else {
            if prompt.contains("none") { throw OAuthError(.loginRequired, "Nobody is signed in.") }
            return .signIn
        }
        // Anybody can pretend to be an app on somebody's own machine, so that its user is asked each time (RFC 8252 section 8.6).
        let mustAsk = prompt.contains("consent") || RedirectURI.isNative(redirectURI) || !scopes.isSubset(of: consented)
        if mustAsk, prompt.contains("none") {
            throw OAuthError(.consentRequired, "The user has not consented to this.")
        }
        return mustAsk ? .consent : .proceed
    }

    private func isTooOld(_ authenticatedAt: Timestamp, asked: Timestamp?, at now: Timestamp) -> Bool {
        // Whoever has signed in since they were asked to has proved it, however young the app wants the proof.
        if let asked, authenticatedAt >= asked { return false }
        if !prompt.isDisjoint(with: ["login", "select_account"]) { return true }
        return maxAge.map { authenticatedAt.duration(to: now) > .seconds($0) } ?? false
    }

    /// The address of the app with the answer in it, and who answers (RFC 9207).
    static func address(_ redirectURI: String, state: String?, issuer: String, _ answer: [(String, String)]) -> String {
        let fields = answer + (state.map { [("state", $0)] } ?? []) + [("iss", issuer)]
        let query = fields.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return redirectURI + (redirectURI.contains("?") ? "&" : "?") + query
    }
}

/// What tokens are for (RFC 8707).
enum Resource {
    static func check(_ form: Form, issuer: String) throws(OAuthError) {
        let ours = [issuer, issuer + "/", issuer + "/v1"]
        guard form.fields.allSatisfy({ $0.name != "resource" || ours.contains($0.value) }) else {
            throw OAuthError(.invalidTarget, "resource is \(issuer).")
        }
    }
}
