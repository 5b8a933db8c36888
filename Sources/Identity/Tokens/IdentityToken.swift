// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel

/// Who somebody is, for the app that they signed in to (OpenID Connect Core 1.0 section 2).
struct IdentityToken: Sendable {
    let user: User
    let app: App
    let scopes: ScopeSet
    let nonce: String?
    let authenticatedAt: Timestamp
    let accessToken: String

    func claims(issuer: String, at now: Timestamp, lifetime: Duration) -> JSON {
        let hash = Array(SHA256.hash(data: Array(accessToken.utf8))).prefix(16)
        var members: [JSON.Member] = [
            .init("iss", .string(issuer)), .init("sub", .string(user.id.rawValue)),
            .init("aud", .string(app.id.rawValue)), .init("iat", .integer(now.seconds)),
            .init("exp", .integer(now.advanced(by: lifetime).seconds)),
            .init("auth_time", .integer(authenticatedAt.seconds)), .init("at_hash", .string(RandomText.text(hash))),
        ]
        if let nonce { members.append(.init("nonce", .string(nonce))) }
        return .object(members + Self.about(user, scopes.claims))
    }

    /// What the scopes let an app learn (section 5.4).
    static func about(_ user: User, _ claims: Set<String>) -> [JSON.Member] {
        var members: [JSON.Member] = []
        // So that no app takes a customer for somebody who works here.
        if let customer = user.customer { members.append(.init("customer_id", .string(customer.rawValue))) }
        if claims.contains("profile") { members.append(.init("name", .string(user.name))) }
        if claims.contains("email") { members.append(.init("email", .string(user.email))) }
        return members
    }
}
