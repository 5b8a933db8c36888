// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import Metrics
import Synchronization
import Telemetry
import TestSupport
import Testing
import Tracing

@testable import Vitrine

/// Remembers the spans that are kept.
private final class SpanShelf: SignalSink {
    let spans = Mutex<[SpanRecord]>([])

    func take(spans: [SpanRecord], from resource: Resource) { self.spans.withLock { $0 += spans } }
    func flush() {}
    func take(logs: [LogRecord], from resource: Resource) {}
}

@Suite struct TraceTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    @Test func `one order is one trace, from the request to the work after the answer`() async throws {
        let shelf = SpanShelf()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: shelf)
        try await withTracer(telemetry.tracer) {
            try await TestShop.run { shop in
                _ = try await shop.stocked("A1", 5)
                let order = try await shop.send(
                    .post, "/v1/orders", body: Array(TestShop.order([("A1", 1)]).text.utf8),
                    headers: ["traceparent": "00-\(Self.trace)-00f067aa0ba902b7-01"])
                #expect(order.status == 201)
                await shop.shop.relay.drain()
            }
        }
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let spans = shelf.spans.withLock { $0 }.filter { $0.context.traceID.hex == Self.trace }
        let ids = Dictionary(grouping: spans, by: \.context.spanID).mapValues { $0[0] }
        #expect(ids.count == spans.count)
        let server = try #require(spans.first { $0.kind == .server })
        #expect(server.name == "POST /v1/orders")
        #expect(server.context.spanID != 0x00f0_67aa_0ba9_02b7 && server.parentID == 0x00f0_67aa_0ba9_02b7)
        #expect(spans.contains { $0.kind == .client && $0.name.hasPrefix("write") })
        let useCase = try #require(spans.first { $0.name == "order.place" })
        #expect(useCase.parentID == server.context.spanID)
        let asked = try #require(spans.first { $0.name == "payment.authorize" })
        #expect(asked.parentID == useCase.context.spanID && asked.kind == .client)
        #expect(asked.attributes.contains(Attribute("vitrine.payment.provider", .string("sandbox"))))
        #expect(asked.attributes.contains(Attribute("vitrine.payment.attempt", .int(1))))
        #expect(asked.attributes.contains(Attribute("vitrine.payment.outcome", .string("captured"))))
        for name in ["vitrine.order.id", "vitrine.client.id"] {
            #expect(server.attributes.contains { $0.name == name }, "\(server.attributes)")
        }
        let consumers = spans.filter { $0.kind == .consumer }
        #expect(consumers.contains { $0.name == "process order.placed" }, "\(spans.map(\.name))")
        #expect(consumers.allSatisfy { !$0.links.isEmpty })
        // Every span hangs on another, up to the request.
        for span in spans where span.context.spanID != server.context.spanID {
            #expect(ids[span.parentID] != nil, "\(span.name) hangs on nothing")
        }
    }

    @Test func `trade is counted by currency, once it is durable`() async throws {
        let telemetry = ProcessTelemetry(.init(service: "test"))
        try await withMetricsFactory(telemetry.metrics) {
            try await TestShop.run { shop in
                _ = try await shop.stocked("A1", 5)
                for card in ["sandbox_approve", "sandbox_approve", "sandbox_decline"] {
                    _ = try await shop.placeOrder(TestShop.order([("A1", 1)], card: card))
                }
                #expect(try await shop.placeOrder(TestShop.order([("A1", 50)])).status == 409)
            }
        }
        let text = String(decoding: telemetry.metrics.exposition(.prometheusText), as: UTF8.self)
        #expect(text.contains("vitrine_orders_created_total{currency=\"GBP\"} 3\n"))
        #expect(text.contains("vitrine_orders_placed_total{currency=\"GBP\"} 2\n"))
        #expect(text.contains("vitrine_orders_refused_total{reason=\"out_of_stock\"} 1\n"))
        #expect(text.contains("vitrine_payments_declined_total{provider=\"sandbox\",reason=\""), "\(text)")
        #expect(text.contains("vitrine_order_value_count{currency=\"GBP\"} 2\n"))
        let revenue = text.firstMatch(of: #/vitrine_revenue_total\{currency="GBP"\} (\S+)/#).flatMap { Double($0.1) }
        let value = text.firstMatch(of: #/vitrine_order_value_sum\{currency="GBP"\} (\S+)/#).flatMap { Double($0.1) }
        #expect(revenue == value && (revenue ?? 0) > 20)
    }

    @Test func `what sells out and how far carts come is counted`() async throws {
        let telemetry = ProcessTelemetry(.init(service: "test"))
        try await withMetricsFactory(telemetry.metrics) {
            try await TestShop.run { shop in
                _ = try await shop.stocked("A1", 2)
                #expect(try await shop.placeOrder(TestShop.order([("A1", 1)])).status == 201)
                let before = String(decoding: telemetry.metrics.exposition(.prometheusText), as: UTF8.self)
                #expect(!before.contains("vitrine_inventory_stock_outs_total 1"))
                let cart = try await shop.post("/v1/carts", ["currency": "GBP"])
                #expect(cart.status == 201, "\(cart.text)")
                let id = cart.json["id"]?.string ?? ""
                let line = try await shop.post("/v1/carts/\(id)/lines", ["sku": "A1", "quantity": 1])
                #expect(line.status < 300, "\(line.text)")
                let order = try await shop.placeOrder([
                    "cart_id": .string(id), "payment": ["card": "sandbox_approve"],
                ])
                #expect(order.status == 201, "\(order.text)")
            }
        }
        let text = String(decoding: telemetry.metrics.exposition(.prometheusText), as: UTF8.self)
        #expect(text.contains("vitrine_inventory_stock_outs_total 1\n"), "\(text)")
        for step in ["filled", "ordered"] {
            #expect(text.contains("vitrine_carts_steps_total{currency=\"GBP\",step=\"\(step)\"} 1\n"))
        }
    }

    @Test func `what a client does wrong is no error of a trace`() async throws {
        let shelf = SpanShelf()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: shelf)
        try await withTracer(telemetry.tracer) {
            try await TestShop.run { shop in
                #expect(try await shop.get("/v1/orders/ord_00000000000000000000000000").status == 404)
                _ = try await shop.stocked("A1", 5)
                #expect(try await shop.placeOrder(TestShop.order([("A1", 50)])).status == 409)
            }
        }
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let spans = shelf.spans.withLock { $0 }
        #expect(spans.count > 5)
        #expect(spans.filter(\.isError).map(\.name) == [])
    }

    @Test func `a change that nobody traces has no trace, whoever shares its commit`() async throws {
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: SpanShelf())
        try await TestShop.run { shop in
            let database = shop.shop.database
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        if number % 2 == 0 {
                            let trace = try await withTracer(telemetry.tracer) {
                                try await withSpan("traced") { _ in try await database.write { $0.trace } }
                            }
                            #expect(trace != nil)
                        } else {
                            #expect(try await database.write { $0.trace } == nil)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
