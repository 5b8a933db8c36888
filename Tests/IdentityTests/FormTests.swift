// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Forms, which other pages can send in a visitor's name.
struct FormTests {
    @Test func `no page takes a form without its mark, nor with one of another browser`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let app = try await TestApp.register(shop)
            let (own, other) = (try await TestBrowser.signedIn(shop), try await TestBrowser.signedIn(shop))
            _ = try await app.code(own)
            let foreign = TestBrowser.hidden("form_token", try await other.get("/account"))
            #expect(!foreign.isEmpty)
            let plausible = [
                "email": "eve@example.com", "name": "Eve", "password": TestBrowser.password,
                "new_password": "another long password", "decision": "allow", "app": app.id, "code": "123456",
                "user_code": "BCDF-GHJK",
                "request": String(app.authorizeAddress().dropFirst("/oauth/authorize?".count)), "then": "/account",
                "role": "owner",
            ]
            // A request of an app is one wherever it comes from, and changes nothing.
            let posts = shop.shop.identity.pageEndpoints.filter {
                $0.method == .post && $0.path != "/oauth/authorize"
            }
            #expect(posts.count >= 10)
            for endpoint in posts {
                for mark in [nil, "x", foreign] {
                    let fields = plausible.merging(mark.map { ["form_token": $0] } ?? [:]) { $1 }
                    let reply = try await own.submit(endpoint.path, fields)
                    #expect(reply.status == 403, "\(endpoint.path) \(mark ?? "none"): \(reply.status)")
                }
            }
            // The visitor is still signed in, the app let in, and the password what it was.
            #expect(try await own.get("/account").text.contains("Label Printer"))
            #expect(try await TestBrowser(shop).signIn("ada@example.com").status == 303)
            #expect(try await shop.get("/v1/users").items.count == 1)
        }
    }
}
