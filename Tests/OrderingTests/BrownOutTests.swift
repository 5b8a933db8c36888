// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Metrics
import Resilience
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Vitrine

/// The payment processor answers later than anybody waits, and comes back.
@Suite(.enabled(if: LocalStripe.isInstalled, "localstripe is not installed: make test installs it"))
struct BrownOutTests {
    private static let first = 12
    private static let second = 30

    private func place(_ shop: TestShop, _ orders: Range<Int>, _ card: String) async throws -> [Reply] {
        try await withThrowingTaskGroup(of: Reply.self) { group in
            for number in orders {
                group.addTask {
                    try await shop.placeOrder(
                        TestShop.order([("A1", 1)], card: card), idempotencyKey: "order-\(number)")
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test(arguments: [true, false])
    func `with guards nobody waits for a processor that is away, and every order is paid once it is back`(
        isGuarded: Bool
    ) async throws {
        let telemetry = ProcessTelemetry(.init(service: "test"))
        func notAsked() -> Int {
            String(decoding: telemetry.metrics.exposition(.prometheusText), as: UTF8.self)
                .matches(of: #/vitrine_payments_request_duration_seconds_count\{[^}]*not_asked[^}]*\} (\d+)/#)
                .reduce(0) { $0 + (Int($1.output.1) ?? 0) }
        }
        let stripe = try await LocalStripe()
        defer { stripe.stop() }
        let clock = TestClock()
        try await withMetricsFactory(telemetry.metrics) {
            try await TestShop.run(
                clock: clock,
                configure: {
                    $0.stripe = stripe.settings
                    $0.stripe?.isGuarded = isGuarded
                }
            ) { shop in
                let (product, _) = try await shop.stocked("A1", 100)
                let card = try await stripe.card("4242424242424242")
                try await stripe.setLatency(seconds: 12)
                let waited = try await place(shop, 0..<Self.first, card)
                #expect(waited.allSatisfy { $0.status == 202 }, "\(waited.map(\.status))")
                let beginning = ContinuousClock.now
                let quick = try await place(shop, Self.first..<Self.first + Self.second, card)
                let took = ContinuousClock.now - beginning
                #expect(quick.allSatisfy { $0.status == 202 })
                #expect(notAsked() == (isGuarded ? Self.second : 0))
                print("guards \(isGuarded): \(Self.second) orders were answered within \(took)")

                try await stripe.setLatency(seconds: 0)
                let back = ContinuousClock.now
                var paid = 0
                // Unguarded, nobody asks again unless the client does.
                for _ in 0..<(isGuarded ? 60 : 3) where paid < Self.first + Self.second {
                    try await Task.sleep(for: .milliseconds(500))
                    clock.advance(by: .seconds(16))
                    try await shop.shop.ordering.recover()
                    let orders = try await shop.get("/v1/orders?limit=100").items
                    paid = orders.count { $0["status"] == "paid" }
                }
                print(
                    "guards \(isGuarded): \(paid) of \(Self.first + Self.second) paid \(ContinuousClock.now - back) later"
                )
                #expect(paid == (isGuarded ? Self.first + Self.second : 0))
                if !isGuarded { return }
                let intents = try await stripe.all("payment_intents").count { $0["status"] == "succeeded" }
                #expect(intents == Self.first + Self.second, "each is charged once")
                #expect(try await shop.stock(ofProduct: product.id, sku: "A1").sold == Int64(Self.first + Self.second))
                // The client who comes back with its key learns what became of it.
                let replies = try await place(shop, 0..<3, card)
                #expect(replies.allSatisfy { $0.json["status"] == "paid" }, "\(replies.map(\.status))")
            }
        }
    }
}

@Suite struct PreferWaitTests {
    @Test func `a client that waits three seconds is told in time that its payment is not known yet`() async throws {
        let waited = Mutex<[Duration]>([])
        // Nothing really waits; what would have been waited for is written down.
        let faults = FaultInjector(sleep: { time in waited.withLock { $0.append(time) } })
        try await TestShop.run(configure: { $0.faults = faults }) { shop in
            try await shop.stocked("A1", 10)
            faults.begin(FaultPlan(seed: 1, [Fault(at: "payment", .timeout(.seconds(600)))], length: .seconds(600)))
            let reply = try await shop.post(
                "/v1/orders", TestShop.order([("A1", 1)]),
                headers: ["Idempotency-Key": "k", "Prefer": "return=full, wait=3"])
            #expect(reply.status == 202 && reply.header("Preference-Applied") == "wait=3", "\(reply.text)")
            let longest = waited.withLock { $0.max() } ?? .zero
            #expect(longest > .zero && longest <= .seconds(3))
            faults.end()
            let patient = try await shop.post(
                "/v1/orders", TestShop.order([("A1", 1)]), headers: ["Idempotency-Key": "l", "Prefer": "wait=junk"])
            #expect(patient.status == 201 && patient.header("Preference-Applied") == nil)
        }
    }
}
