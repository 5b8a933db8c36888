// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Dynamic registration (RFC 7591). The initial access token is a key or a token with `write:apps`.
extension IdentityModule {
    func registerClient(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        do {
            guard let json = exchange.json, json.members != nil else {
                throw OAuthError(.invalidMetadata, "Send an object: Content-Type: application/json.")
            }
            let draft = try Self.draft(json)
            let (apps, actor) = (apps, call.actor)
            let registered = try await call.write { try apps.register(draft, by: actor, in: $0) }
            return OAuthAnswer.json(201, Self.answer(registered, json))
        } catch IdentityError.redirectURI(let uri, let fault) {
            return OAuthAnswer.refusal(OAuthError(.invalidRedirectURI, "\(uri.prefix(100)): \(fault)"), nonce: "")
        } catch let error as OAuthError {
            return OAuthAnswer.refusal(error, nonce: "")
        }
    }

    private static let grantTypes: Set = [
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
    ]

    /// What the request asks for, with what this server leaves out and puts in its place (section 2). An app that registers
    /// itself may ask people, and nothing for itself.
    private static func draft(_ json: JSON) throws -> AppDraft {
        let method = json["token_endpoint_auth_method"]?.string ?? "client_secret_basic"
        let keys = try keys(json["jwks"])
        switch method {
        case "none", "client_secret_basic", "client_secret_post":
            guard keys.isEmpty else { throw OAuthError(.invalidMetadata, "jwks goes with private_key_jwt.") }
        case "private_key_jwt":
            guard !keys.isEmpty else {
                throw OAuthError(.invalidMetadata, "private_key_jwt needs jwks, in the request.")
            }
        default: throw OAuthError(.invalidMetadata, "token_endpoint_auth_method \(method.prefix(60)) is not known.")
        }
        let grants = strings(json["grant_types"]) ?? ["authorization_code"]
        guard Set(grants).isSubset(of: grantTypes) else {
            throw OAuthError(.invalidMetadata, "grant_types are \(grantTypes.sorted().joined(separator: ", ")).")
        }
        guard strings(json["response_types"]) ?? ["code"] == ["code"] else {
            throw OAuthError(.invalidMetadata, "response_types is code.")
        }
        let uris = strings(json["redirect_uris"]) ?? []
        guard !uris.isEmpty || !grants.contains("authorization_code"), uris.count <= 20 else {
            throw OAuthError(.invalidRedirectURI, "redirect_uris has 1 to 20 addresses.")
        }
        guard let scopes = ScopeSet(json["scope"]?.string ?? "openid") else {
            throw OAuthError(.invalidMetadata, "scope names something that there is not.")
        }
        let name = json["client_name"]?.string ?? "An app without a name"
        guard (1...100).contains(name.unicodeScalars.count) else {
            throw OAuthError(.invalidMetadata, "client_name has 1 to 100 characters.")
        }
        return AppDraft(
            name: name, confidentiality: method == "none" ? .public : .confidential, redirectURIs: uris,
            scopes: scopes, keys: keys, requiresBinding: json["dpop_bound_access_tokens"]?.bool ?? false,
            homepage: json["client_uri"].flatMap { homepage in
                var decoding = Decoding()
                return Schema.homepage.decode(homepage, &decoding)
            })
    }

    static func keys(_ json: JSON?) throws -> [JWK] {
        guard let json else { return [] }
        let given = json["keys"]?.array ?? []
        let keys = given.compactMap(JWK.init)
        guard !keys.isEmpty, keys.count == given.count, keys.count <= 10 else {
            throw OAuthError(
                .invalidMetadata, "jwks takes 1 to 10 public keys of P-256 or of RSA with 2,048 bits and more.")
        }
        return keys
    }

    private static func strings(_ json: JSON?) -> [String]? {
        json?.array.map { $0.compactMap(\.string) }
    }

    /// RFC 7591 section 3.2.1.
    private static func answer(_ registered: ManageApps.Registered, _ asked: JSON) -> JSON {
        let app = registered.app
        let method =
            app.confidentiality == .public ? "none" : app.keys.isEmpty ? "client_secret_basic" : "private_key_jwt"
        var members: [JSON.Member] = [
            .init("client_id", .string(app.id.rawValue)), .init("client_id_issued_at", .integer(app.createdAt.seconds)),
            .init("client_name", .string(app.name)),
            .init("redirect_uris", .array(app.redirectURIs.map { .string($0) })),
            .init("grant_types", asked["grant_types"] ?? ["authorization_code"]),
            .init("response_types", ["code"]),
            .init("token_endpoint_auth_method", asked["token_endpoint_auth_method"] ?? .string(method)),
            .init("scope", .string(app.scopes.text)), .init("dpop_bound_access_tokens", .bool(app.requiresBinding)),
        ]
        if let secret = registered.secret {
            members += [.init("client_secret", .string(secret)), .init("client_secret_expires_at", 0)]
        }
        if !app.keys.isEmpty { members.append(.init("jwks", ["keys": .array(app.keys.map(\.json))])) }
        return .object(members)
    }
}
