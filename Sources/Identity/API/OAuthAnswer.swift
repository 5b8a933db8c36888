// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Answers in OAuth's words.
enum OAuthAnswer {
    /// What nobody keeps (RFC 6749 section 5.1).
    static func json(_ status: Int, _ json: JSON, headers: [HeaderField] = []) -> WireResponse {
        WireResponse(
            status: status,
            headers: [
                HeaderField("Content-Type", "application/json"), HeaderField("Cache-Control", "no-store"),
                HeaderField("Pragma", "no-cache"),
            ] + headers, body: Array(json.text.utf8))
    }

    static let empty = WireResponse(
        status: 200, headers: [HeaderField("Cache-Control", "no-store"), HeaderField("Content-Length", "0")])

    /// Nothing, because it is no more.
    static let removed = WireResponse(status: 204, headers: [HeaderField("Cache-Control", "no-store")])

    /// What is the same for everybody, for some minutes.
    static func metadata(_ json: JSON) -> WireResponse {
        WireResponse(
            status: 200,
            headers: [
                HeaderField("Content-Type", "application/json"), HeaderField("Cache-Control", "public, max-age=300"),
                HeaderField("Access-Control-Allow-Origin", "*"),
            ], body: Array(json.text.utf8))
    }

    /// RFC 6749 section 5.2.
    static func refusal(_ error: OAuthError, nonce: String) -> WireResponse {
        var headers: [HeaderField] = []
        if error.isBasic { headers.append(HeaderField("WWW-Authenticate", "Basic realm=\"vitrine\"")) }
        if error.code == .useNonce { headers.append(HeaderField("DPoP-Nonce", nonce)) }
        return json(
            error.code == .invalidClient ? 401 : 400,
            ["error": .string(error.code.rawValue), "error_description": .string(error.detail)], headers: headers)
    }
}

/// What this server can, for programs that find their way by themselves.
struct ServerMetadata: Sendable {
    let issuer: String

    private static let clientMethods: JSON = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
    private static let algorithms: JSON = ["ES256", "RS256"]

    /// RFC 8414 section 2, and OpenID Connect Discovery 1.0 section 3, which asks for the same in other words.
    var server: JSON {
        [
            "issuer": .string(issuer), "authorization_endpoint": address("/oauth/authorize"),
            "token_endpoint": address("/oauth/token"), "jwks_uri": address("/oauth/jwks"),
            "registration_endpoint": address("/oauth/register"),
            "revocation_endpoint": address("/oauth/revoke"), "introspection_endpoint": address("/oauth/introspect"),
            "pushed_authorization_request_endpoint": address("/oauth/par"),
            "require_pushed_authorization_requests": false,
            "device_authorization_endpoint": address("/oauth/device_authorization"),
            "userinfo_endpoint": address("/oauth/userinfo"), "scopes_supported": scopes,
            "response_types_supported": ["code"], "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code", "client_credentials", "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": Self.clientMethods,
            "token_endpoint_auth_signing_alg_values_supported": Self.algorithms,
            "revocation_endpoint_auth_methods_supported": Self.clientMethods,
            "revocation_endpoint_auth_signing_alg_values_supported": Self.algorithms,
            "introspection_endpoint_auth_signing_alg_values_supported": Self.algorithms,
            "introspection_endpoint_auth_methods_supported": [
                "client_secret_basic", "client_secret_post", "private_key_jwt",
            ],
            "dpop_signing_alg_values_supported": Self.algorithms,
            "authorization_response_iss_parameter_supported": true, "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": Self.algorithms,
            "claims_supported": ["sub", "name", "email", "auth_time", "nonce"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "service_documentation": address("/v1/openapi.json"),
        ]
    }

    /// RFC 9728 section 2.
    var resource: JSON {
        [
            "resource": .string(issuer), "authorization_servers": [.string(issuer)], "jwks_uri": address("/oauth/jwks"),
            "scopes_supported": .array(Scope.allCases.map { .string($0.rawValue) }),
            "bearer_methods_supported": ["header"], "dpop_signing_alg_values_supported": Self.algorithms,
            "resource_documentation": address("/v1/openapi.json"),
        ]
    }

    private var scopes: JSON { .array(ScopeSet.known.map { .string($0) }) }

    private func address(_ path: String) -> JSON { .string(issuer + path) }
}
