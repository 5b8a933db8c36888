// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing

@testable import Identity

/// Strangers who make an account as developers, and those who try more than that.
struct SignUpTests {
    private static func fields(
        _ browser: TestBrowser, _ email: String = "ann@example.com", _ changes: [String: String] = [:]
    ) async throws -> [String: String] {
        let page = try await browser.get("/sign-up")
        return [
            "form_token": TestBrowser.hidden("form_token", page), "name": "Ann", "email": email,
            "password": TestBrowser.password, "then": "/developers/apps",
        ].merging(changes) { $1 }
    }

    private func signUp(
        _ shop: TestShop, _ email: String = "ann@example.com", _ changes: [String: String] = [:]
    ) async throws -> Reply {
        let browser = TestBrowser(shop)
        return try await browser.submit("/sign-up", Self.fields(browser, email, changes))
    }

    @Test func `whoever signs up signs in and is a developer from outside, nothing else`() async throws {
        try await TestShop.run { shop in
            let made = try await signUp(shop, " Ann@Example.com ")
            #expect(made.status == 303 && made.header("Location")?.hasPrefix("/sign-in?") == true)
            let browser = try await TestBrowser.signedIn(shop, "ann@example.com")
            #expect(try await browser.get("/developers/apps").status == 200)
            let user = try await shop.get("/v1/users").items.first { $0["email"] == "ann@example.com" }
            #expect(user?["role"] == "partner")
        }
    }

    @Test func `whether an address has an account is not told, and nobody's is changed`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser("ada@example.com", role: "owner")
            let fresh = try await signUp(shop, "ann@example.com")
            let taken = try await signUp(shop, "ada@example.com", ["password": "another horse battery"])
            #expect(fresh.status == taken.status && fresh.header("Location") == taken.header("Location"))
            #expect(fresh.body == taken.body)
            _ = try await TestBrowser.signedIn(shop, "ada@example.com")
            #expect(try await TestBrowser(shop).signIn("ada@example.com", "another horse battery").status != 303)
            let role = try await shop.get("/v1/users").items.first { $0["email"] == "ada@example.com" }?["role"]
            #expect(role == "owner")
        }
    }

    @Test func `an address that a stranger holds is free again once they are shut out`() async throws {
        try await TestShop.run { shop in
            _ = try await signUp(shop, "bea@example.com")
            let customer = try await shop.addCustomer("bea@example.com")
            #expect(try await shop.post("/v1/customers/\(customer)/account-links").status == 409)
            #expect(try await shop.addUser("bea@example.com").status == 409)
            let stranger = try await shop.get("/v1/users").items.first { $0["role"] == "partner" }?["id"]?.string ?? ""
            #expect(try await shop.patch("/v1/users/" + stranger, ["disabled": true]).status == 200)
            try await shop.openAccount("other@example.com")
            let key = try await shop.accountLink(of: customer)
            let browser = TestBrowser(shop)
            _ = try await browser.get("/account-link?key=\(key)")
            #expect(try await browser.choose("mine alone, for good", with: key).status == 303)
            #expect(try await TestBrowser(shop).signIn("bea@example.com").status != 303)
            #expect(try await TestBrowser(shop).signIn("bea@example.com", "mine alone, for good").status == 303)
            #expect(try await shop.patch("/v1/users/" + stranger, ["disabled": false]).status == 200)
            #expect(try await TestBrowser(shop).signIn("bea@example.com").status != 303)
        }
    }

    @Test func `a form of another site or of another browser makes no account`() async throws {
        try await TestShop.run { shop in
            let (browser, stranger) = (TestBrowser(shop), TestBrowser(shop))
            _ = try await stranger.get("/sign-up")
            let good = try await Self.fields(browser)
            let attempts: [(TestBrowser, [String: String], [String: String])] = [
                (browser, good.merging(["form_token": ""]) { $1 }, [:]), (stranger, good, [:]),
                (browser, good, ["Origin": "https://evil.example"]),
                (browser, good, ["Sec-Fetch-Site": "cross-site"]),
            ]
            for (place, attempt) in attempts.enumerated() {
                let answer = try await attempt.0.submit("/sign-up", attempt.1, headers: attempt.2)
                #expect(answer.status == 403, "\(place)")
            }
            #expect(try await TestBrowser(shop).signIn("ann@example.com").status != 303)
        }
    }

    @Test func `what cannot be is said beside what was written, as text`() async throws {
        try await TestShop.run { shop in
            for changes in [
                ["name": ""], ["email": "nobody"], ["password": "short"], ["name": "<script>", "email": "x"],
            ] {
                let answer = try await signUp(shop, "ann@example.com", changes)
                #expect(answer.status == 422 && answer.text.contains("role=\"alert\""), "\(changes)")
                #expect(!answer.text.contains("<script"))
                #expect(!answer.text.contains(TestBrowser.password))
            }
            let away = try await signUp(shop, "ann@example.com", ["then": "https://evil.example/"])
            #expect(away.header("Location")?.contains("evil") == false)
        }
    }

    @Test func `accounts are not made by the thousand`() async throws {
        try await TestShop.run { shop in
            var statuses: [Int] = []
            for number in 0..<60 { statuses.append(try await signUp(shop, "ann\(number)@example.com").status) }
            #expect(statuses.first == 303 && statuses.last == 429, "\(statuses)")
        }
    }

    @Test func `a shop that lets nobody sign up says so`() async throws {
        try await TestShop.run(configure: { $0.identity.isSignUpOpen = false }) { shop in
            let browser = TestBrowser(shop)
            let page = try await browser.get("/sign-up")
            #expect(page.status == 404)
            #expect(try await signUp(shop).status == 403)
            #expect(try await TestBrowser(shop).signIn("ann@example.com").status != 303)
            #expect(try await !browser.get("/sign-in").text.contains("/sign-up"))
        }
    }
}
