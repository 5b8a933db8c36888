// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// What people let apps do, from the browser to the refresh token.
struct AuthorizationTests {
    private func run(
        _ app: [JSON.Member] = [], role: String = "owner", _ test: (TestShop, TestApp, TestBrowser) async throws -> Void
    ) async throws {
        try await TestShop.run { shop in
            try await shop.addUser(role: role)
            try await test(shop, TestApp.register(shop, app), TestBrowser.signedIn(shop))
        }
    }

    @Test func `from the app's page to a call in the user's name, and back out`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), TestBrowser(shop))
            // Not signed in: first that, then back to what was asked.
            let first = try await browser.get(app.authorizeAddress())
            let then = try #require(TestApp.query(first)["then"])
            #expect(first.status == 303 && then.hasPrefix("/oauth/authorize?"))
            let signedIn = try await browser.signIn("Ada@Example.com", then: then)
            #expect(signedIn.status == 303 && signedIn.header("Location") == then)
            let page = try await browser.get(then)
            #expect(page.text.contains("Label Printer") && page.text.contains("See products and categories"))
            #expect(page.text.contains("Ada &amp; Co &lt;b&gt;"))
            let answer = TestApp.query(try await browser.allow(then))
            #expect(answer["state"] == "s t&1" && answer["iss"] == "http://127.0.0.1:8080")
            let grant = try await app.exchange(answer["code"] ?? "")
            #expect(grant.status == 200 && grant.json["scope"] == "openid read:products")
            let token = grant.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.get, "/v1/products", key: token).status == 200)
            #expect(
                try await shop.send(.get, "/oauth/userinfo", key: token).json["sub"]?.string?.hasPrefix("usr_") == true)
            let identity = try #require(JWS(grant.json["id_token"]?.string ?? ""))
            #expect(identity.payload["aud"]?.string == app.id && identity.payload["email"] == nil)
            // Asked once; the second time nothing is asked.
            #expect(TestApp.query(try await browser.get(app.authorizeAddress()))["code"] != nil)
            // More than before is asked again.
            #expect(try await browser.get(app.authorizeAddress(["scope": "read:orders"])).status == 200)
            let account = try await browser.get("/account")
            #expect(account.text.contains("Label Printer"))
            let removed = try await browser.submit(
                "/account/apps/remove", ["form_token": TestBrowser.hidden("form_token", account), "app": app.id])
            #expect(removed.status == 303)
            #expect(try await shop.send(.get, "/v1/products", key: token).status == 401)
            #expect(try await app.refresh(grant.json["refresh_token"]?.string ?? "").json["error"] == "invalid_grant")
        }
    }

    @Test func `nobody lets an app do what they may not do, then or later`() async throws {
        try await run([.init("scopes", ["read:orders", "write:orders"])], role: "viewer") { shop, app, browser in
            let page = try await browser.get(app.authorizeAddress(["scope": "read:orders write:orders"]))
            #expect(page.text.contains("more than you may allow"))
            let grant = try await app.exchange(app.code(browser, ["scope": "read:orders write:orders"]))
            #expect(grant.json["scope"] == "read:orders")
            // Her role takes in less now.
            let users = try await shop.get("/v1/users").items
            #expect(try await shop.put("/v1/roles/nobody", ["scopes": []]).status == 200)
            #expect(try await shop.patch("/v1/users/\(users[0]["id"]?.string ?? "")", ["role": "nobody"]).status == 200)
            let token = grant.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.get, "/v1/orders", key: token).status == 401)
            #expect(try await browser.get("/account").status == 303)
        }
    }

    @Test func `nor a device, and not when they may more`() async throws {
        try await run([.init("scopes", ["read:orders", "write:orders"])], role: "viewer") { shop, app, browser in
            let begun = try await app.ask("/oauth/device_authorization", ["scope": "read:orders write:orders"]).json
            let page = try await browser.get("/device")
            _ = try await browser.submit(
                "/device",
                [
                    "form_token": TestBrowser.hidden("form_token", page), "decision": "allow",
                    "user_code": begun["user_code"]?.string ?? "",
                ])
            let user = try #require(try await shop.get("/v1/users").items.first?["id"]?.string)
            #expect(try await shop.addUser("owner@example.com").status == 201)
            #expect(try await shop.patch("/v1/users/\(user)", ["role": "owner"]).status == 200)
            let grant = try await app.token([
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "device_code": begun["device_code"]?.string ?? "",
            ])
            #expect(grant.json["scope"] == "read:orders", "\(grant.text)")
            let renewed = try await app.refresh(grant.text("refresh_token"))
            #expect(renewed.json["scope"] == "read:orders", "\(renewed.text)")
            // Ended twice, it is told once.
            for _ in 0..<2 {
                #expect(try await app.ask("/oauth/revoke", ["token": renewed.text("refresh_token")]).status == 200)
            }
            await shop.shop.relay.drain()
            let told = try await shop.get("/v1/audit-events?action=app.token_revoked").items
            #expect(told.count == 1 && told[0].at("data", "user")?.string == user)
        }
    }

    // MARK: Refresh tokens

    @Test func `a refresh token is good once, and for a minute brings the same answer again`() async throws {
        try await run { shop, app, browser in
            let first = try await app.exchange(app.code(browser)).json["refresh_token"]?.string ?? ""
            let rotated = try await app.refresh(first)
            let again = try await app.refresh(first)
            #expect(rotated.status == 200 && rotated.body == again.body)
            let second = rotated.json["refresh_token"]?.string ?? ""
            #expect(second != first)
            shop.clock.advance(by: .seconds(61))
            // The second is the present one and as good as ever.
            #expect(try await app.refresh(second).status == 200)
        }
    }

    @Test func `a stolen refresh token ends everything of its authorization, and is reported`() async throws {
        try await run { shop, app, browser in
            let first = try await app.exchange(app.code(browser)).json["refresh_token"]?.string ?? ""
            let rotated = try await app.refresh(first)
            let second = rotated.json["refresh_token"]?.string ?? ""
            shop.clock.advance(by: .seconds(61))
            #expect(try await app.refresh(first).json["error"] == "invalid_grant")
            #expect(try await app.refresh(second).json["error"] == "invalid_grant")
            let token = rotated.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.get, "/v1/products", key: token).status == 401)
            await shop.shop.relay.drain()
            let told = try await shop.get("/v1/audit-events?subject=\(app.id)").items.compactMap {
                $0["action"]?.string
            }
            #expect(told.contains("app.token_reuse_detected"))
        }
    }

    @Test func `an older refresh token is theft even within the minute, and a made-up one harms nobody`() async throws {
        try await run { shop, app, browser in
            let first = try await app.exchange(app.code(browser)).json["refresh_token"]?.string ?? ""
            let second = try await app.refresh(first).json["refresh_token"]?.string ?? ""
            let third = try await app.refresh(second).json["refresh_token"]?.string ?? ""
            var parts = third.split(separator: ".").map(String.init)
            parts[1] = "0"
            #expect(try await app.refresh(parts.joined(separator: ".")).json["error"] == "invalid_grant")
            #expect(try await app.refresh(third).status == 200)
            #expect(try await app.refresh(first).json["error"] == "invalid_grant")
            #expect(try await app.isActive(third) == false)
        }
    }

    @Test func `a refresh token in another app's hands ends everything of its authorization`() async throws {
        try await run { shop, app, browser in
            let token = try await app.exchange(app.code(browser)).json["refresh_token"]?.string ?? ""
            let other = try await TestApp.register(shop)
            #expect(try await other.refresh(token).json["error"] == "invalid_grant")
            #expect(try await app.refresh(token).json["error"] == "invalid_grant")
        }
    }

    @Test func `what was taken back is not brought back by a code or a device that waited`() async throws {
        try await run { shop, app, browser in
            let code = try await app.code(browser)
            let begun = try await app.ask("/oauth/device_authorization", ["scope": "read:products"]).json
            let page = try await browser.get("/device")
            _ = try await browser.submit(
                "/device",
                [
                    "form_token": TestBrowser.hidden("form_token", page), "decision": "allow",
                    "user_code": begun["user_code"]?.string ?? "",
                ])
            let account = try await browser.get("/account")
            _ = try await browser.submit(
                "/account/apps/remove", ["form_token": TestBrowser.hidden("form_token", account), "app": app.id])
            #expect(try await app.exchange(code).json["error"] == "invalid_grant")
            let asked = try await app.token([
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "device_code": begun["device_code"]?.string ?? "",
            ])
            #expect(asked.json["error"] == "invalid_grant")
        }
    }

    @Test func `an app that changes its name or where it answers is asked about anew`() async throws {
        try await run { shop, app, browser in
            let changes: [JSON] = [
                ["name": "Label Maker"], ["redirect_uris": [.string(TestApp.back), "https://evil.example/"]],
            ]
            for change in changes {
                _ = try await app.code(browser)
                #expect(TestApp.query(try await browser.get(app.authorizeAddress()))["code"] != nil)
                // A page that was open before the change allows nothing after it.
                let open = try await browser.get(app.authorizeAddress(["prompt": "consent"]))
                #expect(try await shop.patch("/v1/apps/\(app.id)", change).status == 200)
                let stale = try await browser.submit(
                    "/oauth/decision",
                    [
                        "form_token": TestBrowser.hidden("form_token", open), "decision": "allow",
                        "request": TestBrowser.hidden("request", open),
                    ])
                #expect(stale.status == 403)
                #expect(try await browser.get(app.authorizeAddress()).status == 200)
                // And can still be seen, and removed.
                #expect(try await browser.get("/account").text.contains("name=\"app\" value=\"\(app.id)\""))
            }
            // What it may not ask for any more, nothing from before gives it.
            let code = try await app.code(browser, ["scope": "read:products read:orders"])
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["scopes": ["read:products"]]).status == 200)
            let grant = try await app.exchange(code)
            #expect(grant.json["error"] == "invalid_grant")
            #expect(
                try await shop.patch("/v1/apps/\(app.id)", ["scopes": ["read:products", "read:orders"]]).status == 200)
            #expect(try await browser.get(app.authorizeAddress(["scope": "read:orders"])).status == 200)
        }
    }

    @Test func `a refresh may narrow and never widen`() async throws {
        try await run { shop, app, browser in
            let grant = try await app.exchange(app.code(browser, ["scope": "read:products read:orders"]))
            let token = grant.json["refresh_token"]?.string ?? ""
            #expect(try await app.refresh(token, ["scope": "read:products email"]).json["error"] == "invalid_scope")
            let narrow = try await app.refresh(token, ["scope": "read:products"])
            #expect(narrow.json["scope"] == "read:products")
            // What was granted stays granted.
            let next = try await app.refresh(narrow.json["refresh_token"]?.string ?? "")
            #expect(next.json["scope"] == "read:products read:orders")
        }
    }

    @Test func `two refreshes at the same moment get the same answer`() async throws {
        try await run { _, app, browser in
            let token = try await app.exchange(app.code(browser)).json["refresh_token"]?.string ?? ""
            let answers = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<8 { group.addTask { try await app.refresh(token).body } }
                return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
            }
            #expect(answers.count == 1)
        }
    }

    // MARK: Codes

    @Test func `a code is good once; the second time ends what the first brought`() async throws {
        try await run { shop, app, browser in
            let code = try await app.code(browser)
            let grant = try await app.exchange(code)
            #expect(grant.status == 200)
            #expect(try await app.exchange(code).json["error"] == "invalid_grant")
            let token = grant.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.get, "/v1/products", key: token).status == 401)
            #expect(try await app.refresh(grant.json["refresh_token"]?.string ?? "").json["error"] == "invalid_grant")
        }
    }

    @Test(arguments: [
        (["code_verifier": ""], "invalid_request"),
        (["code_verifier": String(repeating: "a", count: 43)], "invalid_grant"),
        (["code_verifier": TestApp.challenge], "invalid_grant"),
        (["redirect_uri": "https://app.example/other"], "invalid_grant"), (["code": ""], "invalid_request"),
        (["code": "nonsense"], "invalid_grant"), (["grant_type": "password"], "unsupported_grant_type"),
        (["grant_type": ""], "invalid_request"), (["resource": "https://elsewhere.example"], "invalid_target"),
        (["client_secret": "vs_wrong"], "invalid_client"),
    ])
    func `a code is refused to whoever does not fit it`(changes: [String: String], error: String) async throws {
        try await run { _, app, browser in
            let code = try await app.code(browser)
            #expect(try await app.exchange(changes["code"] ?? code, changes).json["error"]?.string == error)
        }
    }

    @Test func `a code expires, and is its own app's alone`() async throws {
        try await run { shop, app, browser in
            let other = try await TestApp.register(shop)
            let code = try await app.code(browser)
            #expect(try await other.exchange(code).json["error"] == "invalid_grant")
            #expect(try await app.exchange(code).status == 200)
            let late = try await app.code(browser)
            shop.clock.advance(by: .seconds(61))
            #expect(try await app.exchange(late).json["error"] == "invalid_grant")
        }
    }

    // MARK: Requests

    @Test(arguments: [
        (["code_challenge": ""], "invalid_request"), (["code_challenge_method": "plain"], "invalid_request"),
        (["code_challenge_method": ""], "invalid_request"), (["code_challenge": "short"], "invalid_request"),
        (["response_type": "token"], "unsupported_response_type"),
        (["response_type": "code id_token"], "unsupported_response_type"),
        (["response_type": ""], "unsupported_response_type"), (["response_mode": "fragment"], "invalid_request"),
        (["scope": "read:everything"], "invalid_scope"), (["scope": "write:orders"], "invalid_scope"),
        (["resource": "https://elsewhere.example"], "invalid_target"),
        (["request": "e30.e30."], "request_not_supported"),
        (["prompt": "none login"], "invalid_request"), (["max_age": "soon"], "invalid_request"),
        (["prompt": "none"], "consent_required"),
    ])
    func `an ill-formed request goes back to the app with the reason`(
        changes: [String: String], error: String
    ) async throws {
        try await run { _, app, browser in
            let answer = try await browser.get(app.authorizeAddress(changes))
            let query = TestApp.query(answer)
            #expect(answer.status == 303 && answer.header("Location")?.hasPrefix(TestApp.back + "?") == true)
            #expect(query["error"] == error && query["state"] == "s t&1" && query["iss"] != nil && query["code"] == nil)
        }
    }

    @Test func `an app that the shop does not answer for leads nobody away who has not signed in`() async throws {
        try await run { shop, app, browser in
            let partner = try await TestPartner.make(shop, "pat@example.com")
            let strange = try await partner.ask(
                .post, "/v1/apps",
                [
                    "name": "Lure", "organization_id": .string(partner.organization), "scopes": ["read:products"],
                    "redirect_uris": [.string(TestApp.back)],
                ])
            let itself = try await shop.post(
                "/oauth/register",
                ["client_name": "Lure", "redirect_uris": [.string(TestApp.back)], "scope": "read:products"])
            let wrong = ["scope": "read:everything"]
            for id in [strange.id, itself.text("client_id")] {
                let lure = TestApp(shop: shop, id: id, secret: nil)
                for changes in [wrong, ["prompt": "none", "scope": "read:products"]] {
                    let stranger = TestBrowser(shop)
                    let shown = try await stranger.get(lure.authorizeAddress(changes))
                    #expect(shown.status == 400 && shown.header("Location") == nil, "\(shown.status)")
                    #expect(shown.text.contains("go back to https://app.example") && shown.text.contains("own choice"))
                }
                // Whoever is signed in has seen where they are; and the shop's own apps are trusted.
                let known = try await browser.get(lure.authorizeAddress(wrong))
                #expect(known.status == 303 && TestApp.query(known)["error"] == "invalid_scope")
                let asked = try await browser.get(lure.authorizeAddress(["scope": "read:products"]))
                #expect(asked.text.contains("does not belong to the shop"))
                #expect(asked.text.contains("has registered itself") == (id != strange.id))
            }
            let own = try await TestBrowser(shop).get(app.authorizeAddress(wrong))
            #expect(own.status == 303 && TestApp.query(own)["error"] == "invalid_scope")
            #expect(!(try await browser.get(app.authorizeAddress()).text.contains("does not belong")))
        }
    }

    @Test(arguments: [
        "https://evil.example/back", "https://app.example/back/", "https://app.example/back?x=1",
        "https://app.example/back#x", "https://app.example.evil.example/back", "https://APP.example/back",
        "https://app.example/back/../other", "https://app.example:444/back", "http://app.example/back",
        "javascript:alert(1)", "//app.example/back", "https://user@app.example/back",
    ])
    func `nothing is sent to an address that was not registered`(uri: String) async throws {
        try await run { _, app, browser in
            let answer = try await browser.get(app.authorizeAddress(["redirect_uri": uri]))
            #expect(answer.status == 400 && answer.header("Location") == nil)
            #expect(!answer.text.contains("evil.example"))
        }
    }

    @Test func `an unknown app is told to the person, and so is a field that comes twice`() async throws {
        try await run { _, app, browser in
            let unknown = app.authorizeAddress(["client_id": "app_00000000000000000000000000"])
            let stranger = try await browser.get(unknown)
            #expect(stranger.status == 400)
            let twice = app.authorizeAddress() + "&scope=email"
            let repeated = try await browser.get(twice)
            #expect(repeated.status == 400)
        }
    }

    @Test func `a program on one's own machine may listen on any port, and asks each time`() async throws {
        let native: [JSON.Member] = [
            .init("type", "public"), .init("own_scopes", []),
            .init("redirect_uris", ["http://127.0.0.1/back", "com.example.app:/back"]),
        ]
        try await run(native) { _, app, browser in
            for uri in ["http://127.0.0.1:51004/back", "com.example.app:/back"] {
                for _ in 0..<2 {
                    #expect(try await browser.get(app.authorizeAddress(["redirect_uri": uri])).status == 200)
                    let code = try await app.code(browser, ["redirect_uri": uri])
                    #expect(try await app.exchange(code, ["redirect_uri": uri]).status == 200)
                }
            }
            for uri in ["http://127.0.0.1:51004/other", "http://localhost/back", "http://127.0.0.1:99999/back"] {
                #expect(try await browser.get(app.authorizeAddress(["redirect_uri": uri])).status == 400, "\(uri)")
            }
            #expect(try await app.token(["grant_type": "client_credentials"]).json["error"] == "unauthorized_client")
        }
    }

    @Test(arguments: [
        "http://app.example/back", "https://app.example/back#part", "javascript:alert(1)", "data:text/html,x",
        "https://*.example/back", "/back", "https://user:word@app.example/", "http://localhost:80/x", "myapp://back",
        "https:///back", "https://app.example/b ack", "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
    ])
    func `an address that is not safe cannot be registered`(uri: String) async throws {
        try await TestShop.run { shop in
            let reply = try await shop.post("/v1/apps", ["name": "x", "redirect_uris": [.string(uri)]])
            #expect(reply.status == 422, "\(uri)")
        }
    }

    // MARK: Devices

    @Test func `a device without a browser is let in from one that has`() async throws {
        try await run { shop, app, browser in
            let grantType = "urn:ietf:params:oauth:grant-type:device_code"
            let begun = try await app.ask("/oauth/device_authorization", ["scope": "read:products"])
            let code = begun.json["device_code"]?.string ?? ""
            func ask() async throws -> JSON {
                try await app.token(["grant_type": grantType, "device_code": code]).json
            }
            #expect(try await ask()["error"] == "authorization_pending")
            #expect(try await ask()["error"] == "slow_down")
            let page = try await browser.get("/device")
            let token = TestBrowser.hidden("form_token", page)
            let wrong = try await browser.submit("/device", ["form_token": token, "user_code": "BBBB-BBBB"])
            #expect(wrong.status == 404)
            let typed = (begun.json["user_code"]?.string ?? "").lowercased()
            let shown = try await browser.submit("/device", ["form_token": token, "user_code": typed])
            #expect(shown.status == 200 && shown.text.contains("Label Printer"))
            let done = try await browser.submit(
                "/device", ["form_token": token, "user_code": typed, "decision": "allow"])
            #expect(done.text.contains("connected"))
            shop.clock.advance(by: .seconds(30))
            let grant = try await ask()
            #expect(grant["scope"] == "read:products" && grant["refresh_token"] != nil)
            #expect(try await ask()["error"] == "invalid_grant")
            // Nobody decides; somebody refuses.
            let late = try await app.ask("/oauth/device_authorization", [:]).json
            shop.clock.advance(by: .seconds(601))
            let over = try await app.token(["grant_type": grantType, "device_code": late["device_code"]?.string ?? ""])
            #expect(over.json["error"] == "expired_token")
            let refused = try await app.ask("/oauth/device_authorization", [:]).json
            _ = try await browser.submit(
                "/device",
                ["form_token": token, "user_code": refused["user_code"]?.string ?? "", "decision": "refuse"])
            let denied = try await app.token(
                ["grant_type": grantType, "device_code": refused["device_code"]?.string ?? ""])
            #expect(denied.json["error"] == "access_denied")
        }
    }

    @Test func `a request can be pushed before, and then nothing of it is in the browser's hands`() async throws {
        try await run { shop, app, browser in
            let fields = Dictionary(
                uniqueKeysWithValues: Form(encoded: String(app.authorizeAddress().dropFirst(17)))?.fields.map {
                    ($0.name, $0.value)
                } ?? [])
            let pushed = try await app.ask("/oauth/par", fields)
            let uri = pushed.json["request_uri"]?.string ?? ""
            #expect(pushed.status == 201 && uri.hasPrefix("urn:ietf:params:oauth:request_uri:"))
            let address = "/oauth/authorize?" + TestShop.encoded(["client_id": app.id, "request_uri": uri])
            let code = TestApp.query(try await browser.allow(address))["code"] ?? ""
            #expect(try await app.exchange(code).status == 200)
            let other = try await TestApp.register(shop)
            let stolen = "/oauth/authorize?" + TestShop.encoded(["client_id": other.id, "request_uri": uri])
            #expect(try await browser.get(stolen).status == 400)
            shop.clock.advance(by: .seconds(61))
            #expect(try await browser.get(address).status == 400)
            let bad = try await app.ask("/oauth/par", fields.merging(["code_challenge_method": "plain"]) { $1 })
            #expect(bad.json["error"] == "invalid_request")
        }
    }

    @Test func `what was pushed stays out of addresses while somebody signs in, and outlives its minute then`()
        async throws
    {
        try await run { shop, app, _ in
            let fields = Dictionary(
                uniqueKeysWithValues: Form(encoded: String(app.authorizeAddress().dropFirst(17)))?.fields.map {
                    ($0.name, $0.value)
                } ?? [])
            let uri = try await app.ask("/oauth/par", fields).json["request_uri"]?.string ?? ""
            let browser = TestBrowser(shop)
            let start = try await browser.get(
                "/oauth/authorize?" + TestShop.encoded(["client_id": app.id, "request_uri": uri]))
            let signIn = try #require(start.header("Location"))
            #expect(
                start.status == 303 && signIn.contains("request_uri")
                    && !signIn.contains(fields["code_challenge"] ?? "-"))
            #expect(try await browser.get(signIn).text.contains("to go on to"), "the page knows the app")
            shop.clock.advance(by: .seconds(300))
            let page = try await browser.get(signIn)
            let signedIn = try await browser.submit(
                "/sign-in",
                [
                    "form_token": TestBrowser.hidden("form_token", page), "then": TestBrowser.hidden("then", page),
                    "email": "ada@example.com", "password": TestBrowser.password,
                ])
            let back = try #require(signedIn.header("Location"))
            let code = TestApp.query(try await browser.allow(back))["code"] ?? ""
            #expect(try await app.exchange(code).status == 200)
        }
    }

    @Test func `an app that wants RS256 has its identity tokens signed so, by keys that rotate, too`() async throws {
        try await run([.init("id_token_algorithm", "RS256")]) { shop, app, browser in
            func identityToken() async throws -> (identity: JWS, access: JWS) {
                let code = TestApp.query(try await browser.allow(app.authorizeAddress()))["code"] ?? ""
                let grant = try await app.exchange(code).json
                let texts = ["id_token", "access_token"].map { grant[$0]?.string ?? "" }
                return (try #require(JWS(texts[0])), try #require(JWS(texts[1])))
            }
            func published() async throws -> [JWK] {
                let answer = try await shop.send(.get, "/oauth/jwks", key: "")
                #expect(!answer.text.contains("\"d\""), "nothing private")
                return (answer.json["keys"]?.array ?? []).compactMap(JWK.init)
            }
            // Before its first use, for whoever keeps the keys for a while.
            #expect(try await Set(published().map(\.algorithm)) == ["ES256", "RS256"])
            let first = try await identityToken()
            #expect(first.identity.header["alg"] == "RS256" && first.access.header["alg"] == "ES256")
            let keys = try await published()
            #expect(Set(keys.map(\.algorithm)) == ["ES256", "RS256"])
            let key = try #require(keys.first { $0.json["kid"] == first.identity.header["kid"] })
            #expect(first.identity.isSigned(by: key) && key.json["e"] == "AQAB")
            #expect(try await shop.shop.identity.tokens.keys.rotate(isForced: true).count == 2)
            shop.clock.advance(by: IdentitySettings.signingKeyNotice + .seconds(1))
            let second = try await identityToken()
            #expect(second.identity.header["kid"] != first.identity.header["kid"])
            let both = try await published()
            #expect(both.count == 4 && both.contains { second.identity.isSigned(by: $0) })
            #expect(both.contains { first.identity.isSigned(by: $0) })
        }
    }

    @Test func `an app that pushes its requests asks in no other way`() async throws {
        try await run { shop, app, browser in
            let path = "/v1/apps/\(app.id)"
            #expect(
                try await shop.patch(path, ["require_pushed_requests": true]).json["require_pushed_requests"] == true)
            let refused = TestApp.query(try await browser.get(app.authorizeAddress()))
            #expect(refused["error"] == "invalid_request" && refused["code"] == nil)
            let fields = Dictionary(
                uniqueKeysWithValues: Form(encoded: String(app.authorizeAddress().dropFirst(17)))?.fields.map {
                    ($0.name, $0.value)
                } ?? [])
            let uri = try await app.ask("/oauth/par", fields).json["request_uri"]?.string ?? ""
            let address = "/oauth/authorize?" + TestShop.encoded(["client_id": app.id, "request_uri": uri])
            let code = TestApp.query(try await browser.allow(address))["code"] ?? ""
            #expect(try await app.exchange(code).status == 200)
        }
    }
}
