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
