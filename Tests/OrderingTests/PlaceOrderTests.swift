// SPDX-License-Identifier: Apache-2.0

import Kernel
import Payments
import TestSupport
import Testing
import Web

@testable import Ordering
@testable import Vitrine

struct PlaceOrderTests {
    @Test func `an order is priced, paid, booked and told of`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 10)
            let order = try await shop.placeOrder(
                TestShop.order(
                    [("A1", 3)],
                    extra: [
                        ("shipping_address", ["name": "A", "street": "B", "city": "C", "country": "GB"])
                    ]))
            #expect(order.status == 201 && order.json["status"] == "paid")
            #expect(order.json.at("totals", "subtotal", "amount") == 3_000)
            #expect(order.json.at("totals", "shipping", "amount") == 495)
            #expect(order.json.at("totals", "total", "amount") == 3_495)
            #expect(order.json.at("totals", "tax", "amount") == 583, "a sixth of a gross sum at 20 %")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (10, 0, 3))
            #expect(try await shop.get("/v1/ledger?currency=GBP").json.at("sales", "amount") == 3_495)
            let types = try await shop.shop.database.read {
                try $0.all("SELECT type FROM events ORDER BY sequence") { try $0.next(String.self) }
            }
            #expect(types.last == "order.placed")
        }
    }

    @Test func `a crash before the provider was asked leaves an order that a retry finishes`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let id = try await crash(shop, after: .reserving)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").reserved == 1)
            try await shop.shop.ordering.recover()
            #expect(try await shop.get("/v1/orders/\(id)").json["status"] == "pending", "there is still time to pay")
            let outcome = try await shop.shop.ordering.placing.askForMoney(
                try await payment(of: id, shop), isResumed: true)
            let settled = try await shop.shop.database.write {
                try shop.shop.ordering.placing.settle(id, outcome, by: "retry", in: $0)
            }
            #expect(settled.order.state == .paid)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").sold == 1)
        }
    }

    @Test func `a crash before the provider was asked gives the stock back when the time to pay is over`() async throws
    {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let id = try await crash(shop, after: .reserving)
            shop.clock.advance(by: .seconds(901))
            try await shop.shop.ordering.recover()
            let order = try await shop.get("/v1/orders/\(id)").json
            #expect(order["status"] == "cancelled" && order["cancel_reason"] == "expired")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 0))
        }
    }

    @Test func `a crash after the provider has charged ends in a paid order`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let id = try await crash(shop, after: .charging)
            shop.clock.advance(by: .seconds(30))
            try await shop.shop.ordering.recover()
            #expect(try await shop.get("/v1/orders/\(id)").json["status"] == "paid")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 1))
        }
    }

    @Test func `an order that was given up cannot be paid any more`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let id = try await crash(shop, after: .reserving)
            let pending = try await payment(of: id, shop)
            shop.clock.advance(by: .seconds(901))
            try await shop.shop.ordering.recover()
            let late = try await shop.shop.ordering.placing.askForMoney(pending)
            #expect(late == .declined(.cancelled))
            let settled = try await shop.shop.database.write {
                try shop.shop.ordering.placing.settle(id, late, by: "late", in: $0)
            }
            #expect(settled.order.state == .cancelled)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 0))
        }
    }

    @Test func `money that comes while an order is given up goes back, and nothing is sold`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let id = try await crash(shop, after: .reserving)
            let pending = try await payment(of: id, shop)
            try await shop.shop.database.write { try shop.shop.ordering.placing.expire(id, by: "test", in: $0) }
            let late = try await shop.shop.ordering.placing.askForMoney(pending)
            let settled = try await shop.shop.database.write {
                try shop.shop.ordering.placing.settle(id, late, by: "late", in: $0)
            }
            // The void is refused, because there is money to be given back.
            await shop.shop.payments.settle()
            await shop.shop.payments.settle()
            #expect(settled.order.state == .cancelled)
            #expect(try await shop.get("/v1/orders/\(id)/refunds").items.map { $0["status"] } == ["succeeded"])
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 0))
            #expect(try await shop.get("/v1/ledger?currency=GBP").json.at("net", "amount") == 0)
        }
    }

    private enum Step { case reserving, charging }

    /// Goes through the steps of an order up to one, and stops there as a crash would.
    private func crash(_ shop: TestShop, after step: Step) async throws -> OrderID {
        let command = PlaceOrder.Command(
            source: .lines([LineRequest(variant: .sku("A1"), quantity: 1, unitPrice: nil)], .gbp),
            reach: .everybody, payment: .card(token: "sandbox_approve"), actor: "test")
        let (order, payment) = try await shop.shop.database.write {
            try shop.shop.ordering.placing.reserve(command, in: $0)
        }
        if step == .charging { _ = try await shop.shop.ordering.placing.askForMoney(#require(payment)) }
        return order.id
    }

    private func payment(of id: OrderID, _ shop: TestShop) async throws -> Payment {
        try #require(
            try await shop.shop.database.read { try shop.shop.payments.payments(of: id, in: $0).last })
    }

    @Test func `what cannot be ordered is refused by line, and nothing is held`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            _ = try await shop.makeProduct("D1", extra: [("status", "draft")])
            _ = try await shop.makeProduct("N1", extra: [("variants", [["sku": "N1"]])])
            for (body, code) in [
                (TestShop.order([("A1", 1), ("nope", 1)]), "not_for_sale"),
                (TestShop.order([("D1", 1)]), "not_for_sale"),
                (TestShop.order([("N1", 1)]), "not_for_sale"), (TestShop.order([("A1", 6)]), "out_of_stock"),
                (TestShop.order([]), "invalid_body"),
                (TestShop.order([("A1", 1)], extra: [("currency", "EUR")]), "not_for_sale"),
                (
                    TestShop.order(
                        [("A1", 1)],
                        extra: [("customer_id", .string(CustomerID.make(at: shop.clock.wall.now()).rawValue))]),
                    "unknown_customer"
                ),
                (TestShop.order([("A1", 1)], extra: [("payment", [:])]), "invalid_body"),
            ] {
                let reply = try await shop.placeOrder(body)
                #expect(reply.code == code, "\(body.text): \(reply.text)")
            }
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 0))
            #expect(try await shop.get("/v1/orders").items.isEmpty)
        }
    }

    @Test func `recorded orders keep their prices, dates and thousandths, and need a scope of their own`() async throws
    {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let body: JSON = [
                "currency": "GBP", "external_id": "536365", "placed_at": "2010-12-01T08:26:00Z",
                "payment": ["external": "cash"],
                "lines": [["sku": "A1", "quantity": 3, "unit_price": ["decimal": "0.001", "currency": "GBP"]]],
            ]
            let key = try await shop.post("/v1/keys", ["name": "pos", "scopes": ["write:orders"]])
            let secret = try #require(key.json["secret"]?.string)
            #expect(try await shop.send(.post, "/v1/orders", body: Array(body.text.utf8), key: secret).status == 403)
            let order = try await shop.placeOrder(body)
            #expect(order.status == 201 && order.json["status"] == "paid")
            #expect(order.json.at("totals", "total", "decimal") == "0.003")
            #expect(order.json["placed_at"] == "2010-12-01T08:26:00.000Z")
            let again = try await shop.placeOrder(body)
            #expect(again.code == "external_id_taken" && again.json["existing"] == order.json["id"])
            #expect(try await shop.get("/v1/ledger?currency=GBP").json.at("net", "decimal") == "0.003")
        }
    }

    @Test func `a retry while the first is at work waits for its answer`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let body = TestShop.order([("A1", 1)], card: "sandbox_slow")
            async let first = shop.placeOrder(body, idempotencyKey: "k")
            var second = try await shop.placeOrder(body, idempotencyKey: "k")
            // Whichever came second met the other at work.
            let one = try await first
            if second.status == 201 { second = one }
            let statuses = try await [one.status, second.status, shop.placeOrder(body, idempotencyKey: "k").status]
                .sorted()
            #expect(statuses == [201, 201, 409] || statuses == [201, 409, 409] || statuses == [201, 201, 201])
            #expect(try await shop.get("/v1/orders").items.count == 1)
        }
    }
}
