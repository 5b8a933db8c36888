// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Telemetry
import Testing

@testable import OTLP
@testable import Vitrine

struct ExporterTests {
    private static let resource = Resource([Attribute("service.name", .string("till"))])

    private static func folder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "exporter-\(UUID().uuidString)").path
    }

    private static func spans(_ numbers: Range<Int>) -> [SpanRecord] {
        numbers.map { number in
            SpanRecord(
                context: TraceContext(traceID: TraceID(high: 7, low: UInt64(number + 1)), spanID: UInt64(number + 1)),
                parentID: 0, hasRemoteParent: false, name: "work", kind: .server, start: UInt64(number),
                end: UInt64(number))
        }
    }

    private static func log(_ number: Int) -> LogRecord {
        LogRecord(time: UInt64(number), severity: .info, body: "line \(number)", scope: "till")
    }

    private static func settings(_ port: Int, _ wireProtocol: ExporterSettings.WireProtocol) -> ExporterSettings {
        var settings = ExporterSettings(endpoint: "http://127.0.0.1:\(port)", wireProtocol: wireProtocol)
        settings.spansDelay = .milliseconds(20)
        settings.logsDelay = .milliseconds(20)
        settings.backoff.first = .milliseconds(20)
        settings.backoff.longest = .milliseconds(100)
        settings.timeout = .seconds(5)
        return settings
    }

    /// Runs the exporter for the length of a test, then ends it as the process would.
    private func run(
        _ exporter: OTLPExporter, _ test: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await exporter.run() }
            try await test()
            group.cancelAll()
        }
    }

    private func until(_ what: String, _ isSo: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while !isSo() {
            guard ContinuousClock.now < end else {
                Issue.record("never: \(what)")
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Says where they differ, not all there are.
    private func expectSpans(_ collector: TestCollector, _ expected: [Int]) {
        let found = collector.spans
        let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        let isSame = found == expected
        #expect(isSame, "\(found.count) of \(expected.count), first other at \(place ?? -1)")
    }

    private func expectConservation(_ exporter: OTLPExporter) {
        for signal in Signal.allCases {
            guard let account = exporter.account(signal) else { continue }
            let ends = account.outcomes.reduce(0) { $0 + $1.series.total }
            let sum = ends + Int64(exporter.inFlight(signal))
            #expect(account.produced.total + account.recovered.total == sum, "\(signal): \(account.outcomes)")
        }
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc], [true, false])
    func `what is handed over arrives, whole and in order`(
        wireProtocol: ExporterSettings.WireProtocol, isCompressed: Bool
    ) async throws {
        let collector = TestCollector()
        try await collector.run(wireProtocol) { port in
            var settings = Self.settings(port, wireProtocol)
            settings.isCompressed = isCompressed
            let exporter = try OTLPExporter(settings)
            try await run(exporter) {
                for start in stride(from: 0, to: 2_000, by: 100) {
                    exporter.take(spans: Self.spans(start..<(start + 100)), from: Self.resource)
                    exporter.take(logs: [Self.log(start)], from: Self.resource)
                }
                let registry = MetricRegistry()
                registry.makeCounter(label: "orders", dimensions: [("http.route", "/v1/orders")]).increment(by: 3)
                exporter.take(metrics: registry.snapshot(), from: Self.resource)
                try await until("all delivered") {
                    Signal.allCases.allSatisfy { exporter.inFlight($0) == 0 }
                }
            }
            expectSpans(collector, Array(0..<2_000))
            #expect(collector.logs == stride(from: 0, to: 2_000, by: 100).map { "line \($0)" })
            #expect(collector.metrics.contains("orders http.route=/v1/orders 3.0"), "\(collector.metrics)")
            #expect(exporter.account(.traces)?.delivered.total == 2_000)
            expectConservation(exporter)
        }
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc])
    func `a collector that is overloaded is asked again, and nothing is lost or doubled`(
        wireProtocol: ExporterSettings.WireProtocol
    ) async throws {
        let collector = TestCollector()
        collector.overloads = 3
        try await collector.run(wireProtocol) { port in
            let exporter = try OTLPExporter(Self.settings(port, wireProtocol))
            try await run(exporter) {
                exporter.take(spans: Self.spans(0..<1_500), from: Self.resource)
                try await until("all delivered") { exporter.inFlight(.traces) == 0 }
            }
            expectSpans(collector, Array(0..<1_500))
            #expect(collector.overloads == 0)
            expectConservation(exporter)
        }
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc])
    func `what a collector does not take is counted and not sent again`(
        wireProtocol: ExporterSettings.WireProtocol
    ) async throws {
        let collector = TestCollector()
        collector.rejectsEachOf = 10
        try await collector.run(wireProtocol) { port in
            let exporter = try OTLPExporter(Self.settings(port, wireProtocol))
            try await run(exporter) {
                exporter.take(spans: Self.spans(0..<100), from: Self.resource)
                try await until("all delivered") { exporter.inFlight(.traces) == 0 }
            }
            #expect(exporter.account(.traces)?.rejected.total == 10)
            #expect(exporter.account(.traces)?.delivered.total == 90)
            #expect(collector.requests == 1)
            expectConservation(exporter)
        }
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc])
    func `an outage is waited out on disk, through a restart, in order`(
        wireProtocol: ExporterSettings.WireProtocol
    ) async throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = FreePort.find()
        var settings = Self.settings(port, wireProtocol)
        settings.spoolFolder = folder
        do {
            let exporter = try OTLPExporter(settings)
            try await run(exporter) {
                exporter.take(spans: Self.spans(0..<3_000), from: Self.resource)
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(exporter.account(.traces)?.delivered.total == 0)
            #expect(exporter.inFlight(.traces) == 3_000)
            expectConservation(exporter)
        }
        let exporter = try OTLPExporter(settings)
        #expect(exporter.account(.traces)?.recovered.total == 3_000)
        try await run(exporter) {
            exporter.take(spans: Self.spans(3_000..<4_000), from: Self.resource)
            try await Task.sleep(for: .milliseconds(100))
            let collector = TestCollector()
            try await collector.run(wireProtocol, port: port) { _ in
                exporter.take(spans: Self.spans(4_000..<5_000), from: Self.resource)
                try await until("all delivered") { exporter.inFlight(.traces) == 0 }
                expectSpans(collector, Array(0..<5_000))
            }
        }
        expectConservation(exporter)
    }

    @Test func `beyond the queue and the spool signals go, and are counted by reason`() async throws {
        var settings = Self.settings(FreePort.find(), .http)
        settings.spansQueueMax = 100
        settings.spansDelay = .seconds(60)
        settings.logsDelay = .seconds(60)
        settings.spoolBytesMax = 16 * 2_000
        let exporter = try OTLPExporter(settings)
        exporter.take(spans: Self.spans(0..<150), from: Self.resource)
        #expect(exporter.account(.traces)?.overflown.total == 50)
        expectConservation(exporter)
        settings.spansQueueMax = 1_000
        settings.spansBatchMax = 10
        let other = try OTLPExporter(settings)
        other.take(spans: Self.spans(0..<100), from: Self.resource)
        other.flush()
        let lost = other.account(.traces)?.outcomes.first { $0.name == "dropped_spool_full" }?.series.total ?? 0
        #expect(lost > 0 && other.inFlight(.traces) == 100 - Int(lost))
        expectConservation(other)
    }

    @Test func `waits grow, have jitter, and heed advice`() {
        var backoff = Backoff()
        let waits = (0..<12).map { _ in backoff.failed(advice: nil, draw: 1) }
        #expect(waits[0] == .seconds(1) && waits[1] == .seconds(1.5) && waits[11] == .seconds(30))
        #expect(backoff.failed(advice: nil, draw: 0) == .seconds(15))
        #expect(backoff.failed(advice: .seconds(90), draw: 0) == .seconds(90))
        backoff.succeeded()
        #expect(backoff.failed(advice: nil, draw: 1) == .seconds(1))
    }

    @Test func `the variables of OpenTelemetry are honoured, and misspelt ones named`() throws {
        let settings = try ExporterSettings(environment: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4318/base/",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs.example/own", "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x, tenant = a",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "extra=1", "OTEL_BSP_MAX_QUEUE_SIZE": "77",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "7", "OTEL_BLRP_SCHEDULE_DELAY": "9",
            "OTEL_METRIC_EXPORT_INTERVAL": "1234",
        ])
        #expect(settings.traces.url == "https://collector.example:4318/base/v1/traces")
        #expect(settings.logs.url == "http://logs.example/own")
        #expect(settings.traces.headers.map { "\($0.0)=\($0.1)" } == ["authorization=Bearer x", "tenant=a", "extra=1"])
        #expect(settings.timeout == .milliseconds(2_500) && settings.isCompressed && settings.spansQueueMax == 77)
        #expect(settings.spansBatchMax == 7 && settings.logsDelay == .milliseconds(9))
        #expect(settings.metricsInterval == .milliseconds(1_234))
        #expect(
            try ExporterSettings(environment: ["OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"]).traces.url
                == "http://localhost:4317")
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ] {
            let error = #expect(throws: (any Error).self) { try ExporterSettings(environment: [name: value]) }
            #expect("\(error.map { "\($0)" } ?? "")".contains("OTEL_EXPORTER_OTLP"))
        }
    }
}
