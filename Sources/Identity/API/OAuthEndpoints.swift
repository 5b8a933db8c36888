// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

// The protocol's own endpoints, which are described by the server's metadata and not by the API's document.
extension IdentityModule {
    /// What apps speak with: tokens, and what is known of them. What costs nothing here counts under the app, once it is known.
    package var protocolEndpoints: [Endpoint] {
        [
            .exchange(.post, "/oauth/token", "token", "Get tokens", use: token).cost(0),
            .exchange(.post, "/oauth/revoke", "revoke", "End a token", use: revoke).cost(0),
            .exchange(.post, "/oauth/introspect", "introspect", "Whether a token is good", use: introspect).cost(0)
                .asking(),
            .exchange(.post, "/oauth/par", "pushRequest", "Push a request", use: push).cost(0),
            .exchange(.post, "/oauth/device_authorization", "authorizeDevice", "Begin on a device", use: beginDevice)
                .cost(0),
            .exchange(.post, "/oauth/register", "registerClient", "Register an app", use: registerClient)
                .scope(.writeApps),
            .exchange(.get, Self.clientPath, "readClient", "What an app is registered as", use: readClient),
            .exchange(.put, Self.clientPath, "replaceClient", "Register an app anew", use: replaceClient),
            .exchange(.delete, Self.clientPath, "removeClient", "End a registration", use: removeClient),
            .exchange(.get, "/oauth/userinfo", "userInfo", "Who the user is", use: userInfo).anyKey().forCustomers(
                .all),
            .exchange(.post, "/oauth/userinfo", "postUserInfo", "Who the user is", use: userInfo).anyKey()
                .forCustomers(.all),
            .exchange(.get, "/oauth/jwks", "jwks", "The keys that sign tokens", use: jwks),
            .exchange(.get, "/.well-known/oauth-authorization-server", "serverMetadata", "What this server can") {
                _, _ in OAuthAnswer.metadata(ServerMetadata(issuer: settings.issuer).server)
            },
            .exchange(.get, "/.well-known/openid-configuration", "openIDMetadata", "What this server can") {
                _, _ in OAuthAnswer.metadata(ServerMetadata(issuer: settings.issuer).server)
            },
            .exchange(.get, "/.well-known/oauth-protected-resource", "resourceMetadata", "Whose tokens are taken") {
                _, _ in OAuthAnswer.metadata(ServerMetadata(issuer: settings.issuer).resource)
            },
        ]
    }

    private static let clientPath = "/oauth/register/{client_id}"

    // MARK: Tokens

    private func token(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(exchange, of: call) { form, app in
            let boundTo = try boundTo(exchange, app)
            let grant =
                switch form["grant_type"] {
                case "client_credentials":
                    try await issue.forItself(app, scope: form["scope"], boundTo: boundTo)
                case let type? where App.grantsOfPeople.contains(type) && !app.mayUse(type):
                    throw OAuthError(.unauthorizedClient, "This app has not registered for the grant \(type).")
                case "authorization_code":
                    try await issue.forCode(
                        app, code: form["code"], redirectURI: form["redirect_uri"], verifier: form["code_verifier"],
                        boundTo: boundTo)
                case "refresh_token":
                    try await issue.forRefreshToken(
                        app, form["refresh_token"], scope: form["scope"], boundTo: boundTo)
                case "urn:ietf:params:oauth:grant-type:device_code":
                    try await forDevice(app, form["device_code"], boundTo: boundTo)
                case nil: throw OAuthError(.invalidRequest, "grant_type is missing.")
                case _?:
                    throw OAuthError(
                        .unsupportedGrantType,
                        "grant_type is authorization_code, client_credentials, refresh_token or device_code.")
                }
            return OAuthAnswer.json(200, grant)
        }
    }

    private func forDevice(_ app: App, _ code: String?, boundTo: String?) async throws -> JSON {
        let approved = try await devices.poll(app, deviceCode: code)
        return try await issue.forDevice(
            app, approved.request, user: approved.user, authenticatedAt: approved.authenticatedAt, boundTo: boundTo)
    }

    /// The key to which tokens are to be bound, where the app proves one (RFC 9449 section 5).
    private func boundTo(_ exchange: Exchange, _ app: App) throws -> String? {
        let proofs = exchange.values(of: "DPoP")
        if proofs.isEmpty {
            if app.requiresBinding {
                throw OAuthError(.invalidProof, "This app's tokens are bound to a key; send DPoP.")
            }
            return nil
        }
        do throws(KeyProofs.Fault) {
            return try tokenAuthenticator.proofs.thumbprint(
                proofs, method: exchange.method.rawValue, path: exchange.path)
        } catch {
            switch error {
            case .invalid(let detail): throw OAuthError(.invalidProof, detail)
            case .needsNonce: throw OAuthError(.useNonce, "Put the nonce of DPoP-Nonce into the proof.")
            }
        }
    }

    /// RFC 7009: ends what the token stands for. What is unknown has ended already, so that this succeeds.
    private func revoke(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(exchange, of: call) { form, app in
            guard let text = form["token"] else { throw OAuthError(.invalidRequest, "token is missing.") }
            try await revokeToken(text, of: app)
            return OAuthAnswer.empty
        }
    }

    /// RFC 7662. An app may ask about its own tokens, and with `introspect:tokens` about any.
    private func introspect(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(exchange, of: call) { form, app in
            guard app.confidentiality == .confidential else {
                throw OAuthError(.unauthorizedClient, "An app that cannot prove who it is learns nothing of tokens.")
            }
            guard let text = form["token"] else { throw OAuthError(.invalidRequest, "token is missing.") }
            return OAuthAnswer.json(200, try await introspectToken(text, for: app))
        }
    }

    // MARK: Before a browser

    /// RFC 9126.
    private func push(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(exchange, of: call) { form, app in
            do {
                let proof = exchange.values(of: "DPoP").isEmpty ? nil : try boundTo(exchange, app)
                let uri = try await authorize.push(form, by: app, boundTo: proof)
                let lifetime = IdentitySettings.pushedRequestLifetime
                return OAuthAnswer.json(
                    201, ["request_uri": .string(uri), "expires_in": .integer(Int64(lifetime / .seconds(1)))])
            } catch AuthorizationRequest.Fault.toPerson(let detail) {
                throw OAuthError(.invalidRequest, detail)
            } catch AuthorizationRequest.Fault.toApp(let error, _, _, _) {
                throw error
            }
        }
    }

    /// RFC 8628 section 3.1.
    private func beginDevice(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(exchange, of: call) { form, app in
            guard app.mayUse("urn:ietf:params:oauth:grant-type:device_code") else {
                throw OAuthError(.unauthorizedClient, "This app has not registered for devices.")
            }
            let (code, request) = try await devices.begin(app, scope: form["scope"])
            let page = settings.issuer + "/device"
            let shown = request.userCode.prefix(4) + "-" + request.userCode.suffix(4)
            return OAuthAnswer.json(
                200,
                [
                    "device_code": .string(code), "user_code": .string(String(shown)),
                    "verification_uri": .string(page),
                    "verification_uri_complete": .string("\(page)?user_code=\(shown)"),
                    "expires_in": .integer(Int64(IdentitySettings.deviceRequestLifetime / .seconds(1))),
                    "interval": .integer(Int64(request.intervalSeconds)),
                ])
        }
    }

    // MARK: Knowing

    private func jwks(_ call: Call, _: Exchange) async throws -> WireResponse {
        let keys = try await tokens.keys.all().map { try JWK($0).json }
        return OAuthAnswer.metadata(["keys": .array(keys)])
    }

    /// OpenID Connect Core 1.0 section 5.3.
    private func userInfo(_ call: Call, _: Exchange) async throws -> WireResponse {
        guard let principal = call.principal, principal.claims.contains("openid"),
            let id = principal.user.flatMap({ UserID($0) })
        else { throw Problem.missing("openid", of: call.principal) }
        guard let user = try await call.read({ try UserStore.find(id, in: $0) }) else {
            throw IdentityError.userNotFound
        }
        return OAuthAnswer.json(
            200, .object([.init("sub", .string(id.rawValue))] + IdentityToken.about(user, principal.claims)))
    }

    // MARK: Every exchange

    /// Reads the form, finds out which app calls, holds it to its limits, and puts refusals into OAuth's words.
    private func answering(
        _ exchange: Exchange, of call: Call, _ body: (Form, App) async throws -> WireResponse
    ) async throws -> WireResponse {
        do {
            guard let form = exchange.form else {
                throw OAuthError(.invalidRequest, "Send a form: Content-Type: application/x-www-form-urlencoded.")
            }
            if let name = form.repeated, name != "resource" {
                throw OAuthError(.invalidRequest, "\(name) is given more than once.")
            }
            try Resource.check(form, issuer: settings.issuer)
            let app = try await client(exchange, form, of: call)
            return try await call.counted(as: app.principal) { try await body(form, app) }
        } catch let error as OAuthError {
            call.noteRefusal(error.code.rawValue)
            if error.code == .invalidClient { try await call.noteFailedSignIn(from: exchange.address) }
            return OAuthAnswer.refusal(error, nonce: tokenAuthenticator.proofs.nonce)
        }
    }

    /// Which app calls. Whoever has guessed too often is not looked up any more; an app that is known goes on beside him.
    private func client(_ exchange: Exchange, _ form: Form, of call: Call) async throws -> App {
        let proof = Result { try clients.proof(exchange, form) }
        if (try? clients.isAtHand(proof.get())) != true { try await call.requireSignInAllowed(from: exchange.address) }
        do {
            return try await clients(proof.get())
        } catch var error as OAuthError {
            error.isBasic = exchange.header("Authorization") != nil
            throw error
        }
    }
}

extension App {
    /// The app as limits count it.
    fileprivate var principal: Principal { Principal(id: id.rawValue, name: name, scopes: [], tier: tier) }
}
