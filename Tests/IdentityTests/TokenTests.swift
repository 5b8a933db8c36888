// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing
import Web

@testable import Identity

/// Tokens of apps: got, used, ended.
struct TokenTests {
    @Test func `an app gets a token for itself, and may do what that says and no more`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let reply = try await app.token(["grant_type": "client_credentials"])
            #expect(reply.status == 200 && reply.header("Cache-Control") == "no-store")
            #expect(reply.json["token_type"] == "Bearer" && reply.json["expires_in"] == 900)
            let token = try #require(reply.json["access_token"]?.string)
            #expect(try await shop.send(.get, "/v1/products", key: token).status == 200)
            let refused = try await shop.send(.get, "/v1/orders", key: token)
            #expect(refused.status == 403 && refused.json["scope"] == "read:orders")
            let challenge = refused.header("WWW-Authenticate") ?? ""
            #expect(challenge.contains("scope=\"read:orders\"") && challenge.contains("resource_metadata="))
            let narrow = try await app.ownToken("read:inventory")
            #expect(try await shop.send(.get, "/v1/products", key: narrow).status == 403)
            let me = try await shop.send(.get, "/v1/me", key: token)
            #expect(me.json["id"]?.string == app.id)
        }
    }

    @Test func `a token says what RFC 9068 wants, and the published key vouches for it`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let token = try #require(JWS(try await app.ownToken()))
            #expect(token.header["typ"] == "at+jwt" && token.header["alg"] == "ES256")
            for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"] {
                #expect(token.payload[claim] != nil, "\(claim)")
            }
            let keys = try await shop.send(.get, "/oauth/jwks", key: "").json["keys"]?.array ?? []
            let key = try #require(keys.first { $0["kid"] == token.header["kid"] }.flatMap(JWK.init))
            #expect(token.isSigned(by: key))
            #expect(keys.allSatisfy { $0["d"] == nil })
        }
    }

    @Test func `a token ends on time, when it is revoked, and with its app; at once`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            func status(_ token: String) async throws -> Int {
                try await shop.send(.get, "/v1/products", key: token).status
            }
            let (first, second) = (try await app.ownToken(), try await app.ownToken())
            #expect(try await status(first) == 200)
            #expect(try await app.ask("/oauth/revoke", ["token": first]).status == 200)
            #expect(try await status(first) == 401)
            #expect(try await status(second) == 200)
            shop.clock.advance(by: .seconds(901))
            // Whoever shows what was good guesses nothing, and is not held to the limit of those who do.
            for _ in 0..<40 { #expect(try await status(second) == 401) }
            let third = try await app.ownToken()
            #expect(try await status(third) == 200)
            #expect(try await shop.delete("/v1/apps/\(app.id)").status == 204)
            #expect(try await status(third) == 401)
            #expect(try await app.token(["grant_type": "client_credentials"]).json["error"] == "invalid_client")
            #expect(try await shop.get("/v1/apps/\(app.id)").status == 404)
        }
    }

    @Test func `an app that may do less than before loses what it has, and gets the rest anew`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let token = try await app.ownToken()
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["own_scopes": ["read:products"]]).status == 200)
            #expect(try await shop.send(.get, "/v1/inventory/locations", key: token).status == 401)
            let next = try await app.ownToken()
            #expect(try await shop.send(.get, "/v1/products", key: next).status == 200)
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["name": "Renamed"]).status == 200)
            #expect(try await shop.send(.get, "/v1/products", key: next).status == 200)
        }
    }

    @Test func `a secret rotates with an overlap`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let made = try await shop.post("/v1/apps/\(app.id)/secrets", ["overlap_seconds": 600])
            let next = try #require(made.json["client_secret"]?.string)
            let fields = ["grant_type": "client_credentials"]
            #expect(try await app.token(fields).status == 200)
            #expect(try await app.ask("/oauth/token", fields, secret: next).status == 200)
            shop.clock.advance(by: .seconds(601))
            #expect(try await app.token(fields).status == 401)
            #expect(try await app.ask("/oauth/token", fields, secret: next).status == 200)
            let listed = try await shop.get("/v1/apps/\(app.id)/secrets")
            #expect(listed.json["secrets"]?.array?.count == 1 && !listed.text.contains(next))
        }
    }

    @Test func `keys rotate with notice, and tokens of both are good`() async throws {
        try await TestShop.run { shop in
            let (app, keys) = (try await TestApp.register(shop), shop.shop.identity.tokens.keys)
            let before = try await app.ownToken()
            let next = try #require(try await keys.rotate(isForced: true).first)
            #expect(JWS(try await app.ownToken())?.header["kid"] != .string(next.id))
            #expect(try await shop.send(.get, "/oauth/jwks", key: "").json["keys"]?.array?.count == 2)
            // A token of the last moment before the next key signs.
            shop.clock.advance(by: IdentitySettings.signingKeyNotice - .seconds(1))
            let last = try await app.ownToken()
            shop.clock.advance(by: .seconds(2))
            let after = try await app.ownToken()
            #expect(JWS(after)?.header["kid"] == .string(next.id))
            for token in [last, after] { #expect(try await shop.send(.get, "/v1/products", key: token).status == 200) }
            #expect(try await shop.send(.get, "/v1/products", key: before).status == 401)
            // When the last token of the old key has ended, the key goes.
            shop.clock.advance(by: IdentitySettings.tokenLifetimeMax)
            try await PurgeIdentity(database: shop.shop.database, clock: shop.clock.wall).run()
            #expect(try await shop.send(.get, "/oauth/jwks", key: "").json["keys"]?.array?.count == 1)
            #expect(try await keys.rotate().isEmpty)
            shop.clock.advance(by: IdentitySettings.signingKeyLifetime)
            #expect(try await keys.rotate().count == 1)
        }
    }

    @Test func `introspection tells an app of its own tokens, and of others' only who may know`() async throws {
        try await TestShop.run { shop in
            let (app, other) = (try await TestApp.register(shop), try await TestApp.register(shop))
            let watcher = try await TestApp.register(shop, [.init("own_scopes", ["introspect:tokens"])])
            let token = try await app.ownToken()
            let told = try await app.ask("/oauth/introspect", ["token": token]).json
            #expect(told["active"] == true && told["client_id"]?.string == app.id && told["token_type"] == "Bearer")
            #expect(try await other.ask("/oauth/introspect", ["token": token]).text == #"{"active":false}"#)
            #expect(try await watcher.isActive(token) == true)
            #expect(try await app.isActive("nonsense") == false)
            _ = try await app.ask("/oauth/revoke", ["token": token])
            #expect(try await app.isActive(token) == false)
            // Another app's is not its to end, and it is told so (RFC 7009 section 2.1).
            let next = try await app.ownToken()
            let refused = try await other.ask("/oauth/revoke", ["token": next])
            #expect(refused.status == 400 && refused.json["error"] == "unauthorized_client")
            #expect(try await other.ask("/oauth/revoke", ["token": "nonsense"]).status == 200)
            #expect(try await app.isActive(next) == true)
        }
    }

    @Test func `a client can prove itself by HTTP's scheme, by a form, and by a key`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let basic = "Basic " + Base64.encode("\(app.id):\(app.secret ?? "")")
            let fields = ["grant_type": "client_credentials"]
            #expect(try await shop.form("/oauth/token", fields, headers: ["Authorization": basic]).status == 200)
            let key = ProofKey()
            let signer = try await TestApp.register(shop, [.init("jwks", ["keys": [key.jwk]])])
            #expect(signer.secret == nil)
            func assertion(_ changes: [JSON.Member] = []) throws -> [String: String] {
                let now = shop.clock.wall.now().milliseconds / 1_000
                let usual: [JSON.Member] = [
                    .init("iss", .string(signer.id)), .init("sub", .string(signer.id)),
                    .init("aud", "http://127.0.0.1:8080"), .init("exp", .integer(now + 60)), .init("jti", "1"),
                ]
                let given = Set(changes.map(\.name))
                let token = try key.sign(
                    ["alg": "ES256"], .object(changes + usual.filter { !given.contains($0.name) }))
                return [
                    "grant_type": "client_credentials", "client_assertion": token,
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ]
            }
            #expect(try await shop.form("/oauth/token", assertion()).status == 200)
            // Once.
            #expect(try await shop.form("/oauth/token", assertion()).status == 401)
            for wrong: JSON.Member in [
                .init("aud", "http://127.0.0.1:8080/oauth/token"), .init("exp", 1), .init("iss", "someone"),
                .init("exp", 9_999_999_999), .init("nbf", 9_999_999_999), .init("nbf", "now"),
            ] {
                let refused = try await shop.form("/oauth/token", assertion([wrong, .init("jti", "2")]))
                #expect(refused.json["error"] == "invalid_client", "\(wrong)")
            }
            #expect(try await shop.form("/oauth/token", assertion([.init("jti", "3")])).status == 200)
            // Each is remembered where other processes see it, and as long as it would be good.
            func seen() async throws -> Int64? {
                try await shop.shop.database.read { connection in
                    try connection.first("SELECT COUNT(*) FROM seen_assertions") { try $0.next(Int64.self) }
                }
            }
            #expect(try await seen() == 2)
            shop.clock.advance(by: .seconds(61))
            try await PurgeIdentity(database: shop.shop.database, clock: shop.clock.wall).run()
            #expect(try await seen() == 0)
        }
    }

    @Test func `the server's metadata has what the standards require where they list what it does`() async throws {
        try await TestShop.run { shop in
            let metadata = try await shop.get("/.well-known/oauth-authorization-server").json
            for name in ["token", "revocation", "introspection"] {
                let methods = metadata["\(name)_endpoint_auth_methods_supported"]?.array ?? []
                #expect(methods.contains("private_key_jwt"))
                // RFC 8414 section 2: required where that is listed.
                let algorithms = metadata["\(name)_endpoint_auth_signing_alg_values_supported"]?.array ?? []
                #expect(!algorithms.isEmpty && !algorithms.contains("none"), "\(name)")
            }
        }
    }

    @Test func `tables shrink to what is alive`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            for _ in 0..<30 {
                let refresh = try await app.exchange(app.code(browser)).json["refresh_token"]?.string
                _ = try await app.refresh(refresh ?? "")
            }
            func rows() async throws -> Int {
                try await shop.shop.database.read { connection in
                    try connection.first(
                        """
                        SELECT (SELECT COUNT(*) FROM authorizations) + (SELECT COUNT(*) FROM authorization_codes)
                            + (SELECT COUNT(*) FROM token_revocations) + (SELECT COUNT(*) FROM browser_sessions)
                        """
                    ) { try $0.next(Int.self) } ?? 0
                }
            }
            // Codes and authorizations; refresh tokens have no rows of their own.
            #expect(try await rows() == 61)
            #expect(try await shop.delete("/v1/apps/\(app.id)").status == 204)
            #expect(try await rows() == 92)
            shop.clock.advance(by: .seconds(40 * 86_400))
            try await PurgeIdentity(database: shop.shop.database, clock: shop.clock.wall).run()
            #expect(try await rows() == 0)
        }
    }
}

enum Base64 {
    static func encode(_ text: String) -> String {
        var encoded = Base64URL.encode(Array(text.utf8)).replacing("-", with: "+").replacing("_", with: "/")
        while encoded.utf8.count % 4 != 0 { encoded += "=" }
        return encoded
    }
}
