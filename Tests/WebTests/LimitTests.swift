// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import RateLimiting
import TestSupport
import Testing
import Vitrine
import Web

/// The limits of the API, as a client meets them.
@Suite struct LimitTests {
    /// Makes a key and answers its secret.
    private func key(_ shop: TestShop, _ body: JSON = [:]) async throws -> (id: String, secret: String) {
        var members: [JSON.Member] = [
            .init("name", "app"), .init("scopes", ["read:products", "read:orders", "write:orders", "write:products"]),
        ]
        if case .object(let more) = body {
            members = members.filter { member in !more.contains { $0.name == member.name } } + more
        }
        let answer = try await shop.post("/v1/keys", .object(members))
        #expect(answer.status == 201, "\(answer.text)")
        return (answer.json["id"]?.string ?? "", answer.json["secret"]?.string ?? "")
    }

    private func get(_ shop: TestShop, _ path: String, _ secret: String) async throws -> Reply {
        try await shop.send(.get, path, key: secret)
    }

    private func ask(
        _ shop: TestShop, _ method: HTTPRequest.Method, _ path: String, _ json: JSON? = nil, key: String? = nil
    ) async throws -> Reply {
        try await shop.send(
            method, path, body: json.map { Array($0.text.utf8) }, headers: method == .patch ? ["If-Match": "*"] : [:],
            key: key)
    }

    @Test func `a key is told what is left, then refused, and what is refused costs nothing`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await key(shop, ["units_per_minute": 12])
            let first = try await get(shop, "/v1/products", secret)
            #expect(first.status == 200)
            #expect(first.headers[HTTPField.Name("X-RateLimit-Limit")!] == "12")
            #expect(first.headers[HTTPField.Name("X-RateLimit-Remaining")!] == "7")
            #expect(
                first.headers[HTTPField.Name("RateLimit-Policy")!]?.hasPrefix("\"standard\";q=12;w=60, \"search\"")
                    == true)
            #expect(try await get(shop, "/v1/products", secret).status == 200)
            for _ in 0..<5 {
                let refused = try await get(shop, "/v1/products", secret)
                #expect(refused.status == 429 && refused.json["code"] == "quota_exceeded", "\(refused.text)")
                #expect(refused.json["violated-policies"] == ["standard"])
                let seconds = refused.headers[.retryAfter].flatMap { Int64($0) } ?? 0
                #expect(seconds >= 60 && refused.json["retryAfter"] == .integer(seconds))
                #expect(refused.headers[HTTPField.Name("RateLimit")!]?.contains("\"standard\";r=0;t=") == true)
            }
            // Two units are left for what costs no more.
            for status in [404, 404, 429] {
                #expect(try await get(shop, "/v1/products/prd_01m86y3wnftxr5ps1jv2kxafb0", secret).status == status)
            }
            let (_, other) = try await key(shop)
            #expect(try await get(shop, "/v1/products", other).status == 200, "another key is another client")
            #expect(try await shop.send(.get, "/v1/products").headers[HTTPField.Name("RateLimit")!] == nil, "trusted")
        }
    }

    @Test func `a cost is told before it is spent`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await key(shop, ["units_per_minute": 12])
            for _ in 0..<10 {
                let price = try await get(shop, "/v1/products?dry_run=cost", secret)
                #expect(price.status == 200 && price.json["cost"] == 5 && price.json["allowed"] == true)
                #expect(price.json["policies"]?.array?.first?["available"] == 12)
            }
            let order = try await ask(shop, .post, "/v1/orders?dry_run=cost", [:], key: secret)
            #expect(order.json["cost"] == 10, "\(order.text)")
            let import_ = try await ask(shop, .post, "/v1/products/import?dry_run=cost", key: secret)
            #expect(import_.json["cost"] == 100 && import_.json["allowed"] == false, "\(import_.text)")
        }
    }

    @Test func `what costs more than a key ever has is refused for good`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await key(shop, ["units_per_minute": 12])
            let answer = try await ask(shop, .post, "/v1/products/import", key: secret)
            #expect(answer.status == 403 && answer.json["code"] == "cost_exceeds_limit", "\(answer.text)")
        }
    }

    @Test func `limits and tiers change while the shop is open, and somebody answers for it`() async throws {
        try await TestShop.run { shop in
            let (id, secret) = try await key(shop)
            #expect(try await get(shop, "/v1/orders", secret).headers[HTTPField.Name("X-RateLimit-Limit")!] == "6000")
            let changed = try await ask(shop, .put, "/v1/limits/standard", ["limit": 50])
            #expect(changed.status == 200 && changed.json["limit"] == 50, "\(changed.text)")
            #expect(try await get(shop, "/v1/orders", secret).headers[HTTPField.Name("X-RateLimit-Remaining")!] == "40")
            _ = try await ask(shop, .put, "/v1/limits/standard", ["limit": 50, "enabled": false])
            let open = try await get(shop, "/v1/orders", secret)
            #expect(open.headers[HTTPField.Name("RateLimit-Policy")!]?.contains("standard") == false)
            let read = try await shop.send(.get, "/v1/limits").json["limits"]?.array
            let standard = read?.first { $0["name"] == "standard" }
            #expect(standard?["enabled"] == false)
            #expect(read?.count == LimitName.allCases.count)

            let patched = try await ask(
                shop, .patch, "/v1/keys/\(id)", ["tier": "partner", "units_per_minute": .null])
            #expect(patched.status == 200 && patched.json["tier"] == "partner", "\(patched.text)")
            #expect(try await get(shop, "/v1/orders", secret).headers[HTTPField.Name("X-RateLimit-Limit")!] == "60000")
            await shop.shop.relay.drain()
            let actions = try await shop.send(.get, "/v1/audit-events").json["items"]?.array?.compactMap {
                $0["action"]?.string
            }
            #expect(
                Set(actions ?? []).isSuperset(of: ["limit.changed", "key.changed", "key.created"]), "\(actions ?? [])")
        }
    }

    @Test func `a key may have more than its tier, up to a million`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await key(shop, ["units_per_minute": 1_000_000])
            let answer = try await get(shop, "/v1/orders", secret)
            #expect(answer.headers[HTTPField.Name("RateLimit")!]?.contains("\"standard\";r=999995") == true)
        }
    }

    @Test func `units a minute are as many in another window, and what is configured off stays off`() async throws {
        try await TestShop.run(configure: { try? $0.limits.apply("standard=1000/10, search=off") }) { shop in
            let (_, secret) = try await key(shop, ["units_per_minute": 60])
            #expect(try await get(shop, "/v1/orders", secret).headers[HTTPField.Name("X-RateLimit-Limit")!] == "10")
            let changed = try await ask(shop, .put, "/v1/limits/search", ["limit": 10])
            #expect(changed.status == 200 && changed.json["enabled"] == false, "\(changed.text)")
            let fields = try await get(shop, "/v1/products", secret).headers[HTTPField.Name("RateLimit")!]
            #expect(fields?.contains("standard") == true && fields?.contains("search") == false)
        }
    }

    @Test func `a key gives no tier that it does not have`() async throws {
        try await TestShop.run { shop in
            let made = try await shop.post(
                "/v1/keys", ["name": "manager", "scopes": ["write:keys", "read:keys"], "tier": "partner"])
            let secret = made.json["secret"]?.string ?? ""
            for (tier, status) in [("trusted", 403), ("partner", 201), ("standard", 201)] {
                let answer = try await ask(
                    shop, .post, "/v1/keys", ["name": "x", "scopes": ["read:keys"], "tier": .string(tier)], key: secret)
                #expect(answer.status == status, "\(answer.text)")
            }
            // Nor by taking over a key that has it, nor by a limit of its own, nor for everybody.
            let admin = try await shop.send(.get, "/v1/me").json["id"]?.string ?? ""
            let own = made.json["id"]?.string ?? ""
            let takeover = try await ask(shop, .post, "/v1/keys/\(admin)/rotate", ["overlap_seconds": 0], key: secret)
            #expect(takeover.status == 403, "\(takeover.text)")
            let richer = try await ask(shop, .patch, "/v1/keys/\(own)", ["units_per_minute": 1_000_000], key: secret)
            #expect(richer.status == 403, "\(richer.text)")
            #expect(try await ask(shop, .put, "/v1/limits/standard", ["limit": 1], key: secret).status == 403)
            #expect(
                try await ask(shop, .post, "/v1/keys/\(own)/rotate", ["overlap_seconds": 60], key: secret).status == 201
            )
            let raise = try await ask(
                shop, .patch, "/v1/keys/\(made.json["id"]?.string ?? "")", ["tier": "trusted"], key: secret)
            #expect(raise.status == 403)
        }
    }

    @Test func `guessing keys comes to an end, and keeps nobody out whose key is good`() async throws {
        try await TestShop.run { shop in
            var statuses: [Int] = []
            for number in 0..<40 { statuses.append(try await get(shop, "/v1/products", "vk_guess\(number)").status) }
            #expect(statuses == Array(repeating: 401, count: 30) + Array(repeating: 429, count: 10))
            #expect(try await shop.send(.get, "/v1/products").status == 200)
        }
    }

    @Test func `whoever has no key is counted, too`() async throws {
        try await TestShop.run(configure: { try? $0.limits.apply("anonymous=1") }) { shop in
            let statuses = [
                try await shop.send(.get, "/problems/not-found", key: "").status,
                try await shop.send(.get, "/problems/not-found", key: "").status,
            ]
            #expect(statuses == [200, 429])
        }
    }

    @Test func `whoever is refused for want of a key or a scope is counted, too`() async throws {
        try await TestShop.run(configure: { try? $0.limits.apply("anonymous=3") }) { shop in
            var statuses: [Int] = []
            for _ in 0..<5 { statuses.append(try await shop.send(.get, "/v1/orders/ord_1", key: "").status) }
            #expect(statuses == [401, 401, 401, 429, 429])
            #expect(try await shop.send(.get, "/v1/orders/ord_1?dry_run=cost", key: "").status == 429)
            let (_, secret) = try await key(shop, ["units_per_minute": 2, "scopes": ["read:products"]])
            statuses = []
            for _ in 0..<4 { statuses.append(try await get(shop, "/v1/audit-events", secret).status) }
            #expect(statuses == [403, 403, 429, 429])
        }
    }

    @Test func `a limit goes back to what is configured`() async throws {
        try await TestShop.run(configure: { try? $0.limits.apply("standard=700") }) { shop in
            _ = try await ask(shop, .put, "/v1/limits/standard", ["limit": 50, "enabled": false])
            #expect(try await ask(shop, .delete, "/v1/limits/standard").status == 204)
            let standard = try await shop.send(.get, "/v1/limits").json["limits"]?.array?
                .first { $0["name"] == "standard" }
            #expect(standard?["limit"] == 700 && standard?["enabled"] == true)
            await shop.shop.relay.drain()
            let actions = try await shop.send(.get, "/v1/audit-events").json["items"]?.array?.map {
                $0["action"]?.string
            }
            #expect(actions?.first == "limit.reset")
            let (_, secret) = try await key(shop, ["scopes": ["read:keys", "write:keys"]])
            #expect(try await ask(shop, .delete, "/v1/limits/standard", key: secret).status == 403)
        }
    }

    @Test(arguments: [
        ("standard=12000, search=off, writes=shadow, partner=100000/10", nil), ("off", nil),
        ("nobody=1", "nobody"), ("standard", "standard"), ("standard=0", "units"), ("standard=1/0", "seconds"),
        ("open=1/60", "seconds"), ("standard=many", "units"),
    ])
    func `the variable says what it takes`(text: String, complaint: String?) throws {
        let make = { try Configuration(environment: ["VITRINE_LIMITS": text]) }
        guard let complaint else {
            let limits = try make().limits
            if text == "off" { return #expect(limits.off.count == LimitName.allCases.count) }
            #expect(limits.off == [.search] && limits.policies[6].isShadow == false && limits.policies[7].isShadow)
            #expect(limits.policies[5].rule == .slidingWindow(limit: 100_000, window: .seconds(10), slots: 60))
            return
        }
        let failure = #expect(throws: Failure.self) { try make() }
        #expect(failure.map { "\($0)".contains(complaint) } == true)
    }
}

/// Two shops that know each other only by Redis.
@Suite(.enabled(if: TestRedis.isInstalled, "Redis is not installed: apt-get install redis-server"))
struct SharedLimitTests {
    private func statuses(_ shop: TestShop, _ count: Int) async throws -> [Int] {
        var statuses: [Int] = []
        for _ in 0..<count { statuses.append(try await shop.send(.get, "/v1/products", key: "vt_nobody").status) }
        return statuses
    }

    @Test func `processes count together, and each goes on without Redis as it is told`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        func settings(_ more: String) -> (inout Configuration) -> Void {
            { configuration in
                configuration.limits.redisURL = server.url
                // A machine that is busy with other tests is no Redis that is away.
                configuration.limits.redisTimeMax = .seconds(5)
                try? configuration.limits.apply("sign-in=4" + more)
            }
        }
        try await TestShop.run(configure: settings("")) { one in
            try await TestShop.run(configure: settings(", sign-in=fails-closed")) { other in
                #expect(try await statuses(one, 2) == [401, 401])
                #expect(try await statuses(other, 3) == [401, 401, 429])
                #expect(try await statuses(one, 1) == [429])
                try server.crash()
                let end = ContinuousClock.now + .seconds(20)
                var refused = try await statuses(other, 1)
                while refused != [503] {
                    try #require(ContinuousClock.now < end, "\(refused)")
                    try await Task.sleep(for: .milliseconds(20))
                    refused = try await statuses(other, 1)
                }
                // What is known to be refused is remembered for a second; then it is this process's own share.
                while try await statuses(one, 1) != [401] { try #require(ContinuousClock.now < end) }
            }
        }
    }

    @Test func `a key that is busy is counted on every way, and told what is left`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        func configure(_ configuration: inout Configuration) {
            configuration.limits.redisURL = server.url
            configuration.limits.redisTimeMax = .seconds(5)
        }
        try await TestShop.run(configure: configure) { shop in
            let answer = try await shop.post(
                "/v1/keys", ["name": "app", "scopes": ["read:products"], "units_per_minute": 200])
            let secret = answer.json["secret"]?.string ?? ""
            var allowed = 0
            for _ in 0..<260 {
                let reply = try await shop.send(.get, "/v1/products/prd_01m86y3wnftxr5ps1jv2kxafb0", key: secret)
                if reply.status == 404 { allowed += 1 } else { #expect(reply.status == 429) }
                #expect(reply.headers[HTTPField.Name("X-RateLimit-Limit")!] == "200")
            }
            #expect(allowed == 200)
        }
    }

    @Test func `an address that is none is refused at start`() async throws {
        await #expect(throws: Failure.self) {
            try await TestShop.run(configure: { $0.limits.redisURL = "rediss://example.org" }) { _ in }
        }
    }
}
