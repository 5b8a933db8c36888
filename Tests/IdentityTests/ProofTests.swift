// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Tokens that are worth nothing without their key (RFC 9449).
struct ProofTests {
    private let key = ProofKey()

    private func nonce(_ shop: TestShop) -> String { shop.shop.identity.tokenAuthenticator.proofs.nonce }

    private func boundToken(_ shop: TestShop, _ app: TestApp) async throws -> Reply {
        try await app.token(
            ["grant_type": "client_credentials"],
            headers: ["DPoP": try key.proof(shop, "POST", "/oauth/token", nonce: nonce(shop))])
    }

    private func get(_ shop: TestShop, _ token: String, _ proof: String?, scheme: String = "DPoP") async throws -> Reply
    {
        var headers = ["Authorization": "\(scheme) \(token)"]
        headers["DPoP"] = proof
        return try await shop.send(.get, "/v1/products", headers: headers)
    }

    @Test func `a bound token works with a proof, each of which is good once`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let unproven = try await app.token(
                ["grant_type": "client_credentials"],
                headers: ["DPoP": try key.proof(shop, "POST", "/oauth/token", nonce: nil)])
            #expect(unproven.json["error"] == "use_dpop_nonce" && unproven.header("DPoP-Nonce") == nonce(shop))
            let grant = try await boundToken(shop, app)
            #expect(grant.json["token_type"] == "DPoP")
            let token = grant.json["access_token"]?.string ?? ""
            let proof = try key.proof(shop, "GET", "/v1/products", nonce: nonce(shop), token: token)
            #expect(try await get(shop, token, proof).status == 200)
            #expect(try await get(shop, token, proof).status == 401)
            #expect(try await app.ask("/oauth/introspect", ["token": token]).json["cnf"]?["jkt"] != nil)
        }
    }

    @Test func `a stolen bound token is worth nothing`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let token = try await boundToken(shop, app).json["access_token"]?.string ?? ""
            let thief = ProofKey()
            func proof(
                by key: ProofKey? = nil, _ method: String = "GET", _ path: String = "/v1/products",
                token other: String? = nil, type: String = "dpop+jwt", age: Int64 = 0
            ) throws -> String {
                try (key ?? self.key).proof(
                    shop, method, path, nonce: nonce(shop), token: other ?? token, type: type, age: age)
            }
            let refused: [(String, String?, String)] = [
                ("as Bearer", nil, "Bearer"), ("as Bearer with a proof", try proof(), "Bearer"),
                ("without a proof", nil, "DPoP"), ("by another key", try proof(by: thief), "DPoP"),
                ("for another method", try proof("POST"), "DPoP"),
                ("for another path", try proof("GET", "/v1/orders"), "DPoP"),
                ("for another token", try proof(token: "other"), "DPoP"),
                ("of another type", try proof(type: "JWT"), "DPoP"),
                ("too old", try proof(age: 61), "DPoP"), ("too new", try proof(age: -61), "DPoP"),
                ("in pieces", String(try proof().dropLast(2)), "DPoP"),
            ]
            for (name, proof, scheme) in refused {
                #expect(try await get(shop, token, proof, scheme: scheme).status == 401, "\(name)")
            }
            let old = nonce(shop)
            shop.clock.advance(by: .seconds(301))
            let stale = try key.proof(shop, "GET", "/v1/products", nonce: old, token: token)
            let answer = try await get(shop, token, stale)
            #expect(answer.status == 401 && answer.header("WWW-Authenticate")?.contains("use_dpop_nonce") == true)
            #expect(answer.header("DPoP-Nonce") == nonce(shop) && nonce(shop) != old)
        }
    }

    @Test(arguments: [Int64.max, Int64.min, 9_223_372_036_854_775, -9_223_372_036_854_775, 253_402_300_799])
    func `a time that no clock shows is refused, and nothing worse`(time: Int64) async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let proof = try key.sign(
                ["typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk],
                [
                    "jti": "1", "htm": "POST", "htu": "http://127.0.0.1:8080/oauth/token", "iat": .integer(time),
                    "nonce": .string(nonce(shop)),
                ])
            let answer = try await app.token(["grant_type": "client_credentials"], headers: ["DPoP": proof])
            #expect(answer.json["error"] == "invalid_dpop_proof")
            let signer = try await TestApp.register(shop, [.init("jwks", ["keys": [key.jwk]])])
            let assertion = try key.sign(
                ["alg": "ES256"],
                [
                    "iss": .string(signer.id), "sub": .string(signer.id), "aud": "http://127.0.0.1:8080", "jti": "1",
                    "exp": .integer(time),
                ])
            let refused = try await shop.form(
                "/oauth/token",
                [
                    "grant_type": "client_credentials", "client_assertion": assertion,
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ])
            #expect(refused.json["error"] == "invalid_client")
        }
    }

    @Test func `a server that proves who it is may change its key, and gets tokens bound to the new one`() async throws
    {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            func proof(_ key: ProofKey) throws -> [String: String] {
                ["DPoP": try key.proof(shop, "POST", "/oauth/token", nonce: nonce(shop))]
            }
            let grant = try await app.exchange(app.code(browser), headers: proof(key))
            let next = ProofKey()
            let renewed = try await app.refresh(grant.json["refresh_token"]?.string ?? "", headers: proof(next))
            #expect(renewed.json["token_type"] == "DPoP")
            let token = renewed.json["access_token"]?.string ?? ""
            let use = try next.proof(shop, "GET", "/v1/products", nonce: nonce(shop), token: token)
            #expect(try await get(shop, token, use).status == 200)
        }
    }

    @Test func `a proof's key shows no private half, and an algorithm of no key is none`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let claims: JSON = [
                "jti": "1", "htm": "POST", "htu": "http://127.0.0.1:8080/oauth/token", "nonce": .string(nonce(shop)),
                "iat": .integer(shop.clock.wall.now().milliseconds / 1_000),
            ]
            let leaky = JSON.object((key.jwk.members ?? []) + [.init("d", "AAAA")])
            let heads: [JSON] = [
                ["typ": "dpop+jwt", "alg": "ES256", "jwk": leaky], ["typ": "dpop+jwt", "alg": "none", "jwk": key.jwk],
                ["typ": "dpop+jwt", "alg": "HS256", "jwk": key.jwk], ["typ": "dpop+jwt", "alg": "ES256"],
                ["typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk, "crit": ["x"]],
            ]
            for head in heads {
                let answer = try await app.token(
                    ["grant_type": "client_credentials"], headers: ["DPoP": try key.sign(head, claims)])
                #expect(answer.json["error"] == "invalid_dpop_proof", "\(head.text)")
            }
        }
    }

    @Test func `codes and refresh tokens stay with the key that they are for`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let app = try await TestApp.register(
                shop, [.init("dpop_bound", true), .init("type", "public"), .init("own_scopes", [])])
            let browser = try await TestBrowser.signedIn(shop)
            let thumbprint = try #require(JWK(key.jwk)).thumbprint
            let code = try await app.code(browser, ["dpop_jkt": thumbprint])
            func proof(_ key: ProofKey) throws -> [String: String] {
                ["DPoP": try key.proof(shop, "POST", "/oauth/token", nonce: nonce(shop))]
            }
            let thief = ProofKey()
            #expect(try await app.exchange(code).json["error"] == "invalid_dpop_proof")
            #expect(try await app.exchange(code, headers: proof(thief)).json["error"] == "invalid_grant")
            let grant = try await app.exchange(code, headers: proof(key))
            #expect(grant.json["token_type"] == "DPoP")
            let refresh = grant.json["refresh_token"]?.string ?? ""
            #expect(try await app.refresh(refresh, headers: proof(thief)).json["error"] == "invalid_grant")
            #expect(try await app.refresh(refresh, headers: proof(key)).status == 200)
        }
    }

    @Test func `what is not ours, or not for this, is no token`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            let good = try #require(JWS(try await app.ownToken()))
            let signing = try await shop.shop.identity.tokens.keys.current()
            func ours(_ payload: JSON, type: String = "at+jwt") throws -> String {
                try JWS.sign(payload, type: type, with: signing)
            }
            func changed(_ name: String, _ value: JSON) -> JSON {
                .object((good.payload.members ?? []).map { $0.name == name ? .init(name, value) : $0 })
            }
            #expect(try await shop.send(.get, "/v1/products", key: try ours(good.payload)).status == 200)
            let grant = try await app.exchange(app.code(browser))
            let parts = try await app.ownToken().split(separator: ".").map(String.init)
            let none = Base64URL.encode(Array(#"{"alg":"none","typ":"at+jwt"}"#.utf8)) + "." + parts[1] + "."
            let foreign = try key.sign(good.header, good.payload)
            let hostile: [(String, String)] = [
                ("alg none", none), ("signed by another", foreign),
                ("of another type", try ours(good.payload, type: "JWT")),
                ("an id token", grant.json["id_token"]?.string ?? ""),
                ("a refresh token", grant.json["refresh_token"]?.string ?? ""),
                ("for another audience", try ours(changed("aud", "https://elsewhere.example"))),
                ("of another issuer", try ours(changed("iss", "https://elsewhere.example"))),
                ("expired", try ours(changed("exp", 1))),
                ("of an unknown app", try ours(changed("client_id", "app_00000000000000000000000000"))),
                (
                    "changed",
                    parts[0] + "." + Base64URL.encode(Array(changed("scope", "write:keys").text.utf8)) + "." + parts[2]
                ),
                ("cut short", String(parts.joined(separator: ".").dropLast(3))), ("empty", "..."),
            ]
            for (name, token) in hostile {
                #expect(try await shop.send(.get, "/v1/products", key: token).status == 401, "\(name)")
            }
            // In the address it is no token at all.
            let token = try await app.ownToken()
            #expect(try await shop.send(.get, "/v1/me?access_token=\(token)", key: "").status == 401)
        }
    }
}
