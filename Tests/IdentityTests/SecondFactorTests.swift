// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// What a password alone does not open.
struct SecondFactorTests {
    /// RFC 6238 appendix B, with the last six of its eight digits.
    @Test(arguments: [
        (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
        (2_000_000_000, "279037"), (20_000_000_000, "353130"),
    ])
    func `codes are those of the standard`(seconds: Int64, code: String) {
        #expect(OneTimeCode.code(Array("12345678901234567890".utf8), step: seconds / 30) == code)
    }

    @Test func `keys are written as apps read them`() {
        for (text, encoded) in [
            ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
        ] {
            #expect(OneTimeCode.base32(Array(text.utf8)) == encoded)
        }
    }

    /// Switches it on, and gives its key and the codes for paper.
    private func enrol(_ shop: TestShop, _ browser: TestBrowser) async throws -> (secret: [UInt8], paper: [String]) {
        let token = TestBrowser.hidden("form_token", try await browser.get("/account"))
        let offering = "/account/second-factor/offer"
        let refused = try await browser.submit(offering, ["form_token": token, "password": "not her password"])
        #expect(refused.status == 403 && !refused.text.contains("otpauth"))
        let page = try await browser.submit(offering, ["form_token": token, "password": TestBrowser.password])
        let offer = TestBrowser.hidden("offer", page)
        let users = try await shop.get("/v1/users").items
        let ada = users.first { $0["email"] == "ada@example.com" }?["id"]?.string
        let user = try #require(UserID(ada ?? ""))
        let secret = try #require(shop.shop.identity.secondFactor.secret(offer, of: user))
        #expect(page.text.contains("otpauth://totp/Vitrine:ada"))
        let wrong = try await browser.submit(
            "/account/second-factor", ["form_token": token, "offer": offer, "code": "000000"])
        #expect(wrong.status == 422)
        let done = try await browser.submit(
            "/account/second-factor", ["form_token": token, "offer": offer, "code": code(shop, secret)])
        #expect(done.status == 200)
        let paper = done.text.components(separatedBy: "<li>").dropFirst().map { String($0.prefix { $0 != "<" }) }
        #expect(paper.count == 10)
        return (secret, paper)
    }

    private func code(_ shop: TestShop, _ secret: [UInt8]) -> String {
        OneTimeCode.code(secret, step: shop.clock.wall.now().milliseconds / 30_000)
    }

    private func answer(_ browser: TestBrowser, _ page: Reply, _ code: String) async throws -> Reply {
        try await browser.submit(
            "/sign-in/code",
            [
                "form_token": TestBrowser.hidden("form_token", page), "ticket": TestBrowser.hidden("ticket", page),
                "then": "/account", "email": "ada@example.com", "code": code,
            ])
    }

    @Test func `with an app a password is not enough, and each code is good once`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (secret, _) = try await enrol(shop, TestBrowser.signedIn(shop))
            #expect(try await shop.get("/v1/users").items[0]["second_factor"] == true)
            shop.clock.advance(by: .seconds(60))
            let browser = TestBrowser(shop)
            let page = try await browser.signIn("ada@example.com")
            #expect(page.status == 200 && page.text.contains("And a code"))
            // The password has opened nothing yet.
            #expect(try await browser.get("/account").status == 303)
            let present = code(shop, secret)
            #expect(try await answer(browser, page, "000000").status == 401)
            #expect(try await answer(browser, page, present).status == 303)
            #expect(try await browser.get("/account").status == 200)
            let thief = TestBrowser(shop)
            let again = try await thief.signIn("ada@example.com")
            #expect(try await answer(thief, again, present).status == 401)
        }
    }

    @Test func `a code from paper lets in once`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let (_, paper) = try await enrol(shop, TestBrowser.signedIn(shop))
            for status in [303, 401] {
                let browser = TestBrowser(shop)
                let page = try await browser.signIn("ada@example.com")
                #expect(try await answer(browser, page, paper[3].uppercased()).status == status)
            }
        }
    }

    @Test func `the second step is the first one's browser's, soon, and not tried out`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            try await shop.addUser("bob@example.com")
            let (secret, _) = try await enrol(shop, TestBrowser.signedIn(shop))
            shop.clock.advance(by: .seconds(60))
            let (browser, other) = (TestBrowser(shop), TestBrowser(shop))
            let (page, theirs) = (try await browser.signIn("ada@example.com"), try await other.get("/sign-in"))
            let stolen = try await other.submit(
                "/sign-in/code",
                [
                    "form_token": TestBrowser.hidden("form_token", theirs),
                    "ticket": TestBrowser.hidden("ticket", page),
                    "code": code(shop, secret),
                ])
            #expect(stolen.status == 403)
            var statuses: [Int] = []
            for _ in 0..<7 { statuses.append(try await answer(browser, page, "000000").status) }
            #expect(statuses.contains(429))
            shop.clock.advance(by: .seconds(301))
            #expect(try await answer(browser, page, code(shop, secret)).status == 403)
        }
    }

    @Test func `it goes with the password and a code, or by an owner, and never by the browser alone`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let browser = try await TestBrowser.signedIn(shop)
            let paper = try await enrol(shop, browser).paper
            let token = TestBrowser.hidden("form_token", try await browser.get("/account"))
            func remove(_ password: String, _ code: String) async throws -> Int {
                try await browser.submit(
                    "/account/second-factor/remove", ["form_token": token, "password": password, "code": code]
                ).status
            }
            #expect(try await remove("wrong", paper[0]) == 403)
            #expect(try await remove(TestBrowser.password, "") == 403)
            #expect(try await remove(TestBrowser.password, "aaaa-aaaa") == 403)
            #expect(try await remove(TestBrowser.password, paper[0]) == 303)
            let another = try await enrol(shop, browser).paper[0]
            // Guessing waits, as when signing in.
            for _ in 0..<6 { #expect(try await remove(TestBrowser.password, "aaaa-aaaa") == 403) }
            #expect(try await remove(TestBrowser.password, another) == 403)
            shop.clock.advance(by: .seconds(3_600))
            #expect(try await remove(TestBrowser.password, another) == 303)
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 303)
            shop.clock.advance(by: .seconds(60))
            _ = try await enrol(shop, browser)
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 200)
            let user = try await shop.get("/v1/users").items[0]["id"]?.string ?? ""
            #expect(try await shop.send(.delete, "/v1/users/\(user)/second-factor").status == 204)
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 303)
            await shop.shop.relay.drain()
            let told = try await shop.get("/v1/audit-events?subject=\(user)").items.compactMap { $0["action"]?.string }
            #expect(told.filter { $0 == "user.second_factor_removed" }.count == 3)
        }
    }
}
