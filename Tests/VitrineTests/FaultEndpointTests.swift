// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import Resilience
import TestSupport
import Testing

@testable import Vitrine

/// Faults that an administrator does to a shop that is served.
@Suite struct FaultEndpointTests {
    private func put(_ shop: TestShop, _ faults: JSON, key: String? = nil, once: String? = nil) async throws -> Reply {
        let body: JSON = ["seed": 7, "seconds": 60, "faults": [faults]]
        return try await shop.send(
            .put, "/v1/faults", body: Array(body.text.utf8), headers: once.map { ["Idempotency-Key": $0] } ?? [:],
            key: key)
    }

    private static let allowed: @Sendable (inout Configuration) -> Void = { $0.faults = FaultInjector() }

    @Test func `only what carries the header meets the fault, and everybody can see that there is one`() async throws {
        try await TestShop.run(configure: Self.allowed) { shop in
            let begun = try await put(
                shop, ["edge": "endpoint", "kind": "error", "route": "GET /v1/products", "header": "X-Chaos: yes"])
            #expect(begun.status == 200 && begun.json["seconds_left"] == 60, "\(begun.text)")
            #expect(try await shop.get("/v1/products").status == 200)
            #expect(try await shop.get("/v1/products", headers: ["X-Chaos": "no"]).status == 200)
            #expect(try await shop.get("/v1/products", headers: ["x-chaos": "yes"]).status == 503)
            #expect(try await shop.get("/v1/orders", headers: ["X-Chaos": "yes"]).status == 200)
            let state = try await shop.get("/v1/faults").json
            #expect(state["made"] == [1] && state["seed"] == 7)
            #expect(state["faults"]?.array?.first?["header"] == "x-chaos: yes")
            await shop.shop.relay.drain()
            let entry = try await shop.get("/v1/audit-events").json["items"]?.array?.first
            #expect(entry?["action"] == "faults.begun")
        }
    }

    @Test func `an answer arrives slowly, byte by byte, or as bytes that mean nothing`() async throws {
        try await TestShop.run(configure: Self.allowed) { shop in
            let plain = try await shop.get("/v1/roles")
            let count = plain.body.count
            #expect(plain.status == 200)
            func answered(_ fault: [JSON.Member]) async throws -> (reply: Reply, after: Duration) {
                let edge: [JSON.Member] = [.init("edge", "endpoint"), .init("route", "GET /v1/roles")]
                #expect(try await put(shop, .object(edge + fault)).status == 200)
                let start = ContinuousClock.now
                let reply = try await shop.get("/v1/roles")
                return (reply, ContinuousClock.now - start)
            }
            let narrow = try await answered([
                .init("kind", "bandwidth"), .init("bytes_per_second", .integer(Int64(count * 4))),
            ])
            #expect(narrow.reply.body == plain.body && narrow.after >= .milliseconds(150), "\(narrow.after)")
            let drip = try await answered([.init("kind", "drip"), .init("from_ms", 1)])
            #expect(drip.reply.body == plain.body && drip.after >= .milliseconds(count), "\(drip.after)")
            let wrong = try await answered([.init("kind", "wrong")])
            #expect(wrong.reply.status == 200 && wrong.reply.body == plain.body.map { ~$0 })
        }
    }

    @Test(.enabled(if: TestRedis.isInstalled, "needs apt-get install redis-server"))
    func `while Redis is cut off limits are counted here, and after that together again`() async throws {
        let redis = try TestRedis()
        defer { redis.stop() }
        let configure: @Sendable (inout Configuration) -> Void = { configuration in
            Self.allowed(&configuration)
            configuration.limits.redisURL = redis.url
        }
        try await TestShop.run(configure: configure) { shop in
            let key = try await shop.post("/v1/keys", ["name": "app", "scopes": ["read:products"]]).json["secret"]
            func left() async throws -> Int? {
                let reply = try await shop.send(.get, "/v1/products", key: key?.string)
                #expect(reply.status == 200)
                return reply.header("X-RateLimit-Remaining").flatMap { Int($0) }
            }
            #expect(try await left() != nil)
            let fault: JSON = ["edge": "redis.wire", "kind": "partition"]
            #expect(try await put(shop, fault).status == 200)
            var made: JSON?
            for _ in 0..<200 where made?.array?.first?.integer ?? 0 == 0 {
                #expect(try await left() != nil)
                made = try await shop.get("/v1/faults").json["made"]
            }
            #expect(made?.array?.first?.integer ?? 0 > 0, "nothing was sent to Redis")
            #expect(try await shop.send(.delete, "/v1/faults").status == 204)
            #expect(try await left() != nil)
        }
    }

    @Test func `faults end by request even where nothing works any more`() async throws {
        try await TestShop.run(configure: Self.allowed) { shop in
            let begun = try await put(shop, ["edge": "database.read", "kind": "error"])
            #expect(begun.status == 200, "\(begun.text)")
            #expect(try await shop.get("/v1/products").status == 503)
            #expect(try await shop.send(.delete, "/v1/faults").status == 204)
            #expect(try await shop.get("/v1/products").status == 200)
            #expect(try await shop.get("/v1/faults").json["seconds_left"] == 0)
        }
    }

    @Test func `a replay does not begin them again`() async throws {
        try await TestShop.run(configure: Self.allowed) { shop in
            let fault: JSON = ["edge": "payment", "kind": "error"]
            let begun = try await put(shop, fault, once: "one")
            #expect(begun.status == 200, "\(begun.text)")
            #expect(try await shop.send(.delete, "/v1/faults").status == 204)
            #expect(try await put(shop, fault, once: "one").status == 200)
            #expect(try await shop.get("/v1/faults").json["seconds_left"] == 0)
        }
    }

    @Test func `nobody makes any without the setting, or without a trusted key`() async throws {
        let fault: JSON = ["edge": "payment", "kind": "error"]
        try await TestShop.run { shop in
            let refused = try await put(shop, fault)
            #expect(refused.status == 403 && refused.code == "faults_not_allowed", "\(refused.text)")
            #expect(try await shop.get("/v1/faults").json["allowed"] == false)
        }
        try await TestShop.run(configure: Self.allowed) { shop in
            let made = try await shop.post("/v1/keys", ["name": "app", "scopes": ["write:keys"]])
            let refused = try await put(shop, fault, key: made.json["secret"]?.string)
            #expect(refused.status == 403 && refused.code == "insufficient_scope", "\(refused.text)")
            #expect(try await put(shop, ["edge": "moon", "kind": "error"]).status == 422)
            let odd: [JSON] = [
                ["edge": "endpoint", "kind": "error", "header": ":::"],
                ["edge": "endpoint", "kind": "error", "header": "no-colon"],
                ["edge": "endpoint", "kind": "error", "header": ": value"],
                ["edge": "payment", "kind": "error", "route": "GET /v1/products"],
                ["edge": "payment", "kind": "wrong"], ["edge": "redis.wire", "kind": "partition"],
                ["edge": "payment", "kind": "error", "after_seconds": 5, "until_seconds": 5],
            ]
            for fault in odd {
                let reply = try await put(shop, fault)
                #expect(reply.status == 422 && reply.text.contains("faults/0"), "\(fault): \(reply.text)")
            }
        }
        #expect(throws: Failure.self) { try Configuration(environment: ["VITRINE_FAULTS": "yes"]) }
        #expect(try Configuration(environment: ["VITRINE_FAULTS": "allowed"]).faults != nil)
        #expect(try Configuration(environment: [:]).faults == nil)
    }
}
