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
    let homepage: String?

    private static let grantTypes: Set = [
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
    ]

    var confidentiality: App.Confidentiality { method == "none" ? .public : .confidential }

    var draft: AppDraft {
        AppDraft(
            name: name, confidentiality: confidentiality, redirectURIs: redirectURIs, scopes: scopes, keys: keys,
            requiresBinding: requiresBinding, homepage: homepage)
    }

    /// - Throws: ``OAuthError`` with `invalidMetadata` or `invalidRedirectURI`.
    init(_ json: JSON) throws {
        method = json["token_endpoint_auth_method"]?.string ?? "client_secret_basic"
        keys = try Self.keys(json["jwks"])
        switch method {
        case "none", "client_secret_basic", "client_secret_post":
            guard keys.isEmpty else { throw OAuthError(.invalidMetadata, "jwks goes with private_key_jwt.") }
        case "private_key_jwt":
            guard !keys.isEmpty else {
                throw OAuthError(.invalidMetadata, "private_key_jwt needs jwks, in the request.")
            }
        default: throw OAuthError(.invalidMetadata, "token_endpoint_auth_method \(method.prefix(60)) is not known.")
        }
        grantTypes = Self.strings(json["grant_types"]) ?? ["authorization_code"]
        guard Set(grantTypes).isSubset(of: Self.grantTypes) else {
            throw OAuthError(
                .invalidMetadata, "grant_types are \(Self.grantTypes.sorted().joined(separator: ", ")).")
        }
        guard Self.strings(json["response_types"]) ?? ["code"] == ["code"] else {
            throw OAuthError(.invalidMetadata, "response_types is code.")
        }
        redirectURIs = Self.strings(json["redirect_uris"]) ?? []
        guard !redirectURIs.isEmpty || !grantTypes.contains("authorization_code"), redirectURIs.count <= 20 else {
            throw OAuthError(.invalidRedirectURI, "redirect_uris has 1 to 20 addresses.")
        }
        guard let scopes = ScopeSet(json["scope"]?.string ?? "openid") else {
            throw OAuthError(.invalidMetadata, "scope names something that there is not.")
        }
        self.scopes = scopes
        name = json["client_name"]?.string ?? "An app without a name"
        guard (1...100).contains(name.unicodeScalars.count) else {
            throw OAuthError(.invalidMetadata, "client_name has 1 to 100 characters.")
        }
        requiresBinding = json["dpop_bound_access_tokens"]?.bool ?? false
        homepage = json["client_uri"].flatMap { homepage in
            var decoding = Decoding()
            return Schema.homepage.decode(homepage, &decoding)
        }
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
}
