// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Customers who sign in, and the apps that they let act in their name.
struct CustomerAccountTests {
    @Test func `a customer opens an account with a link that is good once`() async throws {
        try await TestShop.run { shop in
            let customer = try await shop.addCustomer("bea@example.com")
            let first = try await shop.accountLink(of: customer)
            let key = try await shop.accountLink(of: customer)
            let browser = TestBrowser(shop)
            #expect(try await browser.get("/account-link?key=\(first)").status == 404, "a newer one ends it")
            #expect(try await browser.get("/account-link?key=made-up").status == 404)
            let page = try await browser.get("/account-link?key=\(key)")
            #expect(page.status == 200 && page.text.contains("bea@example.com"))
            #expect(try await browser.get("/account-link?key=\(key)").status == 200, "looking spends nothing")
            #expect(try await browser.choose("short", with: key).status == 422)
            #expect(try await browser.choose(TestBrowser.password, with: key).status == 303)
            let saved = try await browser.submit(
                "/account-link",
                [
                    "form_token": TestBrowser.hidden("form_token", page), "key": key,
                    "password": "somebody else's word",
                ])
            #expect(saved.status == 404, "a page that was kept open spends nothing twice")
            #expect(try await browser.get("/account-link?key=\(key)").status == 404, "spent")
            let signedIn = try await browser.signIn("bea@example.com")
            #expect(signedIn.status == 303)
            #expect(try await browser.get("/account").text.contains("customer of this shop"))
            let account = try await shop.get("/v1/customers/\(customer)/account")
            #expect(account.json["email"] == "bea@example.com" && account.json["second_factor"] == false)
        }
    }

    @Test func `a link is over after three days, and when its customer is erased`() async throws {
        try await TestShop.run { shop in
            let customer = try await shop.addCustomer("bea@example.com")
            let late = try await shop.accountLink(of: customer)
            shop.clock.advance(by: .seconds(3 * 86_400))
            let browser = TestBrowser(shop)
            #expect(try await browser.get("/account-link?key=\(late)").status == 404)
            let key = try await shop.accountLink(of: customer)
            #expect(try await browser.get("/account-link?key=\(key)").status == 200)
            #expect(try await shop.post("/v1/customers/\(customer)/erase").status == 200)
            #expect(try await browser.choose(TestBrowser.password, with: key).status == 404)
            #expect(try await shop.post("/v1/customers/\(customer)/account-links").status == 404)
        }
    }

    @Test func `a new link replaces a lost password, follows the mail address, and signs other browsers out`()
        async throws
    {
        try await TestShop.run { shop in
            let customer = try await shop.openAccount("bea@example.com")
            let elsewhere = try await TestBrowser.signedIn(shop, "bea@example.com")
            let app = try await TestApp.register(shop, [.init("people", "customers")])
            let grant = try await app.exchange(app.code(elsewhere, ["scope": "openid read:orders"]))
            #expect(try await shop.patch("/v1/customers/\(customer)", ["email": "bee@example.com"]).status == 200)
            #expect(try await TestBrowser(shop).signIn("bea@example.com").status == 303, "until the new one is proven")
            let browser = TestBrowser(shop)
            let key = try await shop.accountLink(of: customer)
            _ = try await browser.get("/account-link?key=\(key)")
            #expect(try await browser.choose("another long password", with: key).status == 303)
            #expect(try await elsewhere.get("/account").status == 303)
            let refreshed = try await app.refresh(grant.json["refresh_token"]?.string ?? "")
            #expect(refreshed.status == 400, "another address may be another person")
            #expect(try await TestBrowser(shop).signIn("bea@example.com").status == 401)
            #expect(try await TestBrowser(shop).signIn("bee@example.com", "another long password").status == 303)
        }
    }

    @Test func `no link is made without a mail address, to one that is taken, or by who may do less`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser("ada@example.com")
            let nameless = try await shop.post("/v1/customers", ["name": "Nobody"]).id
            #expect(try await shop.post("/v1/customers/\(nameless)/account-links").status == 409)
            let staff = try await shop.addCustomer("ada@example.com")
            #expect(try await shop.post("/v1/customers/\(staff)/account-links").status == 409)
            let bea = try await shop.addCustomer("bea@example.com")
            let weak = try await shop.post("/v1/keys", ["name": "weak", "scopes": ["write:customers"]])
            let refused = try await shop.send(
                .post, "/v1/customers/\(bea)/account-links", key: weak.json["secret"]?.string ?? "")
            #expect(refused.status == 403 && refused.code == "insufficient_scope")
            #expect(try await shop.get("/v1/customers/\(bea)/account").status == 404)
            #expect(try await shop.delete("/v1/customers/\(bea)/account").status == 404)
        }
    }

    @Test func `customers are none of the shop's people, and can become none`() async throws {
        try await TestShop.run { shop in
            let customer = try await shop.openAccount("bea@example.com")
            let user = try await shop.get("/v1/customers/\(customer)/account").json["user_id"]?.string ?? ""
            #expect(try await shop.get("/v1/users").items.isEmpty)
            #expect(try await shop.get("/v1/users/\(user)").status == 404)
            #expect(try await shop.patch("/v1/users/\(user)", ["role": "owner"]).status == 404)
            #expect(try await shop.delete("/v1/users/\(user)/second-factor").status == 404)
            #expect(try await shop.addUser("cy@example.com", role: "customer").status == 422)
            #expect(try await shop.put("/v1/roles/customer", ["scopes": ["write:users"]]).status == 409)
        }
    }

    @Test func `consent is in a customer's words, and gives no more than a customer has`() async throws {
        try await TestShop.run { shop in
            let customer = try await shop.openAccount("bea@example.com")
            let app = try await TestApp.register(
                shop,
                [
                    .init("scopes", ["openid", "read:orders", "write:products", "write:users"]),
                    .init("people", "everybody"),
                ])
            let browser = try await TestBrowser.signedIn(shop, "bea@example.com")
            let asked = "openid read:orders write:products write:users"
            let page = try await browser.get(app.authorizeAddress(["scope": asked]))
            #expect(page.text.contains("See your orders, and what you paid"))
            #expect(page.text.contains("It asks for more than you may allow"))
            let grant = try await app.exchange(app.code(browser, ["scope": asked]))
            #expect(grant.json["scope"] == "openid read:orders")
            let token = grant.json["access_token"]?.string ?? ""
            let me = try await shop.send(.get, "/v1/me", key: token)
            #expect(me.json["customer_id"]?.string == customer && me.json["user_id"]?.string?.hasPrefix("usr_") == true)
            let known = try await app.ask("/oauth/introspect", ["token": token])
            #expect(known.json["customer_id"]?.string == customer)
            let person = try await shop.send(.get, "/oauth/userinfo", key: token)
            #expect(person.json["customer_id"]?.string == customer, "no app takes a customer for staff")
        }
    }

    @Test(arguments: [true, false])
    func `removed or erased, an account ends with every token in its name`(isErased: Bool) async throws {
        try await TestShop.run { shop in
            let customer = try await shop.openAccount("bea@example.com")
            let app = try await TestApp.register(shop, [.init("people", "customers")])
            let browser = try await TestBrowser.signedIn(shop, "bea@example.com")
            let grant = try await app.exchange(app.code(browser, ["scope": "openid read:orders"]))
            let token = grant.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.get, "/v1/orders", key: token).status == 200)
            if isErased {
                #expect(try await shop.post("/v1/customers/\(customer)/erase").status == 200)
                await shop.shop.relay.drain()
            } else {
                #expect(try await shop.delete("/v1/customers/\(customer)/account").status == 204)
            }
            shop.clock.advance(by: .seconds(1))
            #expect(try await shop.send(.get, "/v1/orders", key: token).status == 401)
            #expect(try await app.refresh(grant.json["refresh_token"]?.string ?? "").status == 400)
            #expect(try await browser.get("/account").status == 303)
            #expect(try await TestBrowser(shop).signIn("bea@example.com").status == 401)
            let rows = try await shop.shop.database.read {
                try $0.all("SELECT email FROM users") { try $0.next(String.self) }
            }
            #expect(!rows.contains { $0.contains("bea") })
            // The address is free, and so is the customer where they are still one.
            if !isErased { #expect(try await shop.accountLink(of: customer).count > 20) }
        }
    }

    @Test func `an app is for whom it was registered, and a guess at links keeps out nobody else`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser("ada@example.com")
            let customer = try await shop.openAccount("bea@example.com")
            let forStaff = try await TestApp.register(shop)
            let bea = try await TestBrowser.signedIn(shop, "bea@example.com")
            let refused = try await bea.get(forStaff.authorizeAddress())
            #expect(TestApp.query(refused)["error"] == "access_denied")
            let forCustomers = try await TestApp.register(shop, [.init("people", "customers")])
            let ada = try await TestBrowser.signedIn(shop, "ada@example.com")
            #expect(try await TestApp.query(ada.get(forCustomers.authorizeAddress()))["error"] == "access_denied")
            // Nor by a device.
            let begun = try await forStaff.ask("/oauth/device_authorization", ["scope": "read:products"]).json
            let token = TestBrowser.hidden("form_token", try await bea.get("/device"))
            for decision in ["", "allow"] {
                let page = try await bea.submit(
                    "/device",
                    ["form_token": token, "user_code": begun["user_code"]?.string ?? ""].merging(
                        decision.isEmpty ? [:] : ["decision": decision]
                    ) { $1 })
                #expect(page.status == 403 && page.text.contains("is not for you"))
            }
            // Asked without her seeing it, it does not learn what she is.
            let silent = try await bea.get(forStaff.authorizeAddress(["prompt": "none"]))
            #expect(["login_required", "consent_required"].contains(TestApp.query(silent)["error"] ?? ""))
            // Turned into one for staff, it has nobody's leave any more.
            let grant = try await forCustomers.exchange(forCustomers.code(bea, ["scope": "openid read:orders"]))
            #expect(grant.status == 200)
            _ = try await shop.patch("/v1/apps/\(forCustomers.id)", ["people": "staff"])
            let refresh = grant.json["refresh_token"]?.string ?? ""
            #expect(try await forCustomers.refresh(refresh).status == 400)
            #expect(customer.hasPrefix("cus_"))
        }
    }
}
