// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import Persistence
import TestSupport
import Testing
import Web

@testable import Identity

/// Pages that people sign in on, against those who would rather do it for them.
struct SignInTests {
    @Test func `no page can be put into a frame, keeps anything, or runs a script`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            let address = app.authorizeAddress()
            for path in [
                "/sign-in?again=1", address, "/device", "/account", app.authorizeAddress(["redirect_uri": "x"]),
            ] {
                let page = try await browser.get(path)
                let policy = page.header("Content-Security-Policy") ?? ""
                #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "\(path)")
                #expect(!policy.contains("script-src") && !page.text.contains("<script"))
                #expect(page.header("X-Frame-Options") == "DENY" && page.header("Cache-Control") == "no-store")
            }
        }
    }

    @Test func `cookies are out of reach of scripts, and over https of other hosts`() async throws {
        for (url, prefix) in [("http://shop.example", "vitrine_"), ("https://shop.example", "__Host-vitrine_")] {
            try await TestShop.run { configuration in
                configuration.publicURL = url
            } _: { shop in
                try await shop.addUser()
                let browser = TestBrowser(shop)
                let page = try await browser.get("/sign-in")
                let answer = try await browser.signIn("ada@example.com")
                for reply in [page, answer] {
                    let cookie = try #require(reply.header("Set-Cookie"))
                    #expect(cookie.hasPrefix(prefix) && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"))
                    #expect(cookie.contains("Secure") == url.hasPrefix("https"))
                }
            }
        }
    }

    @Test func `a form of another site, of another browser or for another request does nothing`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            let stranger = try await TestBrowser.signedIn(shop)
            let page = try await browser.get(app.authorizeAddress())
            let (token, request) = (TestBrowser.hidden("form_token", page), TestBrowser.hidden("request", page))
            let good = ["form_token": token, "request": request, "decision": "allow"]
            let wider = request.replacing("openid", with: "email")
            let attempts: [(TestBrowser, [String: String], [String: String])] = [
                (browser, good.merging(["form_token": ""]) { $1 }, [:]),
                (browser, good.merging(["form_token": "x"]) { $1 }, [:]), (stranger, good, [:]),
                (TestBrowser(shop), good, [:]), (browser, good, ["Origin": "https://evil.example"]),
                (browser, good, ["Origin": "null"]), (browser, good, ["Sec-Fetch-Site": "cross-site"]),
                (browser, good.merging(["request": wider]) { $1 }, [:]),
            ]
            for (place, attempt) in attempts.enumerated() {
                let answer = try await attempt.0.submit("/oauth/decision", attempt.1, headers: attempt.2)
                #expect(answer.status == 403 && answer.header("Location") == nil, "\(place)")
            }
            let own = ["Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"]
            let answer = try await browser.submit("/oauth/decision", good, headers: own)
            #expect(answer.status == 303 && TestApp.query(answer)["code"] != nil)
        }
    }

    @Test func `signing in changes the secret of the browser, and forms from before are void`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let browser = TestBrowser(shop)
            let before = try await browser.get("/sign-in")
            let planted = browser.cookies
            _ = try await browser.signIn("ada@example.com")
            #expect(Set(browser.cookies.values).isDisjoint(with: planted.values))
            // Whoever planted a cookie before does not have the session after.
            let other = TestBrowser(shop)
            other.cookies = planted
            #expect(try await other.get("/account").status == 303)
            let fields = [
                "form_token": TestBrowser.hidden("form_token", before), "email": "ada@example.com",
                "password": TestBrowser.password,
            ]
            #expect(try await browser.submit("/sign-in", fields).status == 403)
        }
    }

    @Test func `after signing in a browser goes to a page of ours, wherever it is told to go`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            for then in [
                "https://evil.example/", "//evil.example", "/\\evil.example", "/account\r\nSet-Cookie: x=1",
                "javascript:alert(1)", "/v1/keys", "",
            ] {
                let answer = try await TestBrowser(shop).signIn("ada@example.com", then: then)
                #expect(answer.status == 303 && answer.header("Location")?.hasPrefix("/account") == true, "\(then)")
                #expect(answer.header("Location")?.contains("evil") != true)
            }
        }
    }

    @Test func `whether somebody has an account is not told, by word or by waiting`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let known = try await TestBrowser.signedIn(shop)
            let page = try await known.get("/account")
            _ = try await known.submit("/sign-out", ["form_token": TestBrowser.hidden("form_token", page)])
            func attempt(_ email: String) async throws -> (Int, String) {
                let answer = try await TestBrowser(shop).signIn(email, "wrong horse battery")
                let notice = answer.text.components(separatedBy: "role=\"alert\">").dropFirst().first ?? ""
                return (answer.status, String(notice.prefix { $0 != "<" }))
            }
            for _ in 0..<7 {
                let (known, unknown) = (try await attempt("ada@example.com"), try await attempt("eve@example.com"))
                #expect(known == unknown)
            }
            // The right one has to wait, too; but not where its owner has been before.
            #expect(try await known.signIn("ada@example.com").status == 303)
            let answer = try await TestBrowser(shop).signIn("ada@example.com")
            #expect(answer.status == 429)
            shop.clock.advance(by: .seconds(900))
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 303)
        }
    }

    @Test func `guessing from one address ends soon, however many accounts it is about`() async throws {
        try await TestShop.run { shop in
            var statuses: [Int] = []
            for number in 0..<34 {
                statuses.append(try await TestBrowser(shop).signIn("user\(number)@example.com").status)
            }
            #expect(statuses.prefix(30).allSatisfy { $0 == 401 } && statuses.last == 429)
        }
    }

    @Test func `who changes a password stays, and everyone else with the account is out`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (here, there) = (try await TestBrowser.signedIn(shop), try await TestBrowser.signedIn(shop))
            let page = try await here.get("/account")
            func change(_ old: String, _ new: String) async throws -> Reply {
                try await here.submit(
                    "/account/password",
                    ["form_token": TestBrowser.hidden("form_token", page), "password": old, "new_password": new])
            }
            #expect(try await change("wrong", "another good one").status == 403)
            #expect(try await change(TestBrowser.password, "short").status == 422)
            #expect(try await change(TestBrowser.password, "another good one").status == 303)
            #expect(try await here.get("/account").status == 200)
            #expect(try await there.get("/account").status == 303)
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 401)
            #expect(try await TestBrowser(shop).signIn("ada@example.com", "another good one").status == 303)
        }
    }

    @Test func `sessions end when they are told to, and when nobody comes`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (here, there) = (try await TestBrowser.signedIn(shop), try await TestBrowser.signedIn(shop))
            let page = try await here.get("/account")
            let token = TestBrowser.hidden("form_token", page)
            #expect(page.text.contains("this browser"))
            let other = page.text.components(separatedBy: "name=\"session\" value=\"").dropFirst().first ?? ""
            _ = try await here.submit(
                "/account/sessions/end", ["form_token": token, "session": String(other.prefix { $0 != "\"" })])
            #expect(try await there.get("/account").status == 303)
            #expect(try await here.submit("/sign-out", ["form_token": token]).status == 303)
            #expect(try await here.get("/account").status == 303)
            let late = try await TestBrowser.signedIn(shop)
            shop.clock.advance(by: .seconds(15 * 86_400))
            #expect(try await late.get("/account").status == 303)
        }
    }

    @Test func `max_age and prompt have somebody prove again who they are`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (app, browser) = (try await TestApp.register(shop), try await TestBrowser.signedIn(shop))
            _ = try await browser.allow(app.authorizeAddress())
            shop.clock.advance(by: .seconds(20))
            for changes in [["max_age": "10"], ["prompt": "login"]] {
                let answer = try await browser.get(app.authorizeAddress(changes))
                #expect(answer.header("Location")?.hasPrefix("/sign-in?again=1") == true)
                // Until they have, whatever they do; and then it is enough.
                let then = TestApp.query(answer)["then"] ?? ""
                #expect(try await browser.get(then).header("Location")?.hasPrefix("/sign-in") == true)
                shop.clock.advance(by: .seconds(5))
                let signedIn = try await browser.signIn("ada@example.com", then: then)
                let back = try await browser.get(signedIn.header("Location") ?? "")
                #expect(TestApp.query(back)["code"] != nil)
                let forged = app.authorizeAddress(changes.merging(["signed_in_since": "1.x"]) { $1 })
                shop.clock.advance(by: .seconds(20))
                #expect(try await browser.get(forged).header("Location")?.hasPrefix("/sign-in") == true)
            }
            #expect(TestApp.query(try await browser.get(app.authorizeAddress(["max_age": "600"])))["code"] != nil)
            let silent = try await TestBrowser(shop).get(app.authorizeAddress(["prompt": "none"]))
            #expect(TestApp.query(silent)["error"] == "login_required")
        }
    }

    @Test func `hostile names become no markup`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let hostile = "<script>alert(1)</script>\"'><img src=x>"
            let app = try await TestApp.register(shop, [.init("name", .string(hostile))])
            let browser = try await TestBrowser.signedIn(shop)
            for path in [app.authorizeAddress(), app.authorizeAddress(["state": hostile])] {
                let page = try await browser.get(path)
                #expect(page.status == 200 && !page.text.contains("<script") && !page.text.contains("<img"))
            }
            _ = try await browser.allow(app.authorizeAddress())
            #expect(try await !browser.get("/account").text.contains("<script"))
            let signIn = try await TestBrowser(shop).signIn(hostile)
            #expect(!signIn.text.contains("<script"))
        }
    }

    @Test func `passwords are kept so that trying them out is slow, and old costs are still understood`() async throws {
        let standard = PasswordKeeper(cost: .standard)
        let text = try await standard.hash("correct horse battery")
        #expect(text.hasPrefix("$scrypt$ln=15,r=8,p=3$"))
        #expect(try await PasswordKeeper(cost: .least).isRight("correct horse battery", text))
        #expect(try await !standard.isRight("correct horse batterz", text))
        #expect(try await !standard.isRight("", nil))
        #expect(try await standard.hash("correct horse battery") != text)
    }
}
