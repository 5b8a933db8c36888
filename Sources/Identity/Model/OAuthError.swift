// SPDX-License-Identifier: Apache-2.0

/// A refusal in the words of OAuth (RFC 6749 section 5.2 and those that extend it).
struct OAuthError: Error, Equatable {
    enum Code: String, Sendable {
        case invalidRequest = "invalid_request"
        case invalidClient = "invalid_client"
        case invalidGrant = "invalid_grant"
        case unauthorizedClient = "unauthorized_client"
        case unsupportedGrantType = "unsupported_grant_type"
        case unsupportedResponseType = "unsupported_response_type"
        case invalidScope = "invalid_scope"
        case accessDenied = "access_denied"
        /// RFC 8707 section 2.
        case invalidTarget = "invalid_target"
        /// OpenID Connect Core 1.0 section 3.1.2.6.
        case loginRequired = "login_required"
        case consentRequired = "consent_required"
        case requestNotSupported = "request_not_supported"
        // RFC 8628 section 3.5.
        case authorizationPending = "authorization_pending"
        case slowDown = "slow_down"
        case expiredToken = "expired_token"
        // RFC 9449 sections 5 and 8.
        case invalidProof = "invalid_dpop_proof"
        case useNonce = "use_dpop_nonce"
        // RFC 7591 section 3.2.2.
        case invalidRedirectURI = "invalid_redirect_uri"
        case invalidMetadata = "invalid_client_metadata"
    }

    let code: Code
    let detail: String
    /// Whether the client tried by HTTP's own scheme, and is to be told in kind (RFC 6749 section 5.2).
    var isBasic = false

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    static let unknownClient = OAuthError(.invalidClient, "The client is unknown, or did not prove who it is.")
}
