// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Kernel
import Resilience
import TestSupport
import Testing
import Vitrine

/// Everything that may fail does, differently with each seed, and the books are right at the end.
@Suite struct ChaosTests {
    /// Faults at every edge, drawn from a seed.
    private static func plan(_ seed: UInt64) -> FaultPlan {
        var random = SeededGenerator(seed: seed)
        func share(_ most: Double) -> Double { Double.random(in: 0...most, using: &random) }
        func kind() -> Fault.Kind {
            switch Int.random(in: 0..<5, using: &random) {
            case 0: .latency(from: .zero, to: .milliseconds(3))
            case 1: .tail(mean: .milliseconds(1))
            case 2: .error
            case 3: .reset
            default: .timeout(.milliseconds(2))
            }
        }
        var faults: [Fault] = []
        for edge in ["database.read", "database.write", "payment", "endpoint"] {
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                faults.append(Fault(at: edge, share: share(0.28), kind()))
            }
        }
        return FaultPlan(seed: seed, faults, length: .seconds(600))
    }

    /// Buys until there is an answer that is one, as a client does that keeps its idempotency key.
    private static func buy(
        _ shop: TestShop, _ sku: String, _ key: String, _ card: String, pause: Duration?
    ) async throws -> Reply? {
        for _ in 0..<1_000 {
            let reply = try await shop.placeOrder(TestShop.order([(sku, 1)], card: card), idempotencyKey: key)
            if reply.status < 500, reply.status != 409 || reply.code == "out_of_stock" { return reply }
            // What an attempt without an answer holds is let go with time.
            if reply.status == 409 { shop.clock.advance(by: .seconds(2)) }
            if let pause { try await Task.sleep(for: pause) }
        }
        return nil
    }

    /// Waits for connections that were begun while the wires were bad, and fail only now.
    private static func settle(_ shop: TestShop) async throws {
        var inARow = 0
        for _ in 0..<2_000 where inARow < 40 {
            let reads = try await shop.get("/v1/orders").status == 200
            let writes = (try? await shop.shop.ordering.recover()) != nil
            inARow = reads && writes ? inARow + 1 : 0
            if inARow == 0 { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(inARow == 40, "the shop does not come back")
    }

    private static let buyers = 5
    private static let units: Int64 = 3

    @Test(arguments: 0..<20)
    func `with a thousand seeds nothing is oversold, lost or done twice`(part: Int) async throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] != nil
        let faults = FaultInjector()
        let clock = TestClock()
        try await TestShop.run(clock: clock, configure: { $0.faults = faults }) { shop in
            let perPart = isLong ? 500 : 50
            var made = 0
            for seed in part * perPart..<(part + 1) * perPart {
                made += try await Self.run(shop, clock, faults, Self.plan(UInt64(seed)))
            }
            // Mostly 6 to 17 a seed; fewer where a breaker keeps calls from what would meet them.
            #expect(made > 2 * perPart, "hardly anything was done to the shop")
        }
    }

    /// Faults to the bytes between the shop and the servers that it needs.
    private static func wirePlan(_ seed: UInt64) -> FaultPlan {
        var random = SeededGenerator(seed: seed)
        let kinds: [Fault.Kind] = [
            .latency(from: .zero, to: .milliseconds(30)), .error, .reset, .wrong, .bandwidth(20_000),
            .drip(.microseconds(20)), .timeout(.milliseconds(200)),
        ]
        var faults = ["database.wire", "redis.wire"].flatMap { edge in
            (0..<2).map { _ in
                let kind = kinds[Int.random(in: kinds.indices, using: &random)]
                let direction =
                    kind == .wrong ? "answer" : ["request", "answer"][Int.random(in: 0...1, using: &random)]
                let share = Double.random(in: 0.01...0.08, using: &random)
                return Fault(at: edge, share: share, kind, where: ["direction": direction])
            }
        }
        let begin = Duration.milliseconds(Int.random(in: 0...100, using: &random))
        faults.append(Fault(at: "database.wire", .partition, from: begin, until: begin + .milliseconds(300)))
        return FaultPlan(seed: seed, faults, length: .seconds(600))
    }

    @Test(
        .enabled(
            if: TestPostgres.isInstalled && TestRedis.isInstalled, "needs apt-get install postgresql redis-server"),
        .timeLimit(.minutes(10)))
    func `over wires that break, drip, garble and go dead nothing is oversold, lost or done twice`() async throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] != nil
        let (faults, clock, redis) = (FaultInjector(), TestClock(), try TestRedis())
        defer { redis.stop() }
        let database = try TestEngine.postgres.freshDatabase()
        let configure: @Sendable (inout Configuration) -> Void = { configuration in
            (configuration.faults, configuration.databaseURL) = (faults, database)
            configuration.limits.redisURL = redis.url
        }
        try await TestShop.run(clock: clock, configure: configure) { shop in
            var made = 0
            for seed in 0..<(isLong ? 200 : 12) {
                made += try await Self.run(
                    shop, clock, faults, Self.wirePlan(UInt64(seed)), pause: .milliseconds(20))
            }
            #expect(made > 100, "hardly anything was done to the wires")
        }
    }

    private static func run(
        _ shop: TestShop, _ clock: TestClock, _ faults: FaultInjector, _ plan: FaultPlan, pause: Duration? = nil
    ) async throws -> Int {
        let seed = plan.seed
        let sku = "S\(seed)"
        let (product, _) = try await shop.stocked(sku, units)
        faults.begin(plan)
        let cards = ["sandbox_approve", "sandbox_approve", "sandbox_unknown", "sandbox_duplicate", "sandbox_decline"]
        let replies = try await withThrowingTaskGroup(of: (Int, Reply?).self) { group in
            for buyer in 0..<buyers {
                group.addTask {
                    (buyer, try await buy(shop, sku, "\(sku)-\(buyer)", cards[buyer], pause: pause))
                }
            }
            return try await group.reduce(into: [Int: Reply]()) { $0[$1.0] = $1.1 }
        }
        let made = faults.made.reduce(0, +)
        faults.end()
        if pause != nil { try await settle(shop) }
        // What was left open is asked about and finished, once the provider is trusted again.
        let open = replies.values.filter { $0.status == 202 }.map(\.id)
        for _ in 0..<600 {
            clock.advance(by: .seconds(16))
            try await shop.shop.ordering.recover()
            var statuses = Set<String?>()
            for id in open { statuses.insert(try await shop.get("/v1/orders/\(id)").json["status"]?.string) }
            if !statuses.contains("pending") { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        let stock = try await shop.stock(ofProduct: product.id, sku: sku)
        #expect(stock.sold + stock.reserved <= units, "seed \(seed): \(stock)")
        #expect(replies.count == buyers, "seed \(seed): a client never got an answer")
        var taken = Set<String>()
        var paid: Int64 = 0
        for (buyer, reply) in replies {
            guard reply.status == 201 || reply.status == 202 else { continue }
            #expect(taken.insert(reply.id).inserted, "seed \(seed): two buyers have one order")
            // The same key has the same answer for ever, or what became of an order that was not decided.
            let again = try await shop.placeOrder(
                TestShop.order([(sku, 1)], card: cards[buyer]), idempotencyKey: "\(sku)-\(buyer)")
            if reply.status == 201 {
                #expect(
                    again.status == 201 && again.body == reply.body, "seed \(seed): \(reply.text), then \(again.text)")
            }
            let order = try await shop.get("/v1/orders/\(reply.id)?expand=payments")
            #expect(order.status == 200, "seed \(seed): an order that was promised is lost")
            let status = order.json["status"]?.string ?? ""
            let captured = order.json["payments"]?.array?.count { $0["status"] == "captured" } ?? 0
            #expect(captured == (status == "paid" ? 1 : 0), "seed \(seed): money and order disagree: \(order.text)")
            #expect(status != "pending", "seed \(seed): nobody finishes it: \(order.text)")
            if status == "paid" { paid += 1 }
        }
        #expect(stock.sold == paid, "seed \(seed): \(stock), and \(paid) are paid")
        if !Set(replies.values.map(\.status)).isSubset(of: [201, 202, 402, 409]) {
            Issue.record("seed \(seed): \(replies.values.map(\.text))")
        }
        return made
    }
}
