// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Ordering

struct OrderLifeTests {
    private func lines(_ order: Reply) -> [String] {
        (order.json["lines"]?.array ?? []).compactMap { $0["id"]?.string }
    }

    @Test func `an order is sent off in parts, completed, and comes back`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 10)
            let order = try await shop.placeOrder(TestShop.order([("A1", 6)]))
            let path = "/v1/orders/\(order.id)"
            let line = JSON.string(lines(order)[0])
            let part: JSON = ["lines": [["line_id": line, "quantity": 2]], "carrier": "Post", "tracking": "X1"]
            #expect(try await shop.post("\(path)/fulfilments", part).status == 201)
            #expect(try await shop.get(path).json["status"] == "partially_fulfilled")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (8, 0, 4))
            #expect(try await shop.post("\(path)/cancel").code == "illegal_transition")
            let tooMany: JSON = ["lines": [["line_id": line, "quantity": 5]]]
            #expect(try await shop.post("\(path)/fulfilments", tooMany).json["available"] == 4)
            #expect(try await shop.post("\(path)/fulfilments").status == 201)
            #expect(try await shop.post("\(path)/fulfilments").code == "quantity_not_available")
            #expect(try await shop.get("\(path)/fulfilments").items.count == 2)
            #expect(try await shop.patch(path, ["status": "completed"]).json["status"] == "completed")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (4, 0, 0))
            let back = try await shop.post("\(path)/returns", ["lines": [["line_id": line, "quantity": 1]]])
            #expect(back.status == 201 && back.json.at("total", "amount") == 1_000)
            #expect(
                try await shop.post("\(path)/returns", ["lines": [["line_id": line, "quantity": 6]]]).status == 409)
            #expect(
                try await shop.post("\(path)/returns", ["lines": [["line_id": line, "quantity": 5]]]).status == 201)
            let end = try await shop.get(path).json
            #expect(end["status"] == "returned" && end.at("refunded", "amount") == 6_000)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (10, 0, 0))
            #expect(try await shop.get("/v1/ledger?currency=GBP").json.at("net", "amount") == 0)
        }
    }

    @Test func `no more money goes back than came`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 10)
            let order = try await shop.placeOrder(TestShop.order([("A1", 6)]))
            let path = "/v1/orders/\(order.id)/refunds"
            #expect(
                try await shop.post(path, ["amount": ["amount": 4_000, "currency": "GBP"], "reason": "late"]).status
                    == 201)
            let refused = try await shop.post(path, ["amount": ["amount": 2_001, "currency": "GBP"]])
            #expect(refused.code == "refund_too_large" && refused.json["available"] == "20.00")
            #expect(try await shop.post(path, ["amount": ["amount": 1, "currency": "EUR"]]).status == 422)
            #expect(try await shop.post(path).json.at("amount", "amount") == 2_000)
            #expect(try await shop.post(path).status == 422)
            #expect(try await shop.get(path).items.allSatisfy { $0["status"] == "succeeded" })
            #expect(try await shop.get("/v1/ledger?currency=GBP").json.at("net", "amount") == 0)
        }
    }

    @Test func `a cancelled order gives back stock and money`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 10)
            let order = try await shop.placeOrder(TestShop.order([("A1", 6)]))
            let tag = try #require(try await shop.get("/v1/orders/\(order.id)").header("ETag"))
            let cancelled = try await shop.patch("/v1/orders/\(order.id)", ["status": "cancelled"], ifMatch: tag)
            #expect(cancelled.json["status"] == "cancelled" && cancelled.json["cancel_reason"] == "requested")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (10, 0, 0))
            #expect(try await shop.get("/v1/orders/\(order.id)/refunds").items.map { $0["status"] } == ["succeeded"])
            let illegal = try await shop.patch("/v1/orders/\(order.id)", ["status": "completed"])
            #expect(illegal.status == 409 && illegal.json["state"] == "cancelled" && illegal.json["allowed"] == [])
        }
    }

    @Test func `returns and corrections without an order are booked once`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 1)
            let credit: JSON = [
                "external_id": "C1", "currency": "GBP", "received_at": "2011-01-01T00:00:00Z",
                "lines": [["sku": "A1", "quantity": 2, "unit_price": ["amount": 250, "currency": "GBP"]]],
            ]
            #expect(try await shop.post("/v1/returns", credit).status == 201)
            #expect(try await shop.post("/v1/returns", credit).code == "external_id_taken")
            let correction: JSON = [
                "external_id": "A1", "reason": "bad debt", "amount": ["decimal": "-11062.06", "currency": "GBP"],
            ]
            #expect(try await shop.post("/v1/ledger/adjustments", correction).status == 201)
            #expect(try await shop.post("/v1/ledger/adjustments", correction).code == "external_id_taken")
            let ledger = try await shop.get("/v1/ledger?currency=GBP").json
            #expect(ledger.at("credits", "amount") == -500 && ledger.at("adjustments", "amount") == -1_106_206)
            #expect(ledger.at("net", "amount") == -1_106_706)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").onHand == 3)
        }
    }

    @Test func `orders are found by what people know of them`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 10)
            let first = try await shop.placeOrder(TestShop.order([("A1", 1)], extra: [("email", "ada@example.com")]))
            shop.clock.advance(by: .seconds(60))
            _ = try await shop.placeOrder(TestShop.order([("A1", 1)], card: "sandbox_decline"))
            let number = try #require(first.json["number"]?.string)
            #expect(try await shop.get("/v1/orders?number=\(number)").items.map { $0["id"] } == [first.json["id"]])
            #expect(try await shop.get("/v1/orders?email=ADA@example.com").items.count == 1)
            #expect(try await shop.get("/v1/orders?status=cancelled").items.count == 1)
            let middle = shop.clock.wall.now().advanced(by: .seconds(-30)).rfc3339
            #expect(
                try await shop.get("/v1/orders?placed_before=\(middle)&expand=lines").items.map { $0["id"] } == [
                    first.json["id"]
                ])
            #expect(try await shop.get("/v1/orders?limit=1").json["next"] != nil)
        }
    }
}
