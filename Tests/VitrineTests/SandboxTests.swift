// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Kernel
import Logging
import Persistence
import ServiceLifecycle
import TestSupport
import Testing
import Web

@testable import Vitrine

/// A sandbox beside the shop that it belongs to.
struct SandboxTests {
    fileprivate struct Pair {
        let live: TestShop
        let sandbox: Sandbox
        let configuration: Configuration

        var testKey: String { sandbox.credentials.administratorKey }

        func ask(
            _ method: HTTPRequest.Method, _ path: String, _ body: JSON? = nil, headers: [String: String] = [:],
            key: String? = nil
        ) async throws -> Reply {
            try await TestShop.ask(
                SandboxResponder(sandbox), method, path, body: body.map { Array($0.text.utf8) }, headers: headers,
                key: key ?? testKey)
        }

        /// A client's credentials at the token endpoint of either.
        func token(_ id: String, _ secret: String, inSandbox: Bool) async throws -> Reply {
            let form = "grant_type=client_credentials&client_id=\(id)&client_secret=\(secret)"
            let headers = ["Content-Type": "application/x-www-form-urlencoded"]
            let body = Array(form.utf8)
            return inSandbox
                ? try await TestShop.ask(
                    SandboxResponder(sandbox), .post, "/oauth/token", body: body, headers: headers, key: "")
                : try await live.send(.post, "/oauth/token", body: body, headers: headers, key: "")
        }

        func order(_ simulate: String? = nil) async throws -> Reply {
            let sku = try await ask(.get, "/v1/products?expand=variants&in_stock=true&limit=1").items.first?
                .at("variants", "0", "sku")
            let body: JSON = [
                "currency": "GBP", "lines": [["sku": sku ?? .null, "quantity": 1]],
                "payment": ["card": "sandbox_approve"],
            ]
            return try await ask(.post, "/v1/orders", body, headers: simulate.map { ["Vitrine-Simulate": $0] } ?? [:])
        }
    }

    private func run(_ test: (Pair) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await TestShop.run(configure: { $0.sandboxURL = "https://sandbox.example" }) { live in
            var configuration = try Configuration(environment: [:])
            configuration.dataDirectory = directory.path
            configuration.identity.passwordCost = .least
            let sandbox = try await Sandbox(configuration, of: live.shop.database)
            // What runs beside the server, for as long as the test.
            let group = ServiceGroup(configuration: .init(services: [sandbox], logger: Logger(label: "test")))
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                defer { tasks.cancelAll() }
                try await test(Pair(live: live, sandbox: sandbox, configuration: configuration))
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `no credential of the shop opens the sandbox, and none of the sandbox the shop`() async throws {
        try await run { pair in
            let app = try await pair.live.post("/v1/apps", ["name": "a", "own_scopes": ["read:products"]])
            let secret = app.json["client_secret"]?.string ?? ""
            try await pair.mirror()
            let told = try await pair.live.get("/v1/apps/\(app.id)/test-credentials").json
            #expect(told["client_id"]?.string == app.id && told["url"] == "https://sandbox.example")
            let testSecret = told["client_secret"]?.string ?? ""

            let live = try await pair.token(app.id, secret, inSandbox: false).json["access_token"]?.string ?? ""
            let test = try await pair.token(app.id, testSecret, inSandbox: true).json["access_token"]?.string ?? ""
            #expect(try await pair.live.send(.get, "/v1/products", key: live).status == 200)
            let seen = try await pair.ask(.get, "/v1/products", key: test)
            #expect(seen.status == 200, "\(seen.text)")
            for crossed in [live, pair.live.key] {
                #expect(try await pair.ask(.get, "/v1/products", key: crossed).status == 401)
            }
            for crossed in [test, pair.testKey] {
                #expect(try await pair.live.send(.get, "/v1/products", key: crossed).status == 401)
            }
            #expect(try await pair.token(app.id, secret, inSandbox: true).status == 401)
            #expect(try await pair.token(app.id, testSecret, inSandbox: false).status == 401)
            // The browser keeps both apart where they are on one host.
            let page = try await pair.ask(.get, "/sign-in", key: "")
            #expect(page.header("Set-Cookie")?.hasPrefix("vitrine_test_visit=") == true)
            #expect(page.text.contains("(sandbox)"))
        }
    }

    @Test func `whoever may change apps takes it back by a button on their page there, and nobody else`() async throws {
        try await run { pair in
            var cookies: [String: String] = [:]
            func keep(_ reply: Reply) -> Reply {
                for line in reply.headers[values: .setCookie] {
                    let parts = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(String.init)
                    if parts.count == 2 { cookies[parts[0]] = parts[1] }
                }
                return reply
            }
            func browse(_ path: String, _ form: [String: String]? = nil) async throws -> Reply {
                let header = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
                let headers = [
                    "Cookie": header, "Content-Type": form == nil ? "" : "application/x-www-form-urlencoded",
                ]
                return keep(
                    try await TestShop.ask(
                        SandboxResponder(pair.sandbox), form == nil ? .get : .post, path,
                        body: form.map { Array(TestShop.encoded($0).utf8) }, headers: headers, key: ""))
            }
            func signIn(_ role: String) async throws -> Reply {
                cookies = [:]
                let mark = TestBrowser.hidden("form_token", try await browse("/sign-in"))
                return try await browse(
                    "/sign-in",
                    [
                        "email": "\(role)@sandbox.example", "password": pair.sandbox.credentials.password,
                        "then": "/account", "form_token": mark,
                    ])
            }
            let reset = "/account/sandbox/reset"
            #expect(try await signIn("viewer").status == 303)
            let looked = try await browse("/account")
            #expect(!looked.text.contains("Begin anew"))
            let mark = TestBrowser.hidden("form_token", looked)
            #expect(try await browse(reset, ["form_token": mark]).status == 403)

            let before = try pair.sandbox.generation.number
            #expect(try await signIn("owner").status == 303)
            let page = try await browse("/account")
            #expect(page.text.contains("Begin anew"), "\(page.status)")
            #expect(try await browse(reset, ["form_token": "x"]).status == 403)
            #expect(try pair.sandbox.generation.number == before)
            let pressed = try await browse(reset, ["form_token": TestBrowser.hidden("form_token", page)])
            #expect(pressed.status == 303 && pressed.header("Location") == "/sign-in", "\(pressed.text)")
            #expect(try pair.sandbox.generation.number == before + 1)
            #expect(try await browse("/account").status == 303)
            // The shop itself has no such button.
            #expect(try await pair.live.form(reset, ["form_token": mark]).status == 404)
        }
    }

    @Test func `neither a code, nor a refresh token, nor a session of the shop is one of the sandbox`() async throws {
        try await run { pair in
            let (live, back) = (pair.live, "https://app.example/back")
            try await live.addUser()
            let app = try await live.post(
                "/v1/apps", ["name": "a", "redirect_uris": [.string(back)], "scopes": ["read:products"]])
            try await pair.mirror()
            let test = try await live.get("/v1/apps/\(app.id)/test-credentials").text("client_secret")
            func token(_ fields: [String: String], inSandbox: Bool) async throws -> Reply {
                let all = fields.merging([
                    "client_id": app.id, "client_secret": inSandbox ? test : app.text("client_secret"),
                ]) { $1 }
                guard inSandbox else { return try await live.form("/oauth/token", all) }
                return try await TestShop.ask(
                    SandboxResponder(pair.sandbox), .post, "/oauth/token", body: Array(TestShop.encoded(all).utf8),
                    headers: ["Content-Type": "application/x-www-form-urlencoded"], key: "")
            }
            let browser = try await TestBrowser.signedIn(live)
            // RFC 7636, appendix B.
            let query = [
                "response_type": "code", "client_id": app.id, "redirect_uri": back, "scope": "read:products",
                "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
            ]
            let allowed = try await browser.allow("/oauth/authorize?" + TestShop.encoded(query))
            let location = allowed.header("Location") ?? ""
            let code = location.firstMatch(of: #/code=([^&]+)/#).map { String($0.1) } ?? ""
            let exchange = [
                "grant_type": "authorization_code", "code": code, "redirect_uri": back,
                "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ]
            #expect(try await token(exchange, inSandbox: true).json["error"] == "invalid_grant")
            let grant = try await token(exchange, inSandbox: false)
            #expect(grant.status == 200, "\(grant.text)")
            let refresh = ["grant_type": "refresh_token", "refresh_token": grant.text("refresh_token")]
            #expect(try await token(refresh, inSandbox: true).json["error"] == "invalid_grant")
            // What was tried there is as good here as before.
            #expect(try await token(refresh, inSandbox: false).status == 200)

            func account(_ rename: (String) -> String) async throws -> Int {
                let cookies = browser.cookies.map { "\(rename($0.key))=\($0.value)" }.joined(separator: "; ")
                return try await pair.ask(.get, "/account", headers: ["Cookie": cookies], key: "").status
            }
            #expect(try await account { $0 } == 303)
            #expect(try await account { $0.replacing("vitrine_", with: "vitrine_test_") } == 303)
            #expect(try await browser.get("/account").status == 200)
        }
    }

    @Test func `an app of developers from outside tries out what it asks for before anybody lets it in`() async throws {
        try await run { pair in
            let organization = try await pair.live.post("/v1/organizations", ["name": "Co"]).id
            let app = try await pair.live.post(
                "/v1/apps",
                ["name": "a", "organization_id": .string(organization), "scopes": ["read:orders", "write:keys"]])
            try await pair.mirror()
            let told = try await pair.live.get("/v1/apps/\(app.id)/test-credentials").json
            let (secret, test) = (app.json["client_secret"]?.string, told["client_secret"]?.string)
            let token = try await pair.token(app.id, test ?? "", inSandbox: true).json["access_token"]?.string ?? ""
            #expect(try await pair.ask(.get, "/v1/orders", key: token).status == 200)
            for path in ["/v1/customers", "/v1/keys"] {
                #expect(try await pair.ask(.get, path, key: token).code == "insufficient_scope")
            }
            #expect(try await pair.token(app.id, secret ?? "", inSandbox: false).status == 400)
            // What the shop lets it do for itself it does there, too.
            _ = try await pair.live.patch("/v1/apps/\(app.id)", ["own_scopes": ["read:carts"], "scopes": []])
            try await pair.mirror()
            let own = try await pair.token(app.id, test ?? "", inSandbox: true).json
            #expect(own["scope"] == "read:carts", "\(own.text)")
            #expect(try await pair.ask(.get, "/sign-up", key: "").status == 404)
        }
    }

    @Test func `apps are those of the shop, as they change and as they go`() async throws {
        try await run { pair in
            let app = try await pair.live.post("/v1/apps", ["name": "before", "own_scopes": ["read:products"]])
            try await pair.mirror()
            #expect(try await pair.ask(.get, "/v1/apps/\(app.id)").json["name"] == "before")
            let secret = try await pair.live.get("/v1/apps/\(app.id)/test-credentials").json["client_secret"]?.string
            let token = try await pair.token(app.id, secret ?? "", inSandbox: true).json["access_token"]?.string ?? ""
            #expect(try await pair.ask(.get, "/v1/products", key: token).status == 200)
            _ = try await pair.live.patch("/v1/apps/\(app.id)", ["name": "after"])
            try await pair.mirror()
            #expect(try await pair.ask(.get, "/v1/apps/\(app.id)").json["name"] == "after")
            // What is done to them here does not last, also where both were changed as often.
            _ = try await pair.ask(.patch, "/v1/apps/\(app.id)", ["name": "other"], headers: ["If-Match": "*"])
            _ = try await pair.live.patch("/v1/apps/\(app.id)", ["name": "after all"])
            try await pair.mirror()
            #expect(try await pair.ask(.get, "/v1/apps/\(app.id)").json["name"] == "after all")
            let rotated = try await pair.ask(.post, "/v1/apps/\(app.id)/secrets", [:])
            #expect(rotated.status == 409)
            _ = try await pair.live.delete("/v1/apps/\(app.id)")
            try await pair.mirror()
            #expect(try await pair.ask(.get, "/v1/apps/\(app.id)").status == 404)
            #expect(try await pair.ask(.get, "/v1/products", key: token).status == 401)
        }
    }

    @Test func `a request says what goes wrong, and a live shop refuses that`() async throws {
        try await run { pair in
            #expect(try await pair.order().status == 201)
            let declined = try await pair.order("payment=declined")
            #expect(declined.code == "payment_declined" && declined.json["reason"] == "card_declined")
            #expect(try await pair.order("payment=insufficient_funds").json["reason"] == "insufficient_funds")
            #expect(try await pair.order("latency=5ms, payment=requires_action").json["status"] == "pending")
            #expect(try await pair.order("problem=out-of-stock").code == "out_of_stock")
            #expect(try await pair.order("problem=unavailable").status == 503)
            for wrong in ["payment=free", "latency=2h", "latency=31s", "problem=none", "weather=rain", "payment"] {
                #expect(try await pair.order(wrong).code == "invalid_parameter", "\(wrong)")
            }
            let refused = try await pair.live.get("/v1/products", headers: ["Vitrine-Simulate": "latency=1s"])
            #expect(refused.status == 400 && refused.text.contains("live shop"))
        }
    }

    @Test func `time moves on as a developer says, and what is due has happened`() async throws {
        try await run { pair in
            let pending = try await pair.order("payment=requires_action")
            #expect(pending.json["status"] == "pending")
            let before = try await pair.ask(.get, "/v1/sandbox/clock").json
            #expect(before["ahead_seconds"] == 0)
            let once = ["Idempotency-Key": "tick"]
            let moved = try await pair.ask(.post, "/v1/sandbox/clock", ["advance_seconds": 901], headers: once)
            #expect(moved.json["ahead_seconds"] == 901, "\(moved.text)")
            _ = try await pair.ask(.post, "/v1/sandbox/clock", ["advance_seconds": 901], headers: once)
            #expect(
                try await pair.ask(.get, "/v1/sandbox/clock").json["ahead_seconds"] == 901, "a replay moves nothing")
            let order = try await pair.ask(.get, "/v1/orders/\(pending.id)").json
            #expect(order["status"] == "cancelled" && order["cancel_reason"] == "expired")
            // Opened again, it is where it was.
            let again = try await Sandbox(pair.configuration, of: pair.live.shop.database)
            #expect(try again.generation.clock.isAhead == .seconds(901))
            let same = try await TestShop.ask(
                SandboxResponder(again), .get, "/v1/orders/\(pending.id)", key: pair.testKey)
            #expect(same.status == 200)
            await (try again.generation).shop.database.close()
        }
    }

    @Test func `a reset takes it back to its beginning, and leaves what opens it`() async throws {
        try await run { pair in
            let app = try await pair.live.post("/v1/apps", ["name": "a", "own_scopes": ["read:products"]])
            let secret = try await pair.live.get("/v1/apps/\(app.id)/test-credentials").json["client_secret"]?.string
            let seeded = try await pair.ask(.get, "/v1/products?limit=1").items.first?["title"]
            let order = try await pair.order()
            _ = try await pair.ask(.post, "/v1/sandbox/clock", ["advance_seconds": 60])
            let old = try pair.sandbox.generation.shop.configuration.dataDirectory
            // What an opening that came to nothing has left is in nobody's way.
            let half = pair.configuration.dataDirectory + "/2"
            try FileManager.default.copyItem(atPath: old, toPath: half)
            #expect(try await pair.ask(.post, "/v1/sandbox/reset").status == 204)
            #expect(try await pair.ask(.get, "/v1/orders/\(order.id)").status == 404)
            #expect(try await pair.ask(.get, "/v1/products?limit=1").items.first?["title"] == seeded)
            #expect(try await pair.ask(.get, "/v1/sandbox/clock").json["ahead_seconds"] == 0)
            #expect(try await pair.token(app.id, secret ?? "", inSandbox: true).status == 200)
            for _ in 0..<200 where FileManager.default.fileExists(atPath: old) {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(!FileManager.default.fileExists(atPath: old))
            // And what runs beside it runs for the new one: apps go on being mirrored, without our doing.
            let late = try await pair.live.post("/v1/apps", ["name": "late"])
            for _ in 0..<200 where try await pair.ask(.get, "/v1/apps/\(late.id)").status != 200 {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await pair.ask(.get, "/v1/apps/\(late.id)").status == 200)
            let weak = try await pair.ask(.post, "/v1/keys", ["name": "weak", "scopes": ["read:products"]])
            let refused = try await pair.ask(.post, "/v1/sandbox/reset", key: weak.json["secret"]?.string ?? "")
            #expect(refused.status == 403)
        }
    }

    @Test func `resets one after the other leave the last one open, whatever still runs in the first`() async throws {
        try await run { pair in
            async let slow = pair.ask(.get, "/v1/products?limit=1", headers: ["Vitrine-Simulate": "latency=3s"])
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await pair.ask(.post, "/v1/sandbox/reset").status == 204)
            #expect(try await pair.ask(.post, "/v1/sandbox/reset").status == 204)
            let order = try await pair.order()
            #expect(try await slow.status == 200, "it ends where it began")
            let folder = pair.configuration.dataDirectory
            func generations() -> [String] {
                let all = try? FileManager.default.contentsOfDirectory(atPath: folder)
                return (all ?? []).filter { $0 != "state.json" }
            }
            for _ in 0..<200 where generations() != ["3"] { try await Task.sleep(for: .milliseconds(50)) }
            #expect(generations() == ["3"])
            #expect(try await pair.ask(.get, "/v1/orders/\(order.id)").status == 200)
            // Both at once: neither is undone by the other.
            async let one = pair.ask(.post, "/v1/sandbox/reset")
            async let other = pair.ask(.post, "/v1/sandbox/clock", ["advance_seconds": 60])
            let statuses = try await [one.status, other.status]
            #expect(
                statuses.allSatisfy { [200, 204, 409].contains($0) } && statuses.contains { $0 < 300 }, "\(statuses)")
            #expect(try await pair.ask(.post, "/v1/sandbox/clock", ["advance_seconds": 31_536_000]).status == 200)
        }
    }

    @Test func `another shop's folder is no sandbox of this one`() async throws {
        try await run { pair in
            let order = try await pair.order()
            try await TestShop.run { other in
                let sandbox = try await Sandbox(pair.configuration, of: other.shop.database)
                #expect(sandbox.credentials.administratorKey != pair.testKey)
                let seen = try await TestShop.ask(
                    SandboxResponder(sandbox), .get, "/v1/orders/\(order.id)", key: sandbox.credentials.administratorKey
                )
                #expect(seen.status == 404)
                await (try sandbox.generation).shop.database.close()
            }
        }
    }

    @Test func `it opens beside no shop, or one of another version, without touching it`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let none = directory.path + "/none"
        let nowhere = try await VitrineProcess.run(["sandbox", "--data", none, "--port", "0"])
        #expect(nowhere.status != 0 && nowhere.output.contains("There is no shop in"))
        #expect(!FileManager.default.fileExists(atPath: none))
        var configuration = try Configuration(environment: [:])
        configuration.dataDirectory = directory.path
        let shop = try await Shop.open(configuration)
        _ = try await shop.database.write {
            try $0.execute("DELETE FROM schema_migrations WHERE name = 'web-0002-deprecated-calls'")
        }
        let older = try await VitrineProcess.run(["sandbox", "--data", directory.path, "--port", "0"])
        #expect(older.status != 0 && older.output.contains("another version"))
        let applied = try await shop.database.read {
            try $0.all("SELECT name FROM schema_migrations") { try $0.next(String.self) }
        }
        #expect(!applied.contains("web-0002-deprecated-calls"))
        await shop.database.close()
    }

    @Test func `a shop without a sandbox says so, and one that has it tells what opens it`() async throws {
        try await TestShop.run { shop in
            let (told, reset) = (try await shop.get("/v1/sandbox"), try await shop.post("/v1/sandbox/reset"))
            #expect(told.status == 404 && reset.status == 404)
        }
        try await run { pair in
            let told = try await pair.live.get("/v1/sandbox").json
            #expect(told["key"]?.string == pair.testKey && told["key"]?.string?.hasPrefix("vk_test_") == true)
            #expect(told["emails"]?.array?.contains("owner@sandbox.example") == true)
            #expect(told["password"]?.string == pair.sandbox.credentials.password)
            #expect(try await pair.ask(.get, "/v1/sandbox").status == 404)
        }
    }
}

extension SandboxTests.Pair {
    /// At once, what happens every second.
    fileprivate func mirror() async throws {
        try await sandbox.generation.shop.identity.sandbox.mirrorApps(
            of: live.shop.database, with: sandbox.credentials)
    }
}
