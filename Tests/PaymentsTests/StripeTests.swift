// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Payments
@testable import Vitrine

/// The shop with a provider that speaks Stripe's API, ignores idempotency keys and loses answers.
@Suite(.enabled(if: LocalStripe.isInstalled, "localstripe is not installed: make test installs it"))
struct StripeTests {
    private static func run(
        clock: TestClock = TestClock(), _ test: (TestShop, LocalStripe) async throws -> Void
    ) async throws {
        let stripe = try await LocalStripe()
        defer { stripe.stop() }
        try await TestShop.run(clock: clock, configure: { $0.stripe = stripe.settings }) { shop in
            try await test(shop, stripe)
        }
    }

    @Test func `a card is charged once, in the smallest unit`() async throws {
        try await Self.run { shop, stripe in
            try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(
                TestShop.order([("A1", 2)], card: try await stripe.card("4242424242424242")))
            #expect(order.status == 201 && order.json["status"] == "paid", "\(order.text)")
            let intents = try await stripe.all("payment_intents")
            #expect(intents.count == 1 && intents.first?["status"] == "succeeded")
            #expect(intents.first?["amount"] == order.json.at("totals", "total", "amount"))
            #expect(intents.first?["currency"] == "gbp")
        }
    }

    @Test func `who says when to come back is not asked before`() async throws {
        try await Self.run { shop, stripe in
            try await shop.stocked("A1", 5)
            let card = try await stripe.card("4242424242424242")
            // A second attempt after some 200 ms would be refused as the first one was, and the order would be pending.
            try await stripe.refuse("/confirm", seconds: 1)
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card))
            #expect(order.status == 201 && order.json["status"] == "paid", "\(order.text)")
            #expect(try await stripe.all("payment_intents").count == 1)
        }
    }

    @Test func `a declined card returns the stock`() async throws {
        try await Self.run { shop, stripe in
            let (product, _) = try await shop.stocked("A1", 1)
            let card = try await stripe.card("4000000000000341")
            let declined = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card))
            #expect(declined.status == 402 && declined.json["reason"] == "card_declined", "\(declined.text)")
            let stock = try await shop.stock(ofProduct: product.id, sku: "A1")
            #expect(stock.reserved == 0 && stock.sold == 0)
        }
    }

    @Test func `money is set aside, taken on request, and given back in parts`() async throws {
        try await Self.run { shop, stripe in
            try await shop.stocked("A1", 5)
            let card = try await stripe.card("4242424242424242")
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card, capture: "manual"))
            #expect(order.json["status"] == "confirmed")
            #expect(try await stripe.all("payment_intents").first?["status"] == "requires_capture")
            _ = try await shop.patch("/v1/orders/\(order.id)", ["status": "paid"])
            await shop.shop.relay.drain()
            #expect(try await shop.get("/v1/orders/\(order.id)").json["status"] == "paid")
            #expect(try await stripe.all("payment_intents").first?["status"] == "succeeded")
            for amount: Int64 in [300, 200] {
                let refund = try await shop.post(
                    "/v1/orders/\(order.id)/refunds", ["amount": ["amount": .integer(amount), "currency": "GBP"]])
                #expect(refund.status == 201, "\(refund.text)")
            }
            let refunds = try await shop.get("/v1/orders/\(order.id)/refunds").items
            #expect(refunds.allSatisfy { $0["status"] == "succeeded" })
            #expect(try await Set(stripe.all("refunds").compactMap { $0["amount"]?.integer }) == [300, 200])
        }
    }

    @Test(arguments: [true, false])
    func `the customer takes a second step`(succeeds: Bool) async throws {
        try await Self.run { shop, stripe in
            try await shop.stocked("A1", 5)
            let card = try await stripe.card("4000002500003155")
            let order = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card))
            let payment = order.json.at("payments", "0")
            #expect(order.json["status"] == "pending" && payment?["status"] == "requires_action", "\(order.text)")
            let intent = try #require(try await stripe.all("payment_intents").first?["id"]?.string)
            let secret = try #require(payment?["client_secret"]?.string)
            try await stripe.authenticate(intent, secret: secret, success: succeeds)
            // What the client claims does not count.
            let done = try await shop.post("/v1/orders/\(order.id)/authentication", ["succeeded": true])
            #expect(done.status == (succeeds ? 200 : 402), "\(done.text)")
            let now = try await shop.get("/v1/orders/\(order.id)?expand=payments").json
            #expect(now["status"] == (succeeds ? "paid" : "cancelled"))
            #expect(now.at("payments", "0", "client_secret") == nil)
        }
    }

    @Test func `a second step that nobody takes is closed at the provider`() async throws {
        let clock = TestClock()
        try await Self.run(clock: clock) { shop, stripe in
            try await shop.stocked("A1", 5)
            let card = try await stripe.card("4000002500003155")
            _ = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card))
            clock.advance(by: .seconds(1_000))
            try await shop.shop.ordering.recover()
            #expect(try await stripe.all("payment_intents").first?["status"] == "canceled")
        }
    }

    @Test(arguments: ["/confirm", "/v1/payment_intents"])
    func `an answer that was lost is asked for, and one charge stands`(path: String) async throws {
        let clock = TestClock()
        try await Self.run(clock: clock) { shop, stripe in
            try await shop.stocked("A1", 5)
            let body = TestShop.order([("A1", 1)], card: try await stripe.card("4242424242424242"))
            try await stripe.loseAnswer(to: path)
            let order = try await shop.placeOrder(body, idempotencyKey: "k")
            #expect(order.status == 202 && order.json["status"] == "pending", "\(order.text)")
            clock.advance(by: .seconds(1))
            let retry = try await shop.placeOrder(body, idempotencyKey: "k")
            #expect(retry.status == 201 && retry.json["status"] == "paid", "\(retry.text)")
            let paid = try await stripe.all("payment_intents").filter { $0["status"] == "succeeded" }
            #expect(paid.count == 1)
        }
    }

    @Test func `a refund whose answer was lost is not paid twice`() async throws {
        let clock = TestClock()
        try await Self.run(clock: clock) { shop, stripe in
            try await shop.stocked("A1", 5)
            let order = try await shop.placeOrder(
                TestShop.order([("A1", 1)], card: try await stripe.card("4242424242424242")))
            try await stripe.loseAnswer(to: "/v1/refunds")
            let refund = try await shop.post(
                "/v1/orders/\(order.id)/refunds", ["amount": ["amount": 300, "currency": "GBP"]])
            #expect(refund.json["status"] == "pending")
            clock.advance(by: .seconds(30))
            await shop.shop.payments.settle()
            #expect(try await shop.get("/v1/orders/\(order.id)/refunds").items.first?["status"] == "succeeded")
            #expect(try await stripe.all("refunds").count == 1)
        }
    }

    @Test(arguments: [("/confirm", "canceled"), ("/v1/payment_intents", nil)])
    func `what is given up before it was paid for cannot be paid any more`(
        lost: String, status: String?
    ) async throws {
        let clock = TestClock()
        try await Self.run(clock: clock) { shop, stripe in
            let (product, _) = try await shop.stocked("A1", 5)
            let body = TestShop.order([("A1", 1)], card: try await stripe.card("4242424242424242"))
            try await stripe.loseRequest(to: lost)
            #expect(try await shop.placeOrder(body, idempotencyKey: "k").status == 202)
            clock.advance(by: .seconds(1_000))
            try await shop.shop.ordering.recover()
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").reserved == 0)
            #expect(try await shop.placeOrder(body, idempotencyKey: "k").code == "order_expired")
            #expect(try await stripe.all("payment_intents").first?["status"]?.string == status)
        }
    }

    @Test func `what the customer has to do is told, also when the shop asked later`() async throws {
        let clock = TestClock()
        try await Self.run(clock: clock) { shop, stripe in
            try await shop.stocked("A1", 5)
            let body = TestShop.order([("A1", 1)], card: try await stripe.card("4000002500003155"))
            try await stripe.loseRequest(to: "/v1/payment_intents")
            let order = try await shop.placeOrder(body, idempotencyKey: "k")
            #expect(order.status == 202)
            clock.advance(by: .seconds(30))
            try await shop.shop.ordering.recover()
            let intents = try await stripe.all("payment_intents")
            #expect(intents.first?["status"] == "requires_action")
            let now = try await shop.get("/v1/orders/\(order.id)?expand=payments")
            #expect(now.json.at("payments", "0")?["status"] == "requires_action", "\(now.text)")
            #expect(now.json.at("payments", "0")?["client_secret"]?.string != nil)
        }
    }

    @Test func `only what the provider signed is heard`() async throws {
        try await Self.run { shop, stripe in
            let path = "/v1/payments/notifications/stripe"
            let unsigned = try await shop.post(path, ["data": ["object": ["object": "payment_intent", "id": "pi_x"]]])
            #expect(unsigned.status == 400 && unsigned.code == "unsigned_notification", "\(unsigned.text)")
            let wrong = try await shop.post(path, [:], headers: ["Stripe-Signature": "t=1795300000,v1=00ff"])
            #expect(wrong.status == 400)
            #expect(try await shop.post("/v1/payments/notifications/nobody").status == 404)
            #expect(try await shop.post("/v1/payments/notifications/sandbox").status == 400)
        }
    }

    @Test func `signatures hold for the body, the secret and five minutes`() {
        let body = Array(#"{"id":"evt_1"}"#.utf8)
        // openssl dgst -sha256 -hmac whsec_x over "1795300000." and the body.
        let header = "t=1795300000,v0=aa,v1=\(StripeTests.signature)"
        func isValid(_ header: String, _ body: [UInt8], _ secret: String, _ seconds: Int64) -> Bool {
            StripeSignature(header)?.isValid(
                of: body, secret: secret, at: Timestamp(milliseconds: seconds * 1_000)) ?? false
        }
        #expect(isValid(header, body, "whsec_x", 1_795_300_299))
        #expect(!isValid(header, body, "whsec_x", 1_795_300_301))
        #expect(!isValid(header, body, "whsec_y", 1_795_300_000))
        #expect(!isValid(header, body + [32], "whsec_x", 1_795_300_000))
        #expect(!isValid("v1=\(StripeTests.signature)", body, "whsec_x", 1_795_300_000))
        #expect(!isValid("t=1795300000,v1=zz", body, "whsec_x", 1_795_300_000))
    }

    private static let signature = "a475cf16ee9db8f18fd0a88edbfdf6c6cad013efd8459600d870595f1d66a5b2"
}
