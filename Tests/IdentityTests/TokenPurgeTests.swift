// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Persistence
import TestSupport
import Testing
import Web

@testable import Identity

/// What tokens leave behind them. `VITRINE_SOAK=1` issues a million.
struct TokenPurgeTests {
    private static let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1"

    /// Where anything of a token stands.
    private static let counts: [SQL] = [
        "SELECT COUNT(*) FROM authorizations", "SELECT COUNT(*) FROM authorization_codes",
        "SELECT COUNT(*) FROM pushed_requests", "SELECT COUNT(*) FROM device_requests",
        "SELECT COUNT(*) FROM token_revocations",
    ]

    private func rows(_ shop: TestShop) async throws -> [Int64] {
        try await shop.shop.database.read { connection in
            try Self.counts.map { count in try connection.first(count) { try $0.next(Int64.self) } ?? -1 }
        }
    }

    @Test func `tables of tokens shrink to what lives, whatever was issued before`() async throws {
        try await TestShop.run(configure: { try? $0.limits.apply("off") }) { shop in
            try await shop.addUser()
            let app = try await TestApp.register(shop)
            let browser = try await TestBrowser.signedIn(shop)
            _ = try await app.code(browser)
            let responder = shop.shop.makeResponder()
            func ask(_ path: String, _ fields: [String: String]) async throws -> Reply {
                let all = fields.merging(["client_id": app.id, "client_secret": app.secret ?? ""]) { own, _ in own }
                return try await TestShop.ask(
                    responder, .post, path, body: Array(TestShop.encoded(all).utf8),
                    headers: ["Content-Type": "application/x-www-form-urlencoded"], key: "")
            }
            let cookie = ["Cookie": browser.cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")]
            /// A grant that is renewed once, another token, and what else there is; answers the last refresh token.
            func issue() async throws -> String {
                let page = try await TestShop.ask(responder, .get, app.authorizeAddress(), headers: cookie, key: "")
                let grant = try await ask(
                    "/oauth/token",
                    [
                        "grant_type": "authorization_code", "code": TestApp.query(page)["code"] ?? "",
                        "redirect_uri": TestApp.back, "code_verifier": TestApp.verifier,
                    ])
                let first = try #require(grant.json["refresh_token"]?.string, "\(page.status) \(grant.text)")
                let renewed = try await ask("/oauth/token", ["grant_type": "refresh_token", "refresh_token": first])
                #expect(try await ask("/oauth/token", ["grant_type": "client_credentials"]).status == 200)
                return try #require(renewed.json["refresh_token"]?.string)
            }
            let count = Self.isLong ? 1_000_000 : 900
            for number in 0..<count / 3 {
                let token = try await issue()
                if number % 3 == 0 { _ = try await ask("/oauth/revoke", ["token": token]) }
                if number % 50 == 0 { _ = try await ask("/oauth/device_authorization", ["scope": "openid"]) }
                // The browser stays signed in for less than a day; so time goes on slowly, and purges come in between.
                if number % 5_000 == 4_999 { try await purge(shop) }
            }
            let before = try await rows(shop)
            #expect(before[0] >= count / 3 - 1, "\(before)")
            shop.clock.advance(by: .seconds(400 * 86_400))
            let again = try await TestBrowser.signedIn(shop)
            let live = try await app.exchange(app.code(again))
            #expect(live.status == 200, "\(live.text)")
            try await purge(shop)
            #expect(try await rows(shop) == [1, 1, 0, 0, 0], "\(before)")
            let token = try #require(live.json["access_token"]?.string)
            #expect(try await app.isActive(token) == true)
        }
    }

    private func purge(_ shop: TestShop) async throws {
        try await PurgeIdentity(database: shop.shop.database, clock: shop.clock.wall).run()
    }
}
