// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Vitrine

/// A client that never gives up: it sends the same request with the same key until it is told how it ended.
private struct StubbornBuyer {
    let fleet: ShopFleet
    let order: JSON
    let idempotencyKey: String
    /// Cuts the connection after a random time, so often.
    var cuts = 0.0

    func buy() async throws -> ShopClient.Reply {
        let end = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < end {
            let client = ShopClient(fleet.address, key: fleet.key)
            let reply = try? await attempt(client)
            await client.close()
            if let reply, reply.status != 503, reply.status != 202, reply.json["code"] != "idempotency_in_progress" {
                return reply
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 20...200)))
        }
        throw Failure(.timedOut, "No end of \(idempotencyKey)")
    }

    private func attempt(_ client: ShopClient) async throws -> ShopClient.Reply {
        let headers = [("Idempotency-Key", idempotencyKey)]
        guard Double.random(in: 0...1) < cuts else {
            return try await client.send(.POST, "/v1/orders", order, headers: headers)
        }
        return try await withThrowingTaskGroup(of: ShopClient.Reply?.self) { group in
            group.addTask { try await client.send(.POST, "/v1/orders", order, headers: headers) }
            group.addTask {
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...30)))
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let reply = first else { throw CancellationError() }
            return reply
        }
    }
}

struct WithstandTests {
    /// The long form runs under `make soak`.
    private static let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1"

    private static func order(_ quantities: [Int64], card: String = "sandbox_approve") -> JSON {
        [
            "currency": "GBP", "payment": ["card": .string(card)],
            "lines": .array(quantities.map { ["sku": "A1", "quantity": .integer($0)] }),
        ]
    }

    /// - Returns: the product.
    private func stock(_ fleet: ShopFleet, units: [Int64]) async throws -> String {
        let client = ShopClient(fleet.address, key: fleet.key)
        let product = try await client.send(
            .POST, "/v1/products",
            ["title": "Mug", "variants": [["sku": "A1", "prices": [["amount": 1_000, "currency": "GBP"]]]]])
        for (place, units) in units.enumerated() {
            let location = try await client.send(
                .POST, "/v1/inventory/locations",
                ["code": .string("l\(place)"), "name": "Place", "country": "GB", "priority": .integer(Int64(place))])
            let delivery = try await client.send(
                .POST, "/v1/inventory/adjustments",
                ["location_id": location.json["id"] ?? .null, "lines": [["sku": "A1", "quantity": .integer(units)]]])
            #expect(delivery.status == 201, "\(delivery.text)")
        }
        return product.json["id"]?.string ?? ""
    }

    @Test(arguments: TestEngine.available)
    func `ten units are sold once, whatever crowds, expires and crashes`(engine: TestEngine) async throws {
        let fleet = try await ShopFleet.of(engine, timeToPay: 2)
        let product = try await stock(fleet, units: [4, 3, 3])
        let buyers = Self.isLong ? 2_000 : 400
        let replies: [ShopClient.Reply] = try await withThrowingTaskGroup(of: ShopClient.Reply?.self) { group in
            for number in 0..<buyers {
                group.addTask {
                    // Some have the article on two lines, and some never finish paying, so that what they hold expires.
                    let quantities: [Int64] = number % 3 == 0 ? [1, 1] : [1]
                    let card = number % 50 == 1 ? "sandbox_3ds" : "sandbox_approve"
                    return try await StubbornBuyer(
                        fleet: fleet, order: Self.order(quantities, card: card), idempotencyKey: "b\(number)"
                    ).buy()
                }
            }
            group.addTask {
                for _ in 0..<2 {
                    try await Task.sleep(for: .milliseconds(700))
                    try await fleet.killOne()
                }
                return nil
            }
            return try await group.reduce(into: []) { if let reply = $1 { $0.append(reply) } }
        }
        #expect(replies.count == buyers)
        for reply in replies where reply.status != 201 {
            #expect(reply.status == 409, "\(reply.text)")
            for line in reply.json["lines"]?.array ?? [] { #expect(line["available"] != nil && line["sku"] == "A1") }
        }
        // What expired is bought by those who come later, one by one, until nothing is left.
        try await Task.sleep(for: .seconds(6))
        for number in 0..<20 {
            _ = try await StubbornBuyer(fleet: fleet, order: Self.order([1]), idempotencyKey: "late\(number)").buy()
        }
        let client = ShopClient(fleet.address, key: fleet.key)
        let levels = try await client.send(.GET, "/v1/inventory/products/\(product)").json
        let shelves = levels["variants"]?.array?.first?["locations"]?.array ?? []
        func sum(_ name: String) -> Int64 { shelves.reduce(0) { $0 + ($1[name]?.integer ?? 0) } }
        #expect(sum("sold") == 10 && sum("reserved") == 0 && sum("on_hand") == 10, "\(levels.text)")
        try await fleet.close()
    }

    /// The payment provider forgets idempotency keys, loses answers, and tells the shop of its own accord, too.
    @Test(
        .enabled(if: LocalStripe.isInstalled, "localstripe is not installed: make test installs it"),
        arguments: TestEngine.available)
    func `an order is placed and charged once, however often it is sent and whoever dies`(
        engine: TestEngine
    ) async throws {
        let stripe = try await LocalStripe()
        defer { stripe.stop() }
        let card = try await stripe.card("4242424242424242")
        try await stripe.loseAnswers(share: "0.1")
        let fleet = try await ShopFleet.of(engine, timeToPay: 600, stripe: stripe)
        try await stripe.notify("http://127.0.0.1:\(fleet.address.port)/v1/payments/notifications/stripe")
        _ = try await stock(fleet, units: [1_000_000])
        let (orders, kills) = Self.isLong ? (10_000, 100) : (300, 5)
        let answers: [(key: String, reply: ShopClient.Reply)] = try await withThrowingTaskGroup(
            of: [(key: String, reply: ShopClient.Reply)].self
        ) { group in
            for worker in 0..<16 {
                group.addTask {
                    var answers: [(key: String, reply: ShopClient.Reply)] = []
                    for number in stride(from: worker, to: orders, by: 16) {
                        let buyer = StubbornBuyer(
                            fleet: fleet, order: Self.order([1], card: card), idempotencyKey: "k\(number)", cuts: 0.3)
                        answers.append((key: "k\(number)", reply: try await buyer.buy()))
                    }
                    return answers
                }
            }
            group.addTask {
                for _ in 0..<kills {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 300...900)))
                    try await fleet.killOne()
                }
                return []
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(answers.count == orders)
        #expect(answers.allSatisfy { $0.reply.status == 201 })
        let ids = Set(answers.compactMap { $0.reply.json["id"]?.string })
        #expect(ids.count == orders, "two keys share an order")
        let client = ShopClient(fleet.address, key: fleet.key)
        var listed: Set<String> = []
        try await client.forEachItem("/v1/orders?limit=100&fields=id,status") { order in
            listed.insert(order["id"]?.string ?? "")
            #expect(order["status"] == "paid")
        }
        #expect(listed == ids, "\(listed.count) orders for \(orders) keys")
        // Whoever asks again is told the same, byte for byte.
        for (key, reply) in answers.shuffled().prefix(50) {
            let again = try await client.send(
                .POST, "/v1/orders", Self.order([1], card: card), headers: [("Idempotency-Key", key)])
            #expect(again.body == reply.body && again.status == 201)
        }
        try await fleet.close()
        try await stripe.loseAnswers(share: "0")
        let charged = try await stripe.all("payment_intents").filter { $0["status"] == "succeeded" }
        #expect(charged.count == orders, "each order is charged once")
    }
}
