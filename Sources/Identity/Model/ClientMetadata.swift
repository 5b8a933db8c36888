// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What a client says of itself when it registers (RFC 7591 section 2), with what this server leaves out and puts in its place.
/// One that registers itself may ask people, and nothing for itself.
struct ClientMetadata: Sendable {
    let name: String
    /// How it proves who it is: `token_endpoint_auth_method`.
    let method: String
    let grantTypes: [String]
    let redirectURIs: [String]
    let scopes: ScopeSet
    let keys: [JWK]
    let requiresBinding: Bool
    let requiresPush: Bool
    let identityAlgorithm: SigningAlgorithm
    let homepage: String?

    var confidentiality: App.Confidentiality { method == "none" ? .public : .confidential }

    var draft: AppDraft {
        AppDraft(
            name: name, confidentiality: confidentiality, redirectURIs: redirectURIs, scopes: scopes, keys: keys,
            requiresBinding: requiresBinding, requiresPush: requiresPush, identityAlgorithm: identityAlgorithm,
            homepage: homepage, grantTypes: grantTypes)
    }

    /// - Throws: ``OAuthError`` with `invalidMetadata` or `invalidRedirectURI`.
    init(_ json: JSON) throws {
        let asked = Asked(json: json)
        method = try asked.text("token_endpoint_auth_method") ?? "client_secret_basic"
        keys = try Self.keys(json["jwks"])
        try Self.check(method, keys)
        grantTypes = try asked.texts("grant_types") ?? ["authorization_code"]
        guard Set(grantTypes).isSubset(of: App.grantsOfPeople) else {
            throw OAuthError(
                .invalidMetadata, "grant_types are \(App.grantsOfPeople.sorted().joined(separator: ", ")).")
        }
        guard try asked.texts("response_types") ?? ["code"] == ["code"] else {
            throw OAuthError(.invalidMetadata, "response_types is code.")
        }
        redirectURIs = try asked.texts("redirect_uris") ?? []
        guard !redirectURIs.isEmpty || !grantTypes.contains("authorization_code"), redirectURIs.count <= 20 else {
            throw OAuthError(.invalidRedirectURI, "redirect_uris has 1 to 20 addresses.")
        }
        guard let scopes = ScopeSet(try asked.text("scope") ?? "openid") else {
            throw OAuthError(.invalidMetadata, "scope names something that there is not.")
        }
        self.scopes = scopes
        name = try asked.text("client_name") ?? "An app without a name"
        guard (1...100).contains(name.unicodeScalars.count) else {
            throw OAuthError(.invalidMetadata, "client_name has 1 to 100 characters.")
        }
        requiresBinding = try asked.truth("dpop_bound_access_tokens") ?? false
        let algorithm = try asked.text("id_token_signed_response_alg") ?? SigningAlgorithm.es256.rawValue
        guard let known = SigningAlgorithm(rawValue: algorithm) else {
            throw OAuthError(.invalidMetadata, "id_token_signed_response_alg is ES256 or RS256.")
        }
        identityAlgorithm = known
        requiresPush = try asked.truth("require_pushed_authorization_requests") ?? false
        homepage = try asked.text("client_uri").flatMap { homepage in
            var decoding = Decoding()
            return Schema.homepage.decode(.string(homepage), &decoding)
        }
    }

    private static func check(_ method: String, _ keys: [JWK]) throws {
        switch method {
        case "none", "client_secret_basic", "client_secret_post":
            guard keys.isEmpty else { throw OAuthError(.invalidMetadata, "jwks goes with private_key_jwt.") }
        case "private_key_jwt":
            guard !keys.isEmpty else {
                throw OAuthError(.invalidMetadata, "private_key_jwt needs jwks, in the request.")
            }
        default: throw OAuthError(.invalidMetadata, "token_endpoint_auth_method \(method.prefix(60)) is not known.")
        }
    }

    static func keys(_ json: JSON?) throws -> [JWK] {
        guard let json, json != .null else { return [] }
        let given = json["keys"]?.array ?? []
        let keys = given.compactMap(JWK.init)
        guard !keys.isEmpty, keys.count == given.count, keys.count <= 10 else {
            throw OAuthError(
                .invalidMetadata, "jwks takes 1 to 10 public keys of P-256 or of RSA with 2,048 bits and more.")
        }
        return keys
    }
}

/// What a client has written, whose members may be missing, and are otherwise what they are to be.
struct Asked {
    let json: JSON

    /// - Throws: ``OAuthError`` with `invalidMetadata`.
    func text(_ name: String) throws -> String? { try value(name, "a string") { $0.string } }

    func truth(_ name: String) throws -> Bool? { try value(name, "true or false") { $0.bool } }

    func texts(_ name: String) throws -> [String]? {
        try value(name, "a list of strings") { json in
            json.array.flatMap { array in
                let texts = array.compactMap(\.string)
                return texts.count == array.count ? texts : nil
            }
        }
    }

    private func value<Value>(_ name: String, _ kind: String, _ read: (JSON) -> Value?) throws -> Value? {
        guard let member = json[name], member != .null else { return nil }
        guard let value = read(member) else { throw OAuthError(.invalidMetadata, "\(name) is \(kind).") }
        return value
    }
}
