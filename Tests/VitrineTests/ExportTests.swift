// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Vitrine

/// Real shops that send to a real `vitrine collect`, each in a process of its own.
@Suite(.serialized) struct ExportTests {
    /// Minutes instead of seconds; `make soak` asks for it.
    private static let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] != nil

    private static func collector(_ httpPort: Int = 0) async throws -> (VitrineProcess, port: Int) {
        let process = try VitrineProcess(["collect", "--http-port", "\(httpPort)", "--grpc-port", "0"])
        try await process.wait(for: "gRPC on")
        try await process.wait(for: "HTTP on")
        let port = process.output.firstMatch(of: #/HTTP on http:\/\/127\.0\.0\.1:(\d+)/#).flatMap { Int($0.1) }
        return (process, try #require(port))
    }

    /// What the collector printed, line by line.
    private static func lines(_ collector: VitrineProcess) -> [JSON] {
        collector.output.split(separator: "\n").compactMap { line in
            line.hasPrefix("{") ? try? JSON.parse(Array(line.utf8)) : nil
        }
    }

    private static func environment(_ port: Int) -> [String: String] {
        [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)", "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_SERVICE_NAME": "till",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        ]
    }

    private static func until(_ isSo: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while !isSo(), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(100)) }
    }

    @Test(.enabled(if: TestPostgres.isInstalled, "needs Postgres"))
    func `one order is one trace across two processes`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (collector, port) = try await Self.collector()
        let database = try #require(try TestEngine.postgres.freshDatabase())
        let (first, address, key) = try await VitrineProcess.serve(
            directory.path, database: database, environment: Self.environment(port))
        let (second, _, _) = try await VitrineProcess.serve(
            directory.path, database: database, environment: Self.environment(port))
        let client = ShopClient(address, key: key)
        let product = try await client.send(
            .POST, "/v1/products",
            [
                "title": "Vase",
                "variants": [
                    ["sku": "A1", "tracks_inventory": false, "prices": [["currency": "GBP", "amount": 950]]]
                ],
            ])
        #expect(product.status == 201, "\(String(decoding: product.body, as: UTF8.self))")
        // Whichever process looks first does the work after the answer, so that the one that answers ends first.
        let trace = String(repeating: "0", count: 29) + "100"
        let answer = try await client.send(
            .POST, "/v1/orders",
            ["currency": "GBP", "lines": [["sku": "A1", "quantity": 1]], "payment": ["card": "sandbox_approve"]],
            headers: [("traceparent", "00-\(trace)-00000000000000ff-01"), ("Idempotency-Key", "one")])
        #expect(answer.status == 201, "\(String(decoding: answer.body, as: UTF8.self))")
        await client.close()
        first.interrupt()
        #expect(try await first.exitStatus() == 0, "\(first.output.suffix(300))")
        try await Self.until { Self.workElsewhere(Self.lines(collector), trace) != nil }
        for process in [second, collector] {
            process.interrupt()
            #expect(try await process.exitStatus() == 0, "\(process.output.suffix(300))")
        }
        let found = try #require(
            Self.workElsewhere(Self.lines(collector), trace), "no event was taken by the other process")
        let spans = Self.lines(collector).filter { $0["span"] != nil && $0["trace_id"]?.string == trace }
        let names = spans.compactMap { $0["span"]?.string }
        for name in ["POST /v1/orders", "order.place", "payment.authorize", "process order.placed"] {
            #expect(names.contains(name), "\(names)")
        }
        #expect(names.contains { $0.hasPrefix("write ") })
        #expect(Self.lines(collector).contains { $0["span"] == "chore orders.recover" })
        let ids = Set(spans.compactMap { $0["span_id"]?.string } + ["00000000000000ff"])
        for span in spans {
            #expect(ids.contains(span["parent_span_id"]?.string ?? ""), "\(span.text) hangs on nothing")
        }
        let resource = found.order["resource"]
        #expect(resource?["service.name"] == "till" && resource?["deployment.environment.name"] == "tests")
    }

    /// An order's request and the work after it, in one trace and two processes.
    private static func workElsewhere(_ lines: [JSON], _ trace: String) -> (order: JSON, work: JSON)? {
        let own = lines.filter { $0["span"] != nil && $0["trace_id"]?.string == trace }
        guard let order = own.first(where: { $0["span"] == "POST /v1/orders" }),
            let work = own.first(where: {
                $0["span"] == "process order.placed"
                    && $0["resource"]?["service.instance.id"] != order["resource"]?["service.instance.id"]
            })
        else { return nil }
        return (order, work)
    }

    @Test func `metrics and log lines arrive beside traces, with what a request is about`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (collector, port) = try await Self.collector()
        let (process, address, key) = try await VitrineProcess.serve(
            directory.path + "/data", environment: Self.environment(port).merging(["VITRINE_LOG_LEVEL": "debug"]) { $1 }
        )
        let client = ShopClient(address, key: key)
        _ = try await client.send(.GET, "/v1/orders/ord_00000000000000000000000000")
        try await Self.until { collector.output.contains(#""metric":"http.server.request.duration""#) }
        await client.close()
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
        try await Self.until { collector.output.contains(#""span":"GET /v1/orders/{id}""#) }
        collector.interrupt()
        #expect(try await collector.exitStatus() == 0)
        let lines = Self.lines(collector)
        let span = try #require(lines.first { $0["span"] == "GET /v1/orders/{id}" })
        #expect(span["attributes"]?["vitrine.order.id"] == "ord_00000000000000000000000000")
        #expect(span["attributes"]?["vitrine.client.id"]?.string?.hasPrefix("key_") == true, "\(span.text)")
        let metric = try #require(lines.last { $0["metric"] == "http.server.request.duration" })
        #expect(metric["attributes"]?["http.route"] == "/v1/orders/{id}" && metric["unit"] == "s")
        #expect(metric["value"]?["count"] == 1)
        #expect(lines.contains { $0["severity_text"] != nil && $0["scope"] != nil }, "log lines")
    }

    @Test(.timeLimit(.minutes(30)))
    func `while the collector is away nothing is lost, through a restart and a kill`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let port = FreePort.find()
        let length = Duration.seconds(Self.isLong ? 600 : 9)
        let load = TracedLoad()
        var (process, address, key) = try await VitrineProcess.serve(
            directory.path + "/data", environment: Self.environment(port))
        // A third of the time each: before an orderly restart, before a kill, and after it.
        var lostMax: [String] = []
        for end in ["restart", "kill", "stay"] {
            try await load.run(address, key: key, for: length / 3)
            switch end {
            case "restart":
                process.interrupt()
                #expect(try await process.exitStatus() == 0)
            case "kill":
                // What a process has not yet decided upon or written out dies with it: spans of the last seconds.
                lostMax = load.sent(within: .seconds(4))
                process.kill()
                _ = try await process.exitStatus()
            default: continue
            }
            (process, address, _) = try await VitrineProcess.serve(
                directory.path + "/data", port: address.port, environment: Self.environment(port))
        }
        let away = load.slowestInHundred
        let (collector, _) = try await Self.collector(port)
        let must = Set(load.all).subtracting(lostMax)
        func arrived() -> [String] {
            collector.output.matches(of: #/"span":"POST \/v1\/carts".*?"trace_id":"([0-9a-f]{32})"/#).map {
                String($0.1)
            }
        }
        try await Self.until { Set(arrived()).isSuperset(of: must) }
        let before = load.all.count
        try await load.run(address, key: key, for: length / 3)
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
        try await Self.until { Set(arrived()).isSuperset(of: Set(load.all).subtracting(lostMax)) }
        collector.interrupt()
        _ = try await collector.exitStatus()
        let found = arrived()
        let missing = Set(load.all).subtracting(lostMax).subtracting(found)
        #expect(missing.isEmpty, "\(missing.count) of \(load.all.count) traces are lost")
        #expect(Set(found).count == found.count, "traces came twice")
        #expect(before > 100)
        // In the order in which they were decided upon: a trace's place among those sent moves by no more than what was in
        // hand for one decision.
        let places = Dictionary(uniqueKeysWithValues: load.all.enumerated().map { ($1, $0) })
        let order = found.compactMap { places[$0] }
        let setback = zip(order, order.dropFirst()).reduce((most: 0, high: 0)) { state, pair in
            let high = max(state.high, pair.0)
            return (max(state.most, high - pair.1), high)
        }.most
        #expect(setback <= load.perSecond, "a trace came \(setback) places late")
        let back = load.slowestInHundred
        Terminal.say("p99 with the collector away \(away), with it there \(back); \(load.all.count) requests")
    }
}

/// Clients that send requests, each in a trace of its own.
private final class TracedLoad: Sendable {
    private struct Sent {
        let trace: String
        let time: ContinuousClock.Instant
        let took: Duration
    }

    private let sent = Mutex<[Sent]>([])
    /// Since the last run.
    private let start = Mutex(0)
    private let number = Atomic(1)
    private static let clients = 4

    var all: [String] { sent.withLock { $0.map(\.trace) } }
    func sent(within time: Duration) -> [String] {
        sent.withLock { sent in sent.filter { ContinuousClock.now - $0.time < time }.map(\.trace) }
    }
    var slowestInHundred: Duration {
        let times = sent.withLock { $0[start.withLock { $0 }...].map(\.took) }.sorted()
        return times.isEmpty ? .zero : times[times.count * 99 / 100]
    }
    var perSecond: Int {
        sent.withLock { sent in
            Dictionary(grouping: sent) { ($0.time - sent[0].time).components.seconds }.values.map(\.count).max() ?? 0
        }
    }

    func run(_ address: ShopAddress, key: String, for length: Duration) async throws {
        start.withLock { $0 = sent.withLock { $0.count } }
        let end = ContinuousClock.now + length
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.clients {
                group.addTask { [self] in
                    let client = ShopClient(address, key: key)
                    while ContinuousClock.now < end {
                        let (_, number) = number.add(1, ordering: .relaxed)
                        let trace = String(repeating: "0", count: 22) + String(1_000_000_000 + number)
                        let begin = ContinuousClock.now
                        let reply = try await client.send(
                            .POST, "/v1/carts", ["currency": "GBP"],
                            headers: [("traceparent", "00-\(trace)-00000000000000ff-01"), ("Idempotency-Key", trace)])
                        #expect(reply.status == 201)
                        let now = ContinuousClock.now
                        sent.withLock { $0.append(Sent(trace: trace, time: now, took: now - begin)) }
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    await client.close()
                }
            }
            try await group.waitForAll()
        }
    }
}
