// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Payments
@testable import Vitrine

struct SandboxTests {
    @Test(arguments: [
        ("sandbox_decline", "card_declined"), ("sandbox_insufficient_funds", "insufficient_funds"),
        ("sandbox_expired_card", "expired_card"), ("sandbox_fraud", "fraud_suspected"),
        ("no such card", "invalid_method"),
        ("4000000000000002", "card_declined"),
    ])
    func `a declined payment says why, charges nothing and returns the stock to the shelf`(
        card: String, reason: String
    ) async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 1)
            let declined = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card), idempotencyKey: "k")
            #expect(declined.status == 402 && declined.json["reason"]?.string == reason)
            let again = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card), idempotencyKey: "k")
            #expect(again.body == declined.body)
            let stock = try await shop.stock(ofProduct: product.id, sku: "A1")
            #expect(stock.reserved == 0 && stock.sold == 0)
            #expect(try await shop.get("/v1/ledger?currency=GBP").json["entries"] == 0)
            #expect(try await shop.placeOrder(TestShop.order([("A1", 1)])).status == 201)
        }
    }

    @Test func `a provider that says try again after it has charged charges once`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: "sandbox_duplicate"))
            #expect(order.status == 201 && order.json["status"] == "paid")
            let charges = try await shop.shop.database.read {
                try $0.all("SELECT amount FROM sandbox_charges") { try $0.next(Int64.self) }
            }
            #expect(charges.count == 1)
        }
    }

    @Test func `an answer that was lost is asked for, and the order goes through`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(
                TestShop.order([("A1", 1)], card: "sandbox_unknown"), idempotencyKey: "k")
            #expect(order.status == 202 && order.json["status"] == "pending")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").reserved == 1)
            shop.clock.advance(by: .seconds(1))
            try await shop.shop.ordering.recover()
            #expect(try await shop.get("/v1/orders/\(order.id)").json["status"] == "paid")
            let retry = try await shop.placeOrder(
                TestShop.order([("A1", 1)], card: "sandbox_unknown"), idempotencyKey: "k")
            #expect(retry.status == 201 && retry.id == order.id)
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").sold == 1)
        }
    }

    @Test func `a retry after a lost answer finds the charge instead of making another`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let body = TestShop.order([("A1", 1)], card: "sandbox_unknown")
            let first = try await shop.placeOrder(body, idempotencyKey: "k")
            shop.clock.advance(by: .seconds(1))
            let second = try await shop.placeOrder(body, idempotencyKey: "k")
            let third = try await shop.placeOrder(body, idempotencyKey: "k")
            #expect(first.status == 202 && second.status == 201 && third.body == second.body)
            #expect(try await shop.get("/v1/orders").items.count == 1)
        }
    }

    @Test(arguments: [true, false])
    func `a second step leads to an order or to none`(succeeds: Bool) async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: "sandbox_3ds"))
            #expect(order.status == 201 && order.json["status"] == "pending")
            #expect(order.json.at("payments", "0", "action_url")?.string?.hasPrefix("https://") == true)
            let reply = try await shop.post("/v1/orders/\(order.id)/authentication", ["succeeded": .bool(succeeds)])
            #expect(reply.status == (succeeds ? 200 : 402))
            let stock = try await shop.stock(ofProduct: product.id, sku: "A1")
            #expect(stock.sold == (succeeds ? 1 : 0) && stock.reserved == 0)
        }
    }

    @Test func `a provider that never answers is given up on, and the stock comes back when the time is over`()
        async throws
    {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: "sandbox_timeout"))
            #expect(order.status == 202 && order.json.at("payments", "0", "status") == "unknown")
            shop.clock.advance(by: .seconds(901))
            try await shop.shop.ordering.recover()
            #expect(try await shop.get("/v1/orders/\(order.id)").json["cancel_reason"] == "expired")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1") == (5, 0, 0))
        }
    }

    @Test func `the last digits of an amount decide for the card that lets them`() throws {
        func behaviour(_ minorUnits: Int64) throws -> SandboxCard.Behaviour {
            SandboxCard.behaviour(token: "sandbox_amount", amount: try Money(minorUnits: minorUnits, .gbp))
        }
        #expect(try behaviour(1_000) == .approve)
        #expect(try behaviour(1_001) == .decline(.cardDeclined))
        #expect(try behaviour(1_006) == .stall)
        #expect(try behaviour(1_008) == .secondStep)
    }

    @Test func `money set aside is taken on request, and then the order is paid`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], capture: "manual"))
            #expect(order.status == 201 && order.json["status"] == "confirmed")
            #expect(try await shop.post("/v1/orders/\(order.id)/fulfilments").code == "illegal_transition")
            #expect(try await shop.patch("/v1/orders/\(order.id)", ["status": "paid"]).status == 200)
            await shop.shop.relay.drain()
            let paid = try await shop.get("/v1/orders/\(order.id)?expand=payments").json
            #expect(paid["status"] == "paid" && paid.at("payments", "0", "status") == "captured")
        }
    }

    @Test func `a cancelled authorisation is voided at the provider`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], capture: "manual"))
            #expect(try await shop.post("/v1/orders/\(order.id)/cancel").json["status"] == "cancelled")
            let payment = try await shop.get("/v1/orders/\(order.id)?expand=payments").json.at(
                "payments", "0", "status")
            #expect(payment == "voided")
            let state = try await shop.shop.database.read {
                try $0.first("SELECT state FROM sandbox_charges") { try $0.next(String.self) }
            }
            #expect(state == "voided")
        }
    }
}
