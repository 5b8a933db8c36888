// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

/// The pages on which developers manage their organisations and apps.
struct AppPageTests {
    /// A developer who has signed up, with an organisation of the name `Co & <b>`.
    private func with(
        _ test: (_ browser: TestBrowser, _ organization: String, _ shop: TestShop) async throws -> Void
    ) async throws {
        try await TestShop.run(configure: { $0.sandboxURL = "https://sandbox.example" }) { shop in
            try await shop.addUser("ann@example.com", role: "partner")
            let browser = try await TestBrowser.signedIn(shop, "ann@example.com")
            let page = try await browser.post(
                "/developers/organizations", ["name": "Co & <b>"], from: "/developers/apps")
            #expect(page.status == 303, "\(page.text)")
            let organization = try await shop.get("/v1/organizations").items.first?["id"]?.string ?? ""
            try await test(browser, organization, shop)
        }
    }

    private func register(_ browser: TestBrowser, _ organization: String) async throws -> Reply {
        try await browser.post(
            "/developers/apps",
            [
                "organization": organization, "type": "confidential", "name": "Till <i>",
                "redirect_uris": "https://till.example/back\r\nhttps://till.example/other", "people": "staff",
                "scope": "read:orders",
            ], from: "/developers/apps/new?organization=" + organization)
    }

    @Test func `a form makes the app, shows its secret once, and changes and removes it`() async throws {
        try await with { browser, organization, shop in
            let made = try await register(browser, organization)
            #expect(made.status == 200, "\(made.text)")
            let app = try #require(try await shop.get("/v1/apps").items.first)
            let (id, path) = (app["id"]?.string ?? "", "/developers/apps/" + (app["id"]?.string ?? ""))
            #expect(app["redirect_uris"]?.array?.count == 2 && app["scopes"]?.array == ["read:orders"])
            let secret = try #require(made.text.firstMatch(of: #/vs_[A-Za-z0-9_-]{20,}/#)).output
            #expect(
                try await shop.form("/oauth/token", Self.token(id, String(secret))).json["error"] != "invalid_client")
            let page = try await browser.get(path)
            #expect(page.status == 200 && !page.text.contains(secret) && page.text.contains("Till &lt;i&gt;"))
            #expect(page.text.contains("https://sandbox.example"))

            let second = try await browser.post(path + "/secrets", ["overlap": "0"], from: path)
            let replaced = try #require(second.text.firstMatch(of: #/vs_[A-Za-z0-9_-]{20,}/#)).output
            #expect(replaced != secret)
            #expect(
                try await shop.form("/oauth/token", Self.token(id, String(secret))).json["error"] == "invalid_client")

            let tag = TestBrowser.hidden("etag", page)
            let change = ["etag": tag, "name": "Till 2", "people": "customers", "scope": "read:carts"]
            let saved = try await browser.post(path, change, from: path)
            #expect(saved.status == 303, "\(saved.text)")
            #expect(try await shop.get("/v1/apps/" + id).json["name"] == "Till 2")
            let late = try await browser.post(path, change, from: path)
            #expect(late.status == 422 && late.text.contains("role=\"alert\""))

            #expect(try await browser.post(path + "/remove", [:], from: path).status == 422)
            #expect(try await browser.post(path + "/remove", ["sure": "yes"], from: path).status == 303)
            #expect(try await shop.get("/v1/apps/" + id).status == 404)
            #expect(try await browser.get(path).status == 404)
        }
    }

    private static func token(_ id: String, _ secret: String) -> [String: String] {
        ["grant_type": "client_credentials", "client_id": id, "client_secret": secret]
    }

    @Test func `what the shop has let an app ask for stays when its developers change something else`() async throws {
        try await with { browser, organization, shop in
            _ = try await register(browser, organization)
            let id = try await shop.get("/v1/apps").items.first?["id"]?.string ?? ""
            let scopes: JSON = ["scopes": ["read:orders", "read:telemetry"]]
            #expect(try await shop.patch("/v1/apps/" + id, scopes).status == 200)
            let page = try await browser.get("/developers/apps/" + id)
            let hidden = TestBrowser.hidden("scope", page)
            #expect(hidden == "read:telemetry")
            let fields = [
                "etag": TestBrowser.hidden("etag", page), "name": "Till 3", "people": "staff", "scope": hidden,
            ]
            #expect(try await browser.post("/developers/apps/" + id, fields, from: "/developers/apps").status == 303)
            #expect(try await shop.get("/v1/apps/" + id).json["scopes"]?.array == ["read:telemetry"])
        }
    }

    @Test func `what the shop refuses stands above what was written`() async throws {
        try await with { browser, organization, shop in
            let answer = try await browser.post(
                "/developers/apps",
                [
                    "organization": organization, "name": "Till", "type": "public",
                    "redirect_uris": "http://till.example/back",
                ],
                from: "/developers/apps/new?organization=" + organization)
            #expect(answer.status == 422 && answer.text.contains("role=\"alert\""))
            #expect(answer.text.contains("http://till.example/back"))
            #expect(
                answer.text.contains("value=\"public\" checked") && !answer.text.contains("\"confidential\" checked"))
            _ = try await register(browser, organization)
            let path = "/developers/apps/" + (try await shop.get("/v1/apps").items.first?["id"]?.string ?? "")
            let refused = try await browser.post(
                path, ["name": "Till 4", "redirect_uris": "nowhere", "etag": "*", "people": "customers"], from: path)
            #expect(refused.status == 422 && refused.text.contains("value=\"Till 4\""))
            #expect(refused.text.contains(">nowhere</textarea>") && refused.text.contains("\"customers\" selected"))
        }
    }

    @Test func `strangers are sent to sign in, other organisations are not there, forms of other sites do nothing`()
        async throws
    {
        try await with { browser, organization, shop in
            _ = try await register(browser, organization)
            let app = try await shop.get("/v1/apps").items.first?["id"]?.string ?? ""
            try await shop.addUser("ben@example.com", role: "partner")
            let other = try await TestBrowser.signedIn(shop, "ben@example.com")
            for path in ["/developers/apps/" + app, "/developers/organizations/" + organization] {
                let stranger = try await TestBrowser(shop).get(path)
                #expect(stranger.status == 303 && stranger.header("Location")?.hasPrefix("/sign-in?") == true)
                #expect(try await other.get(path).status == 404)
                // With a form token of one's own the answer is the API's.
                for action in ["/remove", "/members/remove"] {
                    let answer = try await other.post(
                        path + action, ["sure": "yes", "user": "x"], from: "/developers/apps")
                    #expect([404, 422].contains(answer.status), "\(path)\(action): \(answer.status)")
                }
            }
            let page = try await browser.get("/developers/apps/" + app)
            let good = ["form_token": TestBrowser.hidden("form_token", page), "sure": "yes"]
            for (fields, headers) in [
                (["form_token": "x", "sure": "yes"], [:]), (good, ["Origin": "https://evil.example"]),
                (good, ["Sec-Fetch-Site": "cross-site"]),
            ] {
                let answer = try await browser.submit("/developers/apps/\(app)/remove", fields, headers: headers)
                #expect(answer.status == 403, "\(headers)")
            }
            #expect(try await shop.get("/v1/apps/" + app).status == 200)
        }
    }

    @Test func `what an app has asked stands on its page, and is looked for there`() async throws {
        try await with { browser, organization, shop in
            let made = try await register(browser, organization)
            let id = try await shop.get("/v1/apps").items.first?["id"]?.string ?? ""
            let secret = try #require(made.text.firstMatch(of: #/vs_[A-Za-z0-9_-]{20,}/#)).output
            #expect(try await shop.patch("/v1/apps/" + id, ["own_scopes": ["read:orders"]]).status == 200)
            let answer = try await shop.form("/oauth/token", Self.token(id, String(secret)))
            let token = try #require(answer.json["access_token"]?.string)
            for path in ["/v1/orders", "/v1/orders/x", "/v1/customers"] {
                _ = try await shop.send(.get, path, key: token)
            }
            try await shop.shop.calls.requests.flush()
            let path = "/developers/apps/\(id)/requests"
            let all = try await browser.get(path)
            #expect(all.status == 200 && all.text.contains("/v1/customers") && all.text.contains("/v1/orders/{id}"))
            #expect(all.text.contains("href=\"/problems/insufficient-scope\""))
            let some = try await browser.get(path + "?status=404&method=&route=%3Cb%3E&problem=")
            #expect(some.text.contains("There is none.") && some.text.contains("&lt;b&gt;"))
            #expect(try await browser.get(path + "?status=404").text.contains("<code>GET /v1/orders/{id}</code>"))
            #expect(try await browser.get(path + "?status=xyz").status == 422)
            try await shop.addUser("ben@example.com", role: "partner")
            #expect(try await TestBrowser.signedIn(shop, "ben@example.com").get(path).status == 404)
        }
    }

    @Test func `an owner invites on a page, and whoever has the link joins on another`() async throws {
        try await with { browser, organization, shop in
            let path = "/developers/organizations/" + organization
            let made = try await browser.post(path + "/invitations", ["role": "member"], from: path)
            let link = try #require(made.text.firstMatch(of: #/\/developers\/join\?key=[A-Za-z0-9_-]+/#)).output
            try await shop.addUser("ben@example.com", role: "partner")
            let stranger = try await TestBrowser(shop).get(String(link))
            #expect(stranger.header("Location")?.contains("join") == true)
            let other = try await TestBrowser.signedIn(shop, "ben@example.com")
            let key = TestBrowser.hidden("key", try await other.get(String(link)))
            #expect(try await other.post("/developers/join", ["key": key], from: String(link)).status == 303)
            #expect(try await other.get(path).text.contains("ann@example.com"))
            #expect(try await other.post("/developers/join", ["key": "no"], from: String(link)).status == 422)
            let user = try await shop.get("/v1/users").items.first { $0["email"] == "ben@example.com" }
            // Made a viewer, they see the app, and neither its secrets nor a button.
            let app = try await shop.post(
                "/v1/apps", ["name": "Till", "organization_id": .string(organization), "scopes": ["read:orders"]])
            #expect(try await other.get("/developers/apps/" + app.id).text.contains("Make a new secret"))
            let changed = try await browser.post(
                path + "/members", ["user": user?["id"]?.string ?? "", "role": "viewer"], from: path)
            #expect(changed.status == 303, "\(changed.text)")
            #expect(try await browser.get(path).text.contains("<option value=\"viewer\" selected>"))
            let looked = try await other.get("/developers/apps/" + app.id)
            #expect(looked.status == 200 && looked.text.contains("Till") && !looked.text.contains("<button>Save"))
            #expect(!looked.text.contains("Make a new secret"))
            let members = try await other.get(path).text
            #expect(members.contains(">Leave<") && !members.contains(">Change<") && !members.contains("invitation"))
            let taken = try await browser.post(
                path + "/members/remove", ["user": user?["id"]?.string ?? ""], from: path)
            #expect(taken.status == 303)
            #expect(try await other.get(path).status == 404)
        }
    }
}

extension TestBrowser {
    /// Sends a form of the page at `page`.
    func post(_ path: String, _ fields: [String: String], from page: String) async throws -> Reply {
        let token = Self.hidden("form_token", try await get(page))
        return try await submit(path, fields.merging(["form_token": token]) { $1 })
    }
}
