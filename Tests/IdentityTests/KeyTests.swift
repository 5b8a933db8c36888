// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing

@testable import Identity

struct KeyTests {
    private func make(
        _ shop: TestShop, scopes: JSON = ["read:products"], extra: [JSON.Member] = []
    ) async throws -> (id: String, secret: String) {
        let reply = try await shop.post(
            "/v1/keys", .object([.init("name", "test"), .init("scopes", scopes)] + extra))
        return (reply.id, reply.json["secret"]?.string ?? "")
    }

    @Test func `a key may do what its scopes say, and is told what it lacks`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await make(shop)
            #expect(try await shop.send(.get, "/v1/products", key: secret).status == 200)
            let refused = try await shop.send(.get, "/v1/orders", key: secret)
            #expect(refused.status == 403 && refused.json["scope"] == "read:orders")
            #expect(refused.header("WWW-Authenticate")?.contains("scope=\"read:orders\"") == true)
            // Permission is checked before existence, so a stranger learns nothing about what there is.
            let unknown = OrderID.make(at: shop.clock.wall.now())
            #expect(try await shop.send(.get, "/v1/orders/\(unknown)", key: secret).status == 403)
        }
    }

    @Test func `a secret is shown once and kept nowhere`() async throws {
        try await TestShop.run { shop in
            let (id, secret) = try await make(shop)
            #expect(try await shop.get("/v1/keys/\(id)").json["secret"] == nil)
            #expect(try await !shop.get("/v1/keys").text.contains(secret))
            let headers = ["Idempotency-Key": "k"]
            let first = try await shop.post("/v1/keys", ["name": "n", "scopes": ["read:products"]], headers: headers)
            let again = try await shop.post("/v1/keys", ["name": "n", "scopes": ["read:products"]], headers: headers)
            #expect(first.body == again.body && again.json["secret"]?.string?.hasPrefix("vk_") == true)
            let kept = try await shop.shop.database.read { connection in
                try connection.all("SELECT body FROM idempotency_records") { try $0.next([UInt8].self) }
                    + connection.all("SELECT hash FROM api_keys") { try $0.next([UInt8].self) }
            }
            let hidden = try #require(first.json["secret"]?.string)
            for bytes in kept { #expect(!String(decoding: bytes, as: UTF8.self).contains(hidden)) }
        }
    }

    @Test func `a key cannot give what it does not have`() async throws {
        try await TestShop.run { shop in
            let (_, secret) = try await make(shop, scopes: ["write:keys", "read:products"])
            let body = Array(#"{"name":"more","scopes":["read:products","write:orders"]}"#.utf8)
            let refused = try await shop.send(.post, "/v1/keys", body: body, key: secret)
            #expect(refused.status == 403 && refused.text.contains("write:orders"))
        }
    }

    @Test func `a rotated key works on for its overlap, and no longer`() async throws {
        try await TestShop.run { shop in
            let (id, old) = try await make(shop)
            let successor = try await shop.post("/v1/keys/\(id)/rotate", ["overlap_seconds": 3_600])
            let new = try #require(successor.json["secret"]?.string)
            shop.clock.advance(by: .seconds(3_590))
            #expect(try await shop.send(.get, "/v1/products", key: old).status == 200)
            shop.clock.advance(by: .seconds(11))
            #expect(try await shop.send(.get, "/v1/products", key: old).status == 401)
            #expect(try await shop.send(.get, "/v1/products", key: new).status == 200)
            #expect(try await shop.post("/v1/keys/\(id)/rotate").status == 409)
        }
    }

    @Test func `a revoked key ends at once, an expired one on time`() async throws {
        try await TestShop.run { shop in
            let (id, revoked) = try await make(shop)
            #expect(try await shop.send(.get, "/v1/products", key: revoked).status == 200)
            #expect(try await shop.delete("/v1/keys/\(id)").status == 204)
            #expect(try await shop.send(.get, "/v1/products", key: revoked).status == 401)
            let expiry = shop.clock.wall.now().advanced(by: .seconds(60)).rfc3339
            let (_, short) = try await make(shop, extra: [.init("expires_at", .string(expiry))])
            #expect(try await shop.send(.get, "/v1/products", key: short).status == 200)
            shop.clock.advance(by: .seconds(60))
            #expect(try await shop.send(.get, "/v1/products", key: short).status == 401)
        }
    }

    @Test func `what was done with keys stands in the audit log, and stays there`() async throws {
        try await TestShop.run { shop in
            let (id, _) = try await make(shop)
            _ = try await shop.delete("/v1/keys/\(id)")
            await shop.shop.relay.drain()
            let actions = try await shop.get("/v1/audit-events?subject=\(id)").items.compactMap { $0["action"]?.string }
            #expect(actions == ["key.revoked", "key.created"])
            await #expect(throws: DatabaseError.self) {
                try await shop.shop.database.write { try $0.execute("DELETE FROM audit_log") }
            }
        }
    }

    @Test func `the administrator's key is made once`() async throws {
        try await TestShop.run { shop in
            #expect(shop.key.hasPrefix("vk_"))
            #expect(try await shop.shop.identity.administratorKeyAtFirstStart() == nil)
            shop.clock.advance(by: .seconds(61))
            _ = try await shop.get("/v1/me")
            #expect(try await shop.get("/v1/keys").items[0]["last_used_at"] != nil)
        }
    }
}
