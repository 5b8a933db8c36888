// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Dynamic registration. The initial access token (RFC 7591) is a key or a token with `write:apps`; afterwards a client is known
// by the token that it got (RFC 7592).
extension IdentityModule {
    func registerClient(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await answering(call) {
            let metadata = try ClientMetadata(Self.object(exchange))
            let (register, actor) = (register, call.actor)
            try await tokens.keys.prepare(metadata.identityAlgorithm)
            let registered = try await call.write { try register(metadata, by: actor, in: $0) }
            return OAuthAnswer.json(201, registered.json(issuer: settings.issuer))
        }
    }

    func readClient(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await managing(call, exchange) { id, token in
            try await register.find(id, token: token).map { OAuthAnswer.json(200, $0.json(issuer: settings.issuer)) }
        }
    }

    func replaceClient(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await managing(call, exchange) { id, token in
            let register = register
            // Whoever has not the token learns nothing of what is wrong with what he sends.
            guard try await register.find(id, token: token) != nil else { return nil }
            let json = try Self.object(exchange)
            guard json["client_id"]?.string == id.rawValue else {
                throw OAuthError(.invalidMetadata, "client_id is the one of the address.")
            }
            if let name = Self.ours.first(where: { json[$0] != nil }) {
                throw OAuthError(.invalidMetadata, "\(name) is not the client's to say; leave it out.")
            }
            let (metadata, secret) = (try ClientMetadata(json), try Asked(json: json).text("client_secret"))
            let replaced = try await call.write { transaction in
                try register.replace(id, token: token, with: metadata, secret: secret, in: transaction)
            }
            return replaced.map { OAuthAnswer.json(200, $0.json(issuer: settings.issuer)) }
        }
    }

    func removeClient(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await managing(call, exchange) { id, token in
            let register = register
            let isRemoved = try await call.write { try register.remove(id, token: token, in: $0) }
            return isRemoved ? OAuthAnswer.removed : nil
        }
    }

    /// What a client must not send when it changes its registration (RFC 7592 section 2.2).
    private static let ours = [
        "registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at",
    ]

    /// Has `body` run for the client of the address, with the token that it shows. One that is not known is refused like one whose
    /// token is another (RFC 7592 section 2).
    private func managing(
        _ call: Call, _ exchange: Exchange, _ body: (AppID, _ token: String) async throws -> WireResponse?
    ) async throws -> WireResponse {
        try await call.requireSignInAllowed(from: exchange.address)
        let parts = (exchange.header("Authorization") ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Problem.challenge("Send Authorization: Bearer <registration_access_token>.")
        }
        return try await answering(call) {
            let id = exchange.path.split(separator: "/").last.flatMap { AppID(String($0)) }
            if let id, let answer = try await body(id, String(parts[1].drop { $0 == " " })) { return answer }
            try await call.noteFailedSignIn(from: exchange.address)
            throw Problem.challenge("This token is not the one of this client's registration.", error: "invalid_token")
        }
    }

    private static func object(_ exchange: Exchange) throws -> JSON {
        guard let json = exchange.json, json.members != nil else {
            throw OAuthError(.invalidMetadata, "Send an object: Content-Type: application/json.")
        }
        return json
    }

    /// Puts refusals into OAuth's words.
    private func answering(_ call: Call, _ body: () async throws -> WireResponse) async throws -> WireResponse {
        func refusal(_ error: OAuthError) -> WireResponse {
            call.noteRefusal(error.code.rawValue)
            return OAuthAnswer.refusal(error, nonce: "")
        }
        do {
            return try await body()
        } catch IdentityError.redirectURI(let uri, let fault) {
            return refusal(OAuthError(.invalidRedirectURI, "\(uri.prefix(100)): \(fault)"))
        } catch let error as OAuthError {
            return refusal(error)
        }
    }
}

extension RegisterClients.Registered {
    /// RFC 7591 section 3.2.1, RFC 7592 section 3.
    fileprivate func json(issuer: String) -> JSON {
        var members: [JSON.Member] = [
            .init("client_id", .string(app.id.rawValue)), .init("client_id_issued_at", .integer(app.createdAt.seconds)),
            .init("client_name", .string(app.name)),
            .init("redirect_uris", .array(app.redirectURIs.map { .string($0) })),
            .init("grant_types", .array((app.grantTypes ?? []).map { .string($0) })),
            .init("response_types", ["code"]),
            .init("token_endpoint_auth_method", .string(registration.method)),
            .init("scope", .string(app.scopes.text)), .init("dpop_bound_access_tokens", .bool(app.requiresBinding)),
            .init("require_pushed_authorization_requests", .bool(app.requiresPush)),
            .init("id_token_signed_response_alg", .string(app.identityAlgorithm.rawValue)),
            .init("registration_access_token", .string(token)),
            .init("registration_client_uri", .string("\(issuer)/oauth/register/\(app.id)")),
        ]
        if let secret {
            members += [.init("client_secret", .string(secret)), .init("client_secret_expires_at", 0)]
        }
        if let homepage = app.homepage { members.append(.init("client_uri", .string(homepage))) }
        if !app.keys.isEmpty { members.append(.init("jwks", ["keys": .array(app.keys.map(\.json))])) }
        return .object(members)
    }
}
