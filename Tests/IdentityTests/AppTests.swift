// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Who may let in whom.
struct AppTests {
    private func key(_ shop: TestShop, _ scopes: JSON) async throws -> String {
        try await shop.post("/v1/keys", ["name": "k", "scopes": scopes]).json["secret"]?.string ?? ""
    }

    private func post(_ shop: TestShop, _ path: String, _ body: JSON, key: String) async throws -> Reply {
        try await shop.send(.post, path, body: Array(body.text.utf8), key: key)
    }

    @Test func `whoever registers an app gives it no more than they have`() async throws {
        try await TestShop.run { shop in
            let weak = try await key(shop, ["write:apps", "read:products"])
            let more: JSON = ["name": "x", "own_scopes": ["read:products", "write:orders"]]
            #expect(try await post(shop, "/v1/apps", more, key: weak).status == 403)
            #expect(try await post(shop, "/v1/apps", ["name": "x", "tier": "trusted"], key: weak).status == 403)
            let app = try await TestApp.register(shop, [.init("own_scopes", ["write:orders"])])
            // Nor takes over an app that may do more, by a secret of theirs.
            #expect(try await post(shop, "/v1/apps/\(app.id)/secrets", [:], key: weak).status == 403)
            let body = Array(#"{"own_scopes":["read:products"]}"#.utf8)
            let patched = try await shop.send(
                .patch, "/v1/apps/\(app.id)", body: body, headers: ["If-Match": "*"], key: weak)
            #expect(patched.status == 403)
            #expect(try await app.ownToken() != "")
        }
    }

    @Test func `a token of an app reaches what manages apps only with the scope for it`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let token = try await app.ownToken()
            for path in ["/v1/apps", "/v1/users", "/v1/roles", "/v1/keys", "/v1/audit-events"] {
                #expect(try await shop.send(.get, path, key: token).status == 403, "\(path)")
            }
            #expect(
                try await shop.send(.delete, "/v1/apps/\(app.id)", headers: ["If-Match": "*"], key: token).status == 403
            )
        }
    }

    @Test func `an app registers itself with a token for that, and asks nothing for itself`() async throws {
        try await TestShop.run { shop in
            let initial = try await key(shop, ["write:apps"])
            func register(_ body: JSON, key: String) async throws -> Reply {
                try await post(shop, "/oauth/register", body, key: key)
            }
            let body: JSON = [
                "client_name": "Self Made", "redirect_uris": [.string(TestApp.back)], "scope": "read:products",
                "grant_types": ["authorization_code", "refresh_token"],
            ]
            #expect(try await register(body, key: "").status == 401)
            let made = try await register(body, key: initial)
            #expect(
                made.status == 201 && made.json["client_secret"] != nil && made.json["client_secret_expires_at"] == 0)
            let app = TestApp(
                shop: shop, id: made.json["client_id"]?.string ?? "", secret: made.json["client_secret"]?.string)
            #expect(try await app.token(["grant_type": "client_credentials"]).json["error"] == "unauthorized_client")
            try await shop.addUser()
            let browser = try await TestBrowser.signedIn(shop)
            #expect(try await app.exchange(app.code(browser, ["scope": "read:products"])).status == 200)
            let refused: [(JSON, String)] = [
                (["redirect_uris": ["http://app.example/"]], "invalid_redirect_uri"),
                (["client_name": "x"], "invalid_redirect_uri"),
                (["redirect_uris": [.string(TestApp.back)], "scope": "write:everything"], "invalid_client_metadata"),
                (["redirect_uris": [.string(TestApp.back)], "grant_types": ["implicit"]], "invalid_client_metadata"),
                (
                    ["redirect_uris": [.string(TestApp.back)], "grant_types": ["client_credentials"]],
                    "invalid_client_metadata"
                ),
                (
                    ["redirect_uris": [.string(TestApp.back)], "token_endpoint_auth_method": "private_key_jwt"],
                    "invalid_client_metadata"
                ),
            ]
            for (body, error) in refused {
                #expect(try await register(body, key: initial).json["error"]?.string == error, "\(body.text)")
            }
            // What is not what it is to be is not taken for missing.
            let uris = JSON.Member("redirect_uris", [.string(TestApp.back)])
            for member: JSON.Member in [
                .init("client_name", 1), .init("scope", ["openid"]), .init("grant_types", "authorization_code"),
                .init("redirect_uris", [1]), .init("dpop_bound_access_tokens", "yes"), .init("client_uri", true),
            ] {
                let body = JSON.object([member] + (member.name == uris.name ? [] : [uris]))
                let reply = try await register(body, key: initial)
                #expect(reply.json["error"] == "invalid_client_metadata", "\(body.text) \(reply.text)")
            }
            // The grants that it named are all that it has.
            let plain = try await register(.object([uris]), key: initial)
            let one = TestApp(shop: shop, id: plain.text("client_id"), secret: plain.text("client_secret"))
            let device = try await one.ask("/oauth/device_authorization", ["scope": "openid"])
            #expect(device.json["error"] == "unauthorized_client")
            let renewed = try await one.token(["grant_type": "refresh_token", "refresh_token": "x"])
            #expect(renewed.json["error"] == "unauthorized_client")
            let code = try await one.exchange(one.code(browser, ["scope": "openid"]))
            #expect(code.status == 200 && code.json["refresh_token"] == nil, "\(code.text)")
            #expect(try await one.token(["grant_type": "password"]).json["error"] == "unsupported_grant_type")
            let deviceOnly = try await register(
                .object([uris, .init("grant_types", ["urn:ietf:params:oauth:grant-type:device_code"])]), key: initial)
            let two = TestApp(shop: shop, id: deviceOnly.text("client_id"), secret: nil)
            let turned = try await browser.get(two.authorizeAddress(["scope": "openid"]))
            #expect(TestApp.query(turned)["error"] == "unauthorized_client", "\(turned.status)")
        }
    }

    @Test func `an app that has registered itself reads that, changes it and ends it`() async throws {
        try await TestShop.run { shop in
            let initial = try await key(shop, ["write:apps"])
            let body: JSON = [
                "client_name": "Self Made", "redirect_uris": [.string(TestApp.back)],
                "scope": "openid read:products", "client_uri": "https://example.com/",
                "token_endpoint_auth_method": "client_secret_post",
            ]
            let made = try await post(shop, "/oauth/register", body, key: initial)
            let (id, token) = (made.text("client_id"), made.text("registration_access_token"))
            let path = "/oauth/register/\(id)"
            #expect(made.text("registration_client_uri").hasSuffix(path))
            func send(
                _ method: HTTPRequest.Method, _ body: JSON? = nil, token: String = token, path: String = path
            ) async throws -> Reply {
                try await shop.send(
                    method, path, body: body.map { Array($0.text.utf8) },
                    headers: body == nil ? [:] : ["Content-Type": "application/json"], key: token)
            }
            // Read: the same but for the secret, which nobody has any more.
            let read = try await send(.get)
            let readable = (made.json.members ?? []).filter { !$0.name.hasPrefix("client_secret") }
            #expect(read.status == 200 && read.json == .object(readable), "\(read.text)")
            // Whoever has another token, and whoever asks for another client, is told the same.
            let other = try await post(shop, "/oauth/register", body, key: initial)
            for (path, token) in [
                (path, other.text("registration_access_token")), (path, "vr_x"), (path, initial),
                ("/oauth/register/\(other.text("client_id"))", token), ("/oauth/register/app_x", token),
            ] {
                for (method, sent) in [
                    (HTTPRequest.Method.get, JSON?.none), (.put, ["client_id": "x"]), (.delete, nil),
                ] {
                    let refused = try await send(method, sent, token: token, path: path)
                    #expect(refused.status == 401 && refused.code == "unauthenticated", "\(method) \(path)")
                    #expect(refused.header("WWW-Authenticate")?.contains("invalid_token") == true)
                }
            }
            #expect(try await send(.get, token: "").status == 401)

            func changed(_ changes: JSON) -> JSON {
                let members = (body.members ?? []).filter { changes[$0.name] == nil } + (changes.members ?? [])
                return .object([.init("client_id", .string(id))] + members.filter { $0.value != .null })
            }
            let refused: [(JSON, String)] = [
                (["client_id": "app_x"], "invalid_client_metadata"),
                (["client_secret": "x"], "invalid_client_metadata"),
                (["registration_access_token": .string(token)], "invalid_client_metadata"),
                (["scope": "openid read:orders"], "invalid_client_metadata"),
                (["client_secret": 1], "invalid_client_metadata"),
                (["token_endpoint_auth_method": "none"], "invalid_client_metadata"),
                (["redirect_uris": ["http://app.example/"]], "invalid_redirect_uri"),
            ]
            for (changes, error) in refused {
                let sent = changes["client_id"] == nil ? changed(changes) : changes
                let reply = try await send(.put, sent)
                #expect(reply.status == 400 && reply.json["error"]?.string == error, "\(sent.text) \(reply.text)")
            }
            // What is left out goes back to what is standard.
            try await shop.addUser()
            let browser = try await TestBrowser.signedIn(shop)
            let app = TestApp(shop: shop, id: id, secret: made.text("client_secret"))
            let held = try await app.exchange(app.code(browser, ["scope": "read:products"])).text("access_token")
            let replaced = try await send(
                .put,
                changed([
                    "client_name": "Made Anew", "client_uri": .null, "scope": "openid",
                    "client_secret": .string(made.text("client_secret")),
                ]))
            #expect(replaced.status == 200 && replaced.text("client_name") == "Made Anew", "\(replaced.text)")
            #expect(replaced.json["client_uri"] == nil && replaced.text("scope") == "openid")
            #expect(replaced.json == (try await send(.get).json))
            #expect(try await shop.send(.get, "/v1/products", key: held).status == 401, "It may no longer.")
            #expect(try await app.exchange(app.code(browser, ["scope": "openid"])).status == 200)
            // Keys in place of the secret, and back.
            let keyed = try await send(
                .put,
                changed([
                    "token_endpoint_auth_method": "private_key_jwt", "scope": "openid",
                    "jwks": ["keys": [ProofKey().jwk]],
                ]))
            #expect(keyed.status == 200 && keyed.json["client_secret"] == nil, "\(keyed.text)")
            #expect(try await app.token(["grant_type": "refresh_token", "refresh_token": "x"]).status == 401)
            let back = try await send(.put, changed(["scope": "openid", "client_name": "Back"]))
            #expect(back.json["client_secret"] != nil && back.text("client_secret") != made.text("client_secret"))

            // A key that the shop wants for each token stays wanted; a secret that is over is none.
            #expect(try await shop.patch("/v1/apps/\(id)", ["dpop_bound": true]).status == 200)
            let loosened = try await send(.put, changed(["scope": "openid", "dpop_bound_access_tokens": false]))
            #expect(loosened.json["dpop_bound_access_tokens"] == true, "\(loosened.text)")
            let rotated = try await shop.post("/v1/apps/\(id)/secrets", ["overlap_seconds": 0])
            #expect(rotated.status == 201)
            let old = try await send(
                .put, changed(["scope": "openid", "client_secret": .string(back.text("client_secret"))]))
            #expect(old.status == 400, "\(old.text)")

            let ended = try await send(.delete)
            #expect(ended.status == 204 && ended.body.isEmpty)
            #expect(try await send(.get).status == 401)
            #expect(try await shop.send(.get, "/v1/apps/\(id)").status == 404)
            await shop.shop.relay.drain()
            let actors = try await shop.get("/v1/audit-events?subject=\(id)").items.map { $0["actor"]?.string }
            #expect(Set(actors).contains(id))
            // The shop takes an app out, and its registration with it.
            let gone = other.text("client_id")
            #expect(try await shop.send(.delete, "/v1/apps/\(gone)", headers: ["If-Match": "*"]).status == 204)
            #expect(
                try await send(
                    .get, token: other.text("registration_access_token"), path: "/oauth/register/\(gone)"
                ).status == 401)
        }
    }

    @Test func `the last owner stays, and nobody gives a role that is more than theirs`() async throws {
        try await TestShop.run { shop in
            let owner = try await shop.addUser()
            #expect(try await shop.patch("/v1/users/\(owner.id)", ["disabled": true]).status == 409)
            #expect(try await shop.patch("/v1/users/\(owner.id)", ["role": "viewer"]).status == 409)
            #expect(try await shop.addUser("ADA@example.com").status == 409)
            #expect(try await shop.addUser("bob@example.com", role: "no-such").status == 422)
            let weak = try await key(shop, ["write:users", "read:users", "read:products"])
            // Nor gives themselves more by widening a role, or somebody by another role.
            let role: JSON = ["scopes": ["read:products"]]
            func put(_ body: JSON) async throws -> Int {
                try await shop.send(.put, "/v1/roles/helper", body: Array(body.text.utf8), key: weak).status
            }
            #expect(try await put(role) == 200)
            #expect(try await put(["scopes": ["read:products", "write:orders"]]) == 403)
            let helper = try await shop.addUser("hal@example.com", role: "helper").id
            let promotion = try await shop.send(
                .patch, "/v1/users/\(helper)", body: Array(#"{"role":"owner"}"#.utf8), headers: ["If-Match": "*"],
                key: weak)
            #expect(promotion.status == 403, "\(promotion.text)")
            let person: JSON = [
                "email": "eve@example.com", "name": "Eve", "role": "owner", "password": "a long password",
            ]
            #expect(try await post(shop, "/v1/users", person, key: weak).status == 403)
            #expect(try await shop.get("/v1/users").items.count == 2)
            #expect(try await shop.put("/v1/roles/owner", ["scopes": []]).status == 409)
            #expect(try await shop.addUser("bob@example.com").status == 201)
            #expect(try await shop.patch("/v1/users/\(owner.id)", ["disabled": true]).status == 200)
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 401)
        }
    }

    @Test(.enabled("looks into SQLite's files") { TestEngine.current == .sqlite })
    func `client secrets and passwords stand nowhere in the database`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            let code = try await app.code(browser)
            let grant = try await app.exchange(code)
            _ = try await app.refresh(grant.json["refresh_token"]?.string ?? "")
            let secrets =
                [
                    app.secret ?? "", TestBrowser.password, code, grant.json["refresh_token"]?.string ?? "",
                    grant.json["access_token"]?.string ?? "",
                ] + browser.cookies.values
            for name in ["shop.sqlite", "shop.sqlite-wal"] {
                let bytes = try [UInt8](Data(contentsOf: URL(filePath: shop.directory.path + "/" + name)))
                let text = String(decoding: bytes, as: UTF8.self)
                for secret in secrets { #expect(!secret.isEmpty && !text.contains(secret)) }
            }
        }
    }

    @Test func `the metadata says what is true`() async throws {
        try await TestShop.run { shop in
            let server = try await shop.send(.get, "/.well-known/oauth-authorization-server", key: "")
            #expect(server.json["issuer"] == "http://127.0.0.1:8080")
            #expect(server.json["code_challenge_methods_supported"] == ["S256"])
            #expect(try await shop.send(.get, "/.well-known/openid-configuration", key: "").body == server.body)
            let resource = try await shop.send(.get, "/.well-known/oauth-protected-resource", key: "")
            #expect(resource.json["authorization_servers"] == ["http://127.0.0.1:8080"])
            // Each address in it is answered, if only to say what is missing.
            for member in server.json.members ?? []
            where member.name.hasSuffix("_endpoint") || member.name == "jwks_uri" {
                let path = (member.value.string ?? "").replacing("http://127.0.0.1:8080", with: "")
                #expect(try await shop.send(.get, path, key: "").status != 404, "\(member.name)")
            }
        }
    }
}

/// Pages of apps that call the API from a browser.
struct CrossOriginTests {
    private func ask(
        _ shop: TestShop, _ method: String, _ path: String, from origin: String, token: String = ""
    ) async throws -> Reply {
        var headers = ["Origin": origin]
        if method == "OPTIONS" { headers["Access-Control-Request-Method"] = "PATCH" }
        return try await shop.send(
            method == "OPTIONS" ? .options : .get, path, headers: headers, key: token)
    }

    @Test func `what a token brings is not shown to pages of another app, though they may call with their own`()
        async throws
    {
        try await TestShop.run { shop in
            let one = try await TestApp.register(shop)
            let two = try await TestApp.register(
                shop, [.init("redirect_uris", ["https://other.example/back"]), .init("name", "Other")])
            let path = "/v1/products"
            for (app, own, others) in [
                (one, "https://app.example", "https://other.example"),
                (two, "https://other.example", "https://app.example"),
            ] {
                let token = try await app.ownToken()
                let answer = try await ask(shop, "GET", path, from: own, token: token)
                #expect(answer.status == 200 && answer.header("Access-Control-Allow-Origin") == own)
                #expect(try await ask(shop, "OPTIONS", path, from: others).status == 204)
                let stolen = try await ask(shop, "GET", path, from: others, token: token)
                #expect(stolen.header("Access-Control-Allow-Origin") == nil)
            }
        }
    }

    @Test func `an app names origins beside those to which it has people sent back`() async throws {
        try await TestShop.run { shop in
            let (pages, path) = ("https://pages.example:8443", "/v1/products")
            let app = try await TestApp.register(shop, [.init("allowed_origins", [.string(pages)])])
            #expect(try await shop.get("/v1/apps/\(app.id)").json["allowed_origins"] == [.string(pages)])
            #expect(try await ask(shop, "OPTIONS", path, from: pages).status == 204)
            #expect(try await ask(shop, "OPTIONS", path, from: "https://pages.example").status == 405)
            #expect(try await ask(shop, "OPTIONS", path, from: "https://app.example").status == 204)
            for wrong in [
                "https://pages.example/", "https://*.example", "http://pages.example", "https://A.example", "null", "*",
                "https://user@pages.example", "com.example.app:", "https://pages.example?x", "https://",
                "https://a.example:", "https://:8443", "https://a]b", "https://a:1:2",
                "https://a.example:08443", "https://a.example:65536", "http://127.0.0.1.evil.example",
            ] {
                let refused = try await shop.patch("/v1/apps/\(app.id)", ["allowed_origins": [.string(wrong)]])
                #expect(refused.status == 422, "\(wrong): \(refused.status)")
            }
            let more: JSON = ["allowed_origins": ["https://usual.example:443", "http://[::1]:65535", "https://h"]]
            #expect(try await shop.patch("/v1/apps/\(app.id)", more).status == 200)
            // Browsers leave out the port that the scheme has anyway.
            for origin in ["https://usual.example", "http://[::1]:65535", "https://h"] {
                #expect(try await ask(shop, "OPTIONS", path, from: origin).status == 204, "\(origin)")
            }
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["allowed_origins": []]).status == 200)
            #expect(try await ask(shop, "OPTIONS", path, from: pages).status == 405)
        }
    }

    @Test func `only pages of registered apps may call, and never with cookies`() async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(
                shop, [.init("redirect_uris", [.string(TestApp.back), "http://127.0.0.1/back"])])
            let token = try await app.ownToken()
            for origin in ["https://app.example", "http://127.0.0.1:5173"] {
                let preflight = try await ask(shop, "OPTIONS", "/v1/products", from: origin)
                #expect(preflight.status == 204 && preflight.header("Access-Control-Allow-Origin") == origin)
                #expect(preflight.header("Access-Control-Allow-Headers")?.contains("Idempotency-Key") == true)
                let answer = try await ask(shop, "GET", "/v1/products", from: origin, token: token)
                #expect(answer.status == 200 && answer.header("Access-Control-Allow-Origin") == origin)
                #expect(answer.header("Vary")?.contains("Origin") == true)
                // Refusals can be read, too.
                let refused = try await ask(shop, "GET", "/v1/orders", from: origin, token: token)
                #expect(refused.status == 403 && refused.header("Access-Control-Allow-Origin") == origin)
                for reply in [preflight, answer] { #expect(reply.header("Access-Control-Allow-Credentials") == nil) }
            }
            for origin in [
                "https://evil.example", "null", "https://app.example.evil.example", "http://app.example",
                "http://127.0.0.1.evil.example",
            ] {
                let preflight = try await ask(shop, "OPTIONS", "/v1/products", from: origin)
                #expect(preflight.status == 405 && preflight.header("Access-Control-Allow-Origin") == nil, "\(origin)")
                let answer = try await ask(shop, "GET", "/v1/products", from: origin, token: token)
                #expect(answer.header("Access-Control-Allow-Origin") == nil, "\(origin)")
            }
            for page in ["/account", "/sign-in", "/oauth/authorize"] {
                let answer = try await ask(shop, "GET", page, from: "https://app.example")
                #expect(answer.header("Access-Control-Allow-Origin") == nil, "\(page)")
            }
            _ = try await shop.delete("/v1/apps/\(app.id)")
            #expect(try await ask(shop, "OPTIONS", "/v1/products", from: "https://app.example").status == 405)
        }
    }
}
