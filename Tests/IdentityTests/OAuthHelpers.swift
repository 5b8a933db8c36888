// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import HTTPTypes
import Kernel
import Synchronization
import TestSupport
import Web

@testable import Identity

/// An app of another developer, as it speaks with a shop.
struct TestApp {
    let shop: TestShop
    let id: String
    let secret: String?

    static let back = "https://app.example/back"
    static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    static let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    /// Registers it; `fields` go before what is usual.
    static func register(_ shop: TestShop, _ fields: [JSON.Member] = []) async throws -> TestApp {
        let usual: [JSON.Member] = [
            .init("name", "Label Printer"), .init("redirect_uris", [.string(back)]),
            .init("scopes", ["openid", "email", "read:products", "read:orders"]),
            .init("own_scopes", ["read:products", "read:inventory"]),
        ]
        let given = Set(fields.map(\.name))
        let made = try await shop.post("/v1/apps", .object(fields + usual.filter { !given.contains($0.name) }))
        guard made.status == 201 else { throw Refused(text: made.text) }
        return TestApp(shop: shop, id: made.id, secret: made.json["client_secret"]?.string)
    }

    struct Refused: Error { let text: String }

    /// Asks with its secret in the form, where it has one.
    func ask(
        _ path: String, _ fields: [String: String], secret other: String? = nil, headers: [String: String] = [:]
    ) async throws -> Reply {
        var all = fields
        if all["client_id"] == nil { all["client_id"] = id }
        if all["client_secret"] == nil, let secret = other ?? secret { all["client_secret"] = secret }
        return try await shop.form(path, all, headers: headers)
    }

    func token(_ fields: [String: String], headers: [String: String] = [:]) async throws -> Reply {
        try await ask("/oauth/token", fields, headers: headers)
    }

    func ownToken(_ scope: String? = nil) async throws -> String {
        var fields = ["grant_type": "client_credentials"]
        fields["scope"] = scope
        return try await token(fields).json["access_token"]?.string ?? ""
    }

    /// The address at which people are asked.
    func authorizeAddress(_ changes: [String: String] = [:]) -> String {
        var fields = [
            "response_type": "code", "client_id": id, "redirect_uri": Self.back, "scope": "openid read:products",
            "state": "s t&1", "code_challenge": Self.challenge, "code_challenge_method": "S256",
        ]
        for (name, value) in changes { fields[name] = value.isEmpty ? nil : value }
        return "/oauth/authorize?" + TestShop.encoded(fields)
    }

    /// What a user who allows everything sends back.
    func code(_ browser: TestBrowser, _ changes: [String: String] = [:]) async throws -> String {
        let answer = try await browser.allow(authorizeAddress(changes))
        return Self.query(answer)["code"] ?? ""
    }

    func exchange(_ code: String, _ changes: [String: String] = [:], headers: [String: String] = [:]) async throws
        -> Reply
    {
        var fields = [
            "grant_type": "authorization_code", "code": code, "redirect_uri": Self.back,
            "code_verifier": Self.verifier,
        ]
        for (name, value) in changes { fields[name] = value.isEmpty ? nil : value }
        return try await token(fields, headers: headers)
    }

    func refresh(_ token: String, _ changes: [String: String] = [:], headers: [String: String] = [:]) async throws
        -> Reply
    {
        var fields = ["grant_type": "refresh_token", "refresh_token": token]
        for (name, value) in changes { fields[name] = value }
        return try await self.token(fields, headers: headers)
    }

    func isActive(_ token: String) async throws -> Bool? {
        try await ask("/oauth/introspect", ["token": token]).json["active"]?.bool
    }

    static func query(_ reply: Reply) -> [String: String] {
        let location = reply.header("Location") ?? ""
        let query = location.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
        var fields: [String: String] = [:]
        for field in Form(encoded: query)?.fields ?? [] { fields[field.name] = field.value }
        return fields
    }
}

/// A key of an app's, with the proofs it makes (RFC 9449).
struct ProofKey {
    let key = P256.Signing.PrivateKey()

    var jwk: JSON {
        let point = Array(key.publicKey.rawRepresentation)
        return [
            "kty": "EC", "crv": "P-256", "x": .string(Base64URL.encode(Array(point.prefix(32)))),
            "y": .string(Base64URL.encode(Array(point.suffix(32)))),
        ]
    }

    func sign(_ header: JSON, _ payload: JSON) throws -> String {
        let text = Base64URL.encode(Array(header.text.utf8)) + "." + Base64URL.encode(Array(payload.text.utf8))
        let signature = try key.signature(for: Array(text.utf8))
        return text + "." + Base64URL.encode(Array(signature.rawRepresentation))
    }

    func proof(
        _ shop: TestShop, _ method: String, _ path: String, nonce: String?, token: String? = nil,
        number: String = UUID().uuidString,
        type: String = "dpop+jwt", age: Int64 = 0
    ) throws -> String {
        var members: [JSON.Member] = [
            .init("jti", .string(number)), .init("htm", .string(method)),
            .init("htu", .string("http://127.0.0.1:8080" + path)),
            .init("iat", .integer(shop.clock.wall.now().milliseconds / 1_000 - age)),
        ]
        if let nonce { members.append(.init("nonce", .string(nonce))) }
        if let token {
            members.append(.init("ath", .string(Base64URL.encode(Array(SHA256.hash(data: Array(token.utf8)))))))
        }
        return try sign(["typ": .string(type), "alg": "ES256", "jwk": jwk], .object(members))
    }
}

// Customers with accounts.
extension TestShop {
    func addCustomer(_ email: String) async throws -> String {
        try await post("/v1/customers", ["email": .string(email), "name": "Bea"]).id
    }

    /// The secret of a new link.
    func accountLink(of customer: String) async throws -> String {
        let made = try await post("/v1/customers/\(customer)/account-links")
        guard let url = made.json["url"]?.string else { throw TestApp.Refused(text: made.text) }
        return url.split(separator: "=").last.map(String.init) ?? ""
    }

    /// A customer whose password is ``TestBrowser/password``.
    @discardableResult
    func openAccount(_ email: String) async throws -> String {
        let customer = try await addCustomer(email)
        let (browser, key) = (TestBrowser(self), try await accountLink(of: customer))
        _ = try await browser.get("/account-link?key=\(key)")
        let chosen = try await browser.choose(TestBrowser.password, with: key)
        guard chosen.status == 303 else { throw TestApp.Refused(text: chosen.text) }
        return customer
    }
}

extension TestBrowser {
    /// Fills in the page behind a link as it was last seen, or anew.
    func choose(_ password: String, with key: String) async throws -> Reply {
        let page = try await get("/account-link?key=\(key)")
        return try await submit(
            "/account-link",
            ["form_token": Self.hidden("form_token", page), "key": key, "email": "", "password": password])
    }
}
