// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import Logging
import ServiceContextModule
import Telemetry
import Tracing

/// Has spans recorded, and forgets them.
private struct Nowhere: SignalSink {
    func take(spans: [SpanRecord], from resource: Resource) {}
    func flush() {}
    func take(logs: [LogRecord], from resource: Resource) {}
}

/// What a counter, a timer, a span and a log line cost the thread that makes them, in nanoseconds of its CPU time; then what
/// spans cost on the wire. With `receive` as its argument it receives OTLP and forgets it.
@main enum TelemetryCosts {
    static func main() async throws {
        if CommandLine.arguments.dropFirst().first == "receive" { return try await WireCosts.receive() }
        var configuration = ProcessTelemetry.Configuration(service: "costs")
        configuration.logs.descriptor = open("/dev/null", O_WRONLY)
        configuration.logs.perSecondMax = .max
        configuration.logs.bytesMax = 64 << 20
        let telemetry = ProcessTelemetry(configuration, sink: Nowhere())
        let counter = telemetry.metrics.makeCounter(label: "counter", dimensions: [("route", "/v1/orders")])
        let timer = telemetry.metrics.makeTimer(label: "timer", dimensions: [("route", "/v1/orders")])
        let logger = telemetry.logger("costs")
        let tracer = telemetry.tracer
        measure("counter", 5_000_000) { counter.increment(by: 1) }
        measure("timer", 2_000_000) { timer.recordNanoseconds(Int64($0 % 1_000) * 1_000_000) }
        measure("span with three attributes", 300_000, after: telemetry.work) { _ in
            let span = tracer.startSpan("POST /v1/orders", context: ServiceContext.topLevel, ofKind: .server)
            span.set("http.route", .string("/v1/orders"))
            span.set("http.request.method", .string("POST"))
            span.set("http.response.status_code", .int(201))
            span.end()
        }
        measure("log line with two facts", 100_000, after: telemetry.logs.flush) { number in
            logger.info("An order was placed", metadata: ["order": "ord_01m86y3wnftxr5ps1jv2kxafb0", "n": "\(number)"])
        }
        measure("log line below its level", 5_000_000) { _ in logger.debug("nothing") }
        try WireCosts.measure()
    }

    private static func measure(_ name: String, _ count: Int, _ body: () -> Void) {
        measure(name, count) { _ in body() }
    }

    /// The best of five, because other processes only add.
    private static func measure(_ name: String, _ count: Int, after: () -> Void = {}, _ body: (Int) -> Void) {
        let costs = (0..<5).map { _ in
            let start = WireCosts.threadTime()
            for number in 0..<(count / 5) { body(number) }
            let used = WireCosts.threadTime() - start
            after()
            return Double(used) / Double(count / 5)
        }
        print("\(name): \(Int((costs.min() ?? 0).rounded())) ns")
    }
}
