// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Vitrine

@testable import Identity
@testable import Web

/// What apps have asked, as those see it who build them.
struct RequestLogTests {
    /// An app that has got a token, tried a grant that there is not, listed products, asked for one that there is not, and tried what it may not.
    private func with(_ test: (TestShop, _ app: TestApp, _ token: String) async throws -> Void) async throws {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            let token = try await app.ownToken()
            _ = try await app.token(["grant_type": "implicit"])
            for (path, status) in [("/v1/products", 200), ("/v1/products/x", 404), ("/v1/orders", 403)] {
                #expect(try await shop.send(.get, path, key: token).status == status)
            }
            _ = try await shop.get("/v1/products")
            try await shop.shop.calls.requests.flush()
            try await test(shop, app, token)
        }
    }

    private func own(_ shop: TestShop, _ token: String, _ query: String = "") async throws -> [JSON] {
        try await shop.send(.get, "/v1/me/requests" + query, key: token).items
    }

    @Test func `an app finds what it has asked, by each thing that is known of it`() async throws {
        try await with { shop, app, token in
            let all = try await own(shop, token)
            #expect(all.compactMap { $0["status"]?.integer } == [403, 404, 200, 400, 200])
            #expect(
                all.compactMap { $0["route"]?.string } == [
                    "/v1/orders", "/v1/products/{id}", "/v1/products", "/oauth/token", "/oauth/token",
                ])
            #expect(
                all.map { $0["problem"]?.string } == [
                    "insufficient_scope", "not_found", nil, "unsupported_grant_type", nil,
                ])
            #expect(all.prefix(3).allSatisfy { $0["method"] == "GET" })
            #expect(all.allSatisfy { $0["duration_microseconds"]?.integer ?? 0 > 0 })
            let id = try #require(all[1]["request_id"]?.string)
            for (query, statuses) in [
                ("?status=4xx", [403, 404, 400]), ("?status=200", [200, 200]), ("?problem=not_found", [404]),
                ("?route=/v1/orders", [403]), ("?request_id=\(id)", [404]), ("?method=POST", [400, 200]),
                ("?before=2020-01-01T00:00:00Z", []), ("?after=2020-01-01T00:00:00Z", [403, 404, 200, 400, 200]),
                ("?trace_id=\(String(repeating: "0", count: 32))", []),
            ] as [(String, [Int64])] {
                #expect(try await own(shop, token, query).compactMap { $0["status"]?.integer } == statuses, "\(query)")
            }
            for query in ["?status=9xx", "?status=4x", "?trace_id=1", "?what=1"] {
                #expect(try await shop.send(.get, "/v1/me/requests" + query, key: token).status == 400, "\(query)")
            }
            let first = try await shop.send(.get, "/v1/apps/\(app.id)/requests?limit=2")
            let next = try #require(first.json["next"]?.string).drop { $0 != "?" }
            let second = try await shop.get("/v1/apps/\(app.id)/requests" + next)
            #expect(first.items.count == 2 && second.items.contains { $0["route"] == "/v1/products" })
        }
    }

    @Test func `nobody else reads it, and what keys ask is not kept`() async throws {
        try await with { shop, app, token in
            let other = try await TestApp.register(shop)
            #expect(try await own(shop, other.ownToken()).isEmpty)
            try await shop.addUser()
            let browser = try await TestBrowser.signedIn(shop)
            let grant = try await app.exchange(app.code(browser))
            let inName = try #require(grant.json["access_token"]?.string)
            #expect(try await shop.send(.get, "/v1/me/requests", key: inName).status == 403)
            // What it asks in somebody's name is the app's, too.
            _ = try await shop.send(.get, "/v1/categories", key: inName)
            try await shop.shop.calls.requests.flush()
            #expect(try await own(shop, token, "?route=/v1/categories").count == 1)
            let apps = try await shop.shop.database.read { connection in
                try connection.all("SELECT DISTINCT app FROM app_requests") { try $0.next(String.self) }
            }
            #expect(Set(apps).isSubset(of: [app.id, other.id]))
            let partner = try await TestPartner.make(shop, "ann@example.com")
            #expect(try await partner.ask(.get, "/v1/apps/\(app.id)/requests").status == 404)
            #expect(try await partner.ask(.get, "/v1/apps/\(partner.app)/requests").status == 200)
        }
    }

    @Test func `it is forgotten after thirty days`() async throws {
        try await with { shop, _, token in
            shop.clock.advance(by: .seconds(30 * 86_400))
            try await shop.shop.calls.requests.purge()
            #expect(try await shop.get("/v1/apps").items.count == 1)
            let kept = try await shop.shop.database.read { connection in
                try connection.first("SELECT COUNT(*) FROM app_requests") { try $0.next(Int64.self) }
            }
            #expect(kept == 5)
            shop.clock.advance(by: .milliseconds(1))
            try await shop.shop.calls.requests.purge()
            let left = try await shop.shop.database.read { connection in
                try connection.first("SELECT COUNT(*) FROM app_requests") { try $0.next(Int64.self) }
            }
            #expect(left == 0)
        }
    }

    @Test func `of an app the latest are kept, and of others all`() async throws {
        try await with { shop, app, token in
            let log = shop.shop.calls.requests
            log.note("req_1", of: "app_other", "GET", "/v1/a", status: 200, after: .seconds(1))
            try await log.flush()
            try await log.purge(keeping: 1)
            #expect(try await own(shop, token).compactMap { $0["status"]?.integer } == [403])
            #expect(try await shop.get("/v1/apps/\(app.id)/requests").items.count == 1)
            let others = try await shop.shop.database.read { connection in
                try connection.first("SELECT COUNT(*) FROM app_requests WHERE app = 'app_other'") {
                    try $0.next(Int64.self)
                }
            }
            #expect(others == 1)
        }
    }

    @Test func `what fails has room of its own, however much goes well`() async throws {
        try await TestShop.run { shop in
            let log = shop.shop.calls.requests
            let busy = Principal(id: "app_busy:usr_a", name: "busy", scopes: [])
            func note(_ number: Int, _ status: Int) {
                log.note("req_\(status)_\(number)", of: busy.app, "GET", "/v1/a", status: status, after: .seconds(1))
            }
            for number in 0..<2_000 { note(number, 200) }
            for number in 0..<10 { note(number, 500) }
            try await log.flush()
            func count() async throws -> Int64? {
                try await shop.shop.database.read { connection in
                    try connection.first("SELECT COUNT(*) FROM app_requests WHERE app = 'app_busy'") {
                        try $0.next(Int64.self)
                    }
                }
            }
            #expect(try await count() == Int64(RequestLog.keptMax) + 10)
            shop.clock.advance(by: .seconds(60))
            note(5_000, 200)
            try await log.flush()
            #expect(try await count() == Int64(RequestLog.keptMax) + 11)
        }
    }

    @Test func `an orderly end loses nothing`() async throws {
        let shop = try await TestShop()
        defer { shop.directory.remove() }
        shop.shop.calls.requests.note("req_1", of: "app_a", "GET", "/v1/a", status: 200, after: .seconds(1))
        await shop.shop.close()
        let again = try await Shop.open(shop.shop.configuration)
        let kept = try await again.database.read { connection in
            try connection.first("SELECT COUNT(*) FROM app_requests") { try $0.next(Int64.self) }
        }
        await again.close()
        #expect(kept == 1)
    }

    @Test func `what cannot be written down waits`() async throws {
        try await TestShop.run { shop in
            let log = shop.shop.calls.requests
            let app = Principal(id: "app_a", name: "a", scopes: [])
            log.note("req_1", of: app.app, "GET", "/v1/a", status: 200, after: .seconds(1))
            await #expect(throws: (any Error).self) {
                try await Deadline.$current.withValue(.after(.zero)) { try await log.flush() }
            }
            try await log.flush()
            let kept = try await shop.shop.database.read { connection in
                try connection.first("SELECT COUNT(*) FROM app_requests") { try $0.next(Int64.self) }
            }
            #expect(kept == 1)
        }
    }
}
