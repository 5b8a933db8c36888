// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing
import Web

@testable import Identity

/// The record of who did what, against those who would rather it said something else.
struct AuditTests {
    private func make(_ shop: TestShop, keys count: Int) async throws {
        for number in 0..<count {
            _ = try await shop.post("/v1/keys", ["name": .string("key \(number)"), "scopes": ["read:products"]])
        }
        await shop.shop.relay.drain()
    }

    private func verdict(_ shop: TestShop, head: String? = nil) async throws -> (
        count: Int, forgotten: Int64, head: String?, faults: [String]
    ) {
        try await shop.shop.database.read { try shop.shop.identity.audit(knownHead: head, in: $0) }
    }

    /// Changes the log as somebody would who has the database.
    private func tamper(_ shop: TestShop, _ sql: SQL) async throws {
        try await shop.shop.database.write { transaction in
            switch transaction.dialect {
            case .sqlite: try transaction.run(script: "DROP TRIGGER audit_log_keeps; DROP TRIGGER audit_log_stays;")
            case .postgres:
                try transaction.run(
                    script: "DROP TRIGGER audit_log_keeps ON audit_log; DROP TRIGGER audit_log_stays ON audit_log;")
            }
            #expect(try transaction.execute(sql) >= 1)
        }
    }

    @Test func `it tells who did what from where through which app, and is found by each`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let app = try await TestApp.register(shop, [.init("scopes", ["write:keys", "read:products"])])
            let browser = try await TestBrowser.signedIn(shop)
            let grant = try await app.exchange(app.code(browser, ["scope": "write:keys read:products"]))
            let body = Array(#"{"name":"made","scopes":["read:products"]}"#.utf8)
            let token = grant.json["access_token"]?.string ?? ""
            #expect(try await shop.send(.post, "/v1/keys", body: body, key: token).status == 201)
            await shop.shop.relay.drain()
            let user = try await shop.get("/v1/users").items[0]["id"]?.string ?? ""
            let entry = try #require(
                try await shop.get("/v1/audit-events?action=key.created&app=\(app.id)").items.first)
            #expect(entry["user"]?.string == user && entry["actor"]?.string == "\(app.id):\(user)")
            #expect(entry["hash"]?.string?.utf8.count == 64)
            let byUser = try await shop.get("/v1/audit-events?user=\(user)").items.compactMap { $0["action"]?.string }
            #expect(byUser.contains("user.signed_in") && byUser.contains("app.authorized"))
            let later = shop.clock.wall.now().advanced(by: .seconds(1)).rfc3339
            #expect(try await shop.get("/v1/audit-events?after=\(later)").items.isEmpty)
            #expect(try await !shop.get("/v1/audit-events?before=\(later)").items.isEmpty)
        }
    }

    @Test func `it tells what was before and what after, of each thing that decides what somebody may do`() async throws
    {
        try await TestShop.run { shop in
            let app = try await TestApp.register(shop)
            try await shop.addUser()
            let user = try await shop.addUser("bob@example.com", role: "viewer").id
            let key = try await shop.post("/v1/keys", ["name": "k", "scopes": ["read:products"]]).id
            _ = try await shop.put("/v1/roles/helper", ["scopes": ["read:products"]])
            let product = try await shop.post(
                "/v1/products",
                ["title": "Mug", "variants": [["sku": "M", "prices": [["amount": 1_000, "currency": "GBP"]]]]])
            let variant = try #require(product.json.at("variants", "0", "id")?.string)
            let changes: [(Reply, action: String, subject: String, changes: JSON)] = [
                (
                    try await shop.patch(
                        "/v1/apps/\(app.id)", ["tier": "partner", "redirect_uris": ["https://b.example/"]]),
                    "app.changed", app.id,
                    [
                        "redirect_uris": ["before": [.string(TestApp.back)], "after": ["https://b.example/"]],
                        "tier": ["before": "standard", "after": "partner"],
                    ]
                ),
                (
                    try await shop.patch("/v1/users/\(user)", ["role": "owner"]), "user.changed", user,
                    ["role": ["before": "viewer", "after": "owner"]]
                ),
                (
                    try await shop.patch("/v1/keys/\(key)", ["tier": "trusted", "units_per_minute": 60]),
                    "key.changed", key,
                    [
                        "tier": ["before": "standard", "after": "trusted"],
                        "units_per_minute": ["before": .null, "after": 60],
                    ]
                ),
                (
                    try await shop.put("/v1/roles/helper", ["scopes": ["read:orders"]]), "role.saved", "helper",
                    ["scope": ["before": "read:products", "after": "read:orders"]]
                ),
                (
                    try await shop.put("/v1/limits/search", ["limit": 7]), "limit.changed", "search",
                    ["limit": ["before": 3_000, "after": 7]]
                ),
                (
                    try await shop.patch(
                        "/v1/variants/\(variant)", ["prices": [["amount": 900, "currency": "GBP"]]]),
                    "price.changed", variant, ["GBP": ["before": "10.00", "after": "9.00"]]
                ),
            ]
            await shop.shop.relay.drain()
            for (reply, action, subject, expected) in changes {
                #expect(reply.status == 200, "\(action): \(reply.text)")
                let entry = try await shop.get("/v1/audit-events?action=\(action)&subject=\(subject)").items.first
                #expect(entry?.at("data", "changes") == expected, "\(action): \(entry?.text ?? "none")")
            }
        }
    }

    @Test(arguments: [
        "UPDATE audit_log SET actor = 'somebody else' WHERE sequence = 3",
        "UPDATE audit_log SET data = '{}' WHERE sequence = 3", "DELETE FROM audit_log WHERE sequence = 3",
        "UPDATE audit_log SET occurred_at = occurred_at + 1 WHERE sequence = 3",
        "UPDATE audit_log SET action = 'key.revoke', subject = 'd' || subject WHERE sequence = 3",
        "DELETE FROM audit_log WHERE sequence = 1",
    ])
    func `what is changed or left out is found`(text: String) async throws {
        try await TestShop.run { shop in
            try await make(shop, keys: 5)
            let before = try await verdict(shop)
            #expect(before.faults.isEmpty && before.count == 6)
            var sql: SQL = .empty
            sql += SQL(stringLiteral: text)
            try await tamper(shop, sql)
            #expect(try await verdict(shop).faults.count == 1)
        }
    }

    @Test func `an end that was cut off is found by a head that was noted`() async throws {
        try await TestShop.run { shop in
            try await make(shop, keys: 5)
            let noted = try await verdict(shop).head
            try await make(shop, keys: 2)
            #expect(try await verdict(shop, head: noted).faults.isEmpty)
            try await tamper(shop, "DELETE FROM audit_log WHERE sequence > 4")
            #expect(try await verdict(shop).faults.isEmpty)
            #expect(try await verdict(shop, head: noted).faults.count == 1)
        }
    }

    @Test func `entries go when their time is over, and the rest is still proved`() async throws {
        try await TestShop.run { shop in
            try await make(shop, keys: 5)
            shop.clock.advance(by: .seconds(100 * 86_400))
            try await make(shop, keys: 3)
            let purge = PurgeIdentity(
                database: shop.shop.database, clock: shop.clock.wall, auditRetention: .seconds(90 * 86_400))
            let head = try await verdict(shop).head
            try await purge.run()
            let after = try await verdict(shop, head: head)
            #expect(after.faults.isEmpty && after.count == 3 && after.head == head && after.forgotten == 6)
            try await make(shop, keys: 1)
            #expect(try await verdict(shop, head: head).faults.isEmpty)
            // What has no checkpoint stays.
            await #expect(throws: DatabaseError.self) {
                _ = try await shop.shop.database.write { try $0.execute("DELETE FROM audit_log") }
            }
            try await tamper(shop, "DELETE FROM audit_log WHERE sequence = 7")
            #expect(try await verdict(shop).faults.count == 1)
        }
    }

    @Test func `an entry outside the chain is found, and does not break what follows`() async throws {
        try await TestShop.run { shop in
            try await make(shop, keys: 2)
            // As a process that does not know of the chain writes it.
            _ = try await shop.shop.database.write { transaction in
                try transaction.execute(
                    """
                    INSERT INTO audit_log (event, action, subject, actor, data, occurred_at)
                    VALUES ('evt_planted', 'key.created', 'key_x', 'nobody', '{}', 1)
                    """)
            }
            try await make(shop, keys: 2)
            let faults = try await verdict(shop).faults
            #expect(faults.count == 1 && faults[0].contains("outside the chain"))
        }
    }

    @Test func `retention goes past whatever was recorded before the chain`() async throws {
        try await TestShop.run { shop in
            try await shop.shop.database.write { transaction in
                for number in 0..<600 {
                    try transaction.execute(
                        """
                        INSERT INTO audit_log (event, action, subject, actor, data, occurred_at)
                        VALUES (\("evt_\(number)"), 'key.created', 'key_old', 'first start', '{}', 1)
                        """)
                }
            }
            try await make(shop, keys: 2)
            let noted = try await verdict(shop).head
            shop.clock.advance(by: .seconds(100 * 86_400))
            try await make(shop, keys: 1)
            try await PurgeIdentity(
                database: shop.shop.database, clock: shop.clock.wall, auditRetention: .seconds(86_400)
            ).run()
            let after = try await verdict(shop, head: noted)
            #expect(after.faults.isEmpty && after.count == 1)
        }
    }

    @Test func `what was recorded before there was a chain is under its first hash`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.shop.database.write { transaction in
                try transaction.execute(
                    """
                    INSERT INTO audit_log (event, action, subject, actor, data, occurred_at)
                    VALUES ('evt_old', 'key.created', 'key_old', 'first start', '{}', 1)
                    """)
            }
            try await make(shop, keys: 2)
            #expect(try await verdict(shop).faults.isEmpty)
            try await tamper(shop, "UPDATE audit_log SET subject = 'key_new' WHERE event = 'evt_old'")
            #expect(try await verdict(shop).faults.count == 1)
        }
    }
}
