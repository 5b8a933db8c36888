// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What an access token says (RFC 9068 section 2.2).
struct AccessToken: Sendable {
    let id: AccessTokenID
    let app: AppID
    /// In whose name; `nil` where the app asks for itself.
    let user: UserID?
    /// The customer who that is, and to whose things the token is confined.
    let customer: CustomerID?
    /// What it ends with: the user's authorization, or the app's installation.
    let root: String
    let scopes: ScopeSet
    let issuedAt: Timestamp
    let expiresAt: Timestamp
    let authenticatedAt: Timestamp?
    /// The thumbprint of the key that each request has to prove (RFC 9449 section 6.1).
    let boundTo: String?

    static let type = "at+jwt"

    func claims(issuer: String) -> JSON {
        var members: [JSON.Member] = [
            .init("iss", .string(issuer)), .init("sub", .string(subject)), .init("aud", .string(issuer)),
            .init("client_id", .string(app.rawValue)), .init("scope", .string(scopes.text)),
            .init("iat", .integer(issuedAt.seconds)), .init("exp", .integer(expiresAt.seconds)),
            .init("jti", .string(id.rawValue)), .init("sid", .string(root)),
        ]
        if let authenticatedAt { members.append(.init("auth_time", .integer(authenticatedAt.seconds))) }
        if let customer { members.append(.init("customer_id", .string(customer.rawValue))) }
        if let boundTo { members.append(.init("cnf", ["jkt": .string(boundTo)])) }
        return .object(members)
    }

    var subject: String { user?.rawValue ?? app.rawValue }

    /// Reads what a signed token says; whether it is still good is another question.
    ///
    /// - Returns: `nil` where it is no access token of `issuer` for itself (RFC 9068 section 4).
    init?(_ token: JWS, issuer: String) {
        guard token.header["typ"]?.string?.lowercased() == Self.type, token.payload["iss"]?.string == issuer,
            token.payload["aud"]?.string == issuer,
            let id = token.payload["jti"]?.string.flatMap({ AccessTokenID($0) }),
            let app = token.payload["client_id"]?.string.flatMap({ AppID($0) }),
            let subject = token.payload["sub"]?.string, let root = token.payload["sid"]?.string,
            let scopes = token.payload["scope"]?.string,
            let issuedAt = token.payload["iat"]?.integer.flatMap({ Timestamp(seconds: $0) }),
            let expiresAt = token.payload["exp"]?.integer.flatMap({ Timestamp(seconds: $0) })
        else { return nil }
        let user = UserID(subject)
        guard user != nil || subject == app.rawValue else { return nil }
        self.init(
            id: id, app: app, user: user, customer: token.payload["customer_id"]?.string.flatMap { CustomerID($0) },
            root: root, scopes: ScopeSet(stored: scopes), issuedAt: issuedAt, expiresAt: expiresAt,
            authenticatedAt: token.payload["auth_time"]?.integer.flatMap { Timestamp(seconds: $0) },
            boundTo: token.payload["cnf"]?["jkt"]?.string)
    }

    init(
        id: AccessTokenID, app: AppID, user: UserID?, customer: CustomerID?, root: String, scopes: ScopeSet,
        issuedAt: Timestamp, expiresAt: Timestamp, authenticatedAt: Timestamp?, boundTo: String?
    ) {
        self.id = id
        self.app = app
        self.user = user
        self.customer = customer
        self.root = root
        self.scopes = scopes
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.authenticatedAt = authenticatedAt
        self.boundTo = boundTo
    }
}

extension Timestamp {
    /// Whole seconds since 1970, as tokens count (RFC 7519 section 2).
    var seconds: Int64 { milliseconds / 1_000 }

    /// - Returns: `nil` for what no clock will ever show; a stranger may have written it.
    init?(seconds: Int64) {
        guard (0...253_402_300_799).contains(seconds) else { return nil }
        self.init(milliseconds: seconds * 1_000)
    }

    /// The beginning of its second.
    var wholeSecond: Timestamp { Timestamp(milliseconds: milliseconds / 1_000 * 1_000) }
}
