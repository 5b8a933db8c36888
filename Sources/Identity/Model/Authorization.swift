// SPDX-License-Identifier: Apache-2.0

internal import Kernel

enum AuthorizationKind: EntityKind { static let prefix = "aut" }
typealias AuthorizationID = Identifier<AuthorizationKind>

enum AccessTokenKind: EntityKind { static let prefix = "tok" }
typealias AccessTokenID = Identifier<AccessTokenKind>

/// That a user lets an app act in their name: what all tokens of one log-in descend from, and end with.
///
/// Of its refresh tokens only the present one is kept, as a hash with a number. A token that carries an earlier number is one
/// that was exchanged already, so that no row is needed to know it again.
struct Authorization: Sendable {
    let id: AuthorizationID
    let app: AppID
    let user: UserID
    let scopes: ScopeSet
    /// When the user proved who they are.
    let authenticatedAt: Timestamp
    let createdAt: Timestamp
    /// The thumbprint of the key to which its tokens are bound (RFC 9449); nothing where they are not.
    let boundTo: String?
    /// The present refresh token.
    var refresh: Refresh
    var revokedAt: Timestamp?

    struct Refresh: Sendable {
        /// How many there were before it.
        var number: Int
        var hash: [UInt8]
        var issuedAt: Timestamp
        var expiresAt: Timestamp
        /// What was answered to the one before, closed under that; so that a client that did not get the answer gets it again.
        var answer: [UInt8]?
    }

    /// What is to be done with a refresh token of this authorization.
    enum Ruling: Equatable {
        case rotate
        /// The one before, by a client that may not have got our answer.
        case repeatAnswer
        /// One that was exchanged already: somebody else has it (RFC 9700 section 4.14.2).
        case revokeAll
        case refuse
    }

    func ruling(on token: RefreshToken, hash: [UInt8], at now: Timestamp, grace: Duration) -> Ruling {
        guard revokedAt == nil, now < refresh.expiresAt else { return .refuse }
        if token.number == refresh.number { return hash.isSame(as: refresh.hash) ? .rotate : .refuse }
        guard token.number < refresh.number else { return .refuse }
        let isRetry = token.number == refresh.number - 1 && refresh.issuedAt.duration(to: now) <= grace
        return isRetry && refresh.answer != nil ? .repeatAnswer : .revokeAll
    }
}

/// A code on its way from a browser to the app (OAuth 2.1 section 4.1).
struct AuthorizationCode: Sendable {
    let app: AppID
    let user: UserID
    let redirectURI: String
    let challenge: String
    let scopes: ScopeSet
    /// From the app, for the id token (OpenID Connect Core 1.0 section 3.1.2.1).
    let nonce: String?
    let boundTo: String?
    let authenticatedAt: Timestamp
    let expiresAt: Timestamp
    /// What it was exchanged for.
    var authorization: AuthorizationID?
}
