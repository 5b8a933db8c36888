// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing

@testable import Customers

struct CustomerTests {
    private let address: JSON = ["name": "Ada", "street": "1 High Street", "city": "Leeds", "country": "GB"]

    @Test func `a customer is made, found, patched, and unique by mail whatever its case`() async throws {
        try await TestShop.run { shop in
            let made = try await shop.post(
                "/v1/customers", ["email": "Ada@Example.com", "name": "Ada", "external_id": "7"])
            #expect(made.status == 201)
            #expect(try await shop.post("/v1/customers", ["email": "ada@example.COM"]).status == 409)
            #expect(try await shop.post("/v1/customers", ["external_id": "7"]).code == "external_id_taken")
            #expect(try await shop.get("/v1/customers?email=ADA@example.com").items.count == 1)
            let patched = try await shop.patch("/v1/customers/\(made.id)", ["name": nil, "phone": "0113 496 0000"])
            #expect(patched.json["name"] == nil && patched.json["phone"] == "0113 496 0000")
            for wrong: JSON in [["email": "nobody"], ["email": "a@b"], ["country": "gb"], ["language": "english"]] {
                #expect(try await shop.post("/v1/customers", wrong).status == 422)
            }
        }
    }

    @Test func `one address is the default, and a new default takes its place`() async throws {
        try await TestShop.run { shop in
            let customer = try await shop.post("/v1/customers", ["name": "Ada"]).id
            let path = "/v1/customers/\(customer)/addresses"
            let first = try await shop.post(path, ["address": address, "default": true])
            shop.clock.advance(by: .seconds(1))
            let second = try await shop.post(path, ["address": address, "default": true])
            #expect(first.status == 201 && second.status == 201)
            #expect(try await shop.get(path).items.map { $0["default"] } == [false, true])
            #expect(try await shop.put("\(path)/\(first.id)", ["address": address, "default": true]).status == 200)
            #expect(try await shop.get(path).items.map { $0["default"] } == [true, false])
            #expect(try await shop.send(.delete, "\(path)/\(second.id)").status == 204)
            #expect(try await shop.send(.delete, "\(path)/\(second.id)").status == 404)
        }
    }

    @Test func `an erased person is gone from everywhere, and the books still add up`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let person: JSON = ["email": "ada@example.com", "name": "Ada Lovelace"]
            let customer = try await shop.post("/v1/customers", person, headers: ["Idempotency-Key": "ada"]).id
            _ = try await shop.post("/v1/customers/\(customer)/addresses", ["address": address])
            let order = try await shop.placeOrder(
                TestShop.order(
                    [("A1", 1)],
                    extra: [
                        ("customer_id", .string(customer)), ("email", "ada@example.com"), ("shipping_address", address),
                        ("metadata", ["note": "for Ada"]),
                    ]))
            let exported = try await shop.post("/v1/customers/\(customer)/export")
            #expect(exported.json["orders"]?.array?.count == 1 && exported.json["addresses"]?.array?.count == 1)
            #expect(exported.text.contains("Ada Lovelace"))
            let ledger = try await shop.get("/v1/ledger?currency=GBP").json
            #expect(try await shop.post("/v1/customers/\(customer)/erase").json["erased_at"] != nil)
            for path in [
                "customers/\(customer)", "customers/\(customer)/addresses", "orders/\(order.id)", "orders", "customers",
            ] {
                let text = try await shop.get("/v1/\(path)").text
                #expect(!text.contains("Ada") && !text.contains("ada@") && !text.contains("High Street"), "\(path)")
            }
            let kept = try await shop.shop.database.read {
                try $0.all("SELECT body FROM idempotency_records") {
                    String(decoding: try $0.next([UInt8].self), as: UTF8.self)
                }
            }
            #expect(kept.allSatisfy { !$0.contains("Ada") }, "answers for retries forget, too")
            #expect(try await shop.get("/v1/ledger?currency=GBP").json == ledger)
            #expect(try await shop.get("/v1/customers/\(customer)/orders").items.count == 1)
            #expect(try await shop.patch("/v1/customers/\(customer)", ["name": "Eve"]).code == "customer_erased")
            await shop.shop.relay.drain()
            let actions = try await shop.get("/v1/audit-events?subject=\(customer)").items.compactMap {
                $0["action"]?.string
            }
            #expect(actions == ["customer.erased", "customer.exported"])
        }
    }
}
