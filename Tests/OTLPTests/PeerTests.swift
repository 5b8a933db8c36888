// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import OTLP

/// OpenTelemetry's own SDK, protocol classes and gRPC, from PyPI, on the other end of the wire.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs the environment that the test command fills from PyPI"))
struct PeerTests {
    @Test(arguments: ["http", "grpc"], ["gzip", "none"])
    func `all that the OpenTelemetry SDK sends is received`(wireProtocol: String, compression: String) async throws {
        let collector = TestCollector()
        try await collector.runBoth { http, grpc in
            let answer = try await Python.run(
                "otlp_sender.py", ["\(http)", "\(grpc)", "sdk", wireProtocol, compression])
            #expect(answer.status == 0, "\(answer.errors)")
        }
        #expect(collector.spanNames == ["inner": 500, "outer": 500])
        #expect(collector.spanErrors == 1)
        let logs = collector.logs
        #expect(logs == (0..<100).map { "line \($0)" })
        let metrics = collector.metrics.sorted()
        #expect(
            metrics
                == (["coarse 4", "fine 4", "level 0.5", "stock -4"] + (0..<6).map { "sold shop=s\($0) \($0 + 1)" })
                .sorted())
        #expect(collector.services == ["peer"])
    }

    @Test func `the SDK comes back when it is told to`() async throws {
        let collector = TestCollector()
        collector.overloads = 4
        try await collector.runBoth { http, grpc in
            for wireProtocol in ["http", "grpc"] {
                let answer = try await Python.run(
                    "otlp_sender.py", ["\(http)", "\(grpc)", "sdk", wireProtocol, "none"])
                #expect(answer.status == 0, "\(answer.errors)")
            }
        }
        #expect(collector.overloads == 0)
        #expect(collector.spanNames == ["inner": 1_000, "outer": 1_000])
    }

    @Test func `statuses, limits and partial success are as the specification says`() async throws {
        let collector = TestCollector()
        try await collector.runBoth { http, grpc in
            let answer = try await Python.run("otlp_sender.py", ["\(http)", "\(grpc)", "conformance"])
            let found = try #require(try? JSON.parse(Array(answer.output.utf8)), "\(answer.errors)")
            func expect(_ name: String, _ facts: [(String, JSON)]) {
                for (fact, value) in facts {
                    #expect(found[name]?[fact] == value, "\(name): \(found[name]?.text ?? "nothing")")
                }
            }
            let (protobuf, json): (JSON, JSON) = ("application/x-protobuf", "application/json")
            let whole: [(String, JSON)] = [("status", 200), ("set", false)]
            for name in ["empty", "good", "gzip"] { expect(name, whole + [("type", protobuf)]) }
            for name in ["json", "json_empty"] { expect(name, whole + [("type", json)]) }
            expect("rejected", [("status", 200), ("rejected", 3), ("type", protobuf)])
            expect("rejected_json", [("status", 200), ("rejected", 1), ("type", json)])
            expect("bad", [("status", 400), ("code", 3), ("type", protobuf)])
            expect("bad_json", [("status", 400), ("code", 3), ("type", json)])
            expect("not_gzip", [("status", 400), ("code", 3)])
            expect("bomb", [("status", 413), ("code", 8)])
            expect("type", [("status", 415)])
            expect("encoding", [("status", 415)])
            expect("path", [("status", 404)])
            expect("grpc_good", [("code", 0), ("rejected", 0)])
            expect("grpc_gzip", [("code", 0)])
            expect("grpc_empty", [("code", 0)])
            expect("grpc_rejected", [("code", 0), ("rejected", 3)])
            expect("grpc_bad", [("code", 3)])
            expect("grpc_deflate", [("code", 12)])
            expect("grpc_method", [("code", 12)])
            expect("grpc_large", [("code", 8)])
            expect("grpc_after", [("code", 0)])
            expect("grpc_many", [("codes", [true, true, true, true])])
        }
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc], [true, false])
    func `opentelemetry-proto decodes what is exported, and totals match`(
        wireProtocol: ExporterSettings.WireProtocol, isCompressed: Bool
    ) async throws {
        let collector = try PythonCollector(["strict"])
        let port = wireProtocol == .http ? collector.httpPort : collector.grpcPort
        var settings = ExporterSettings(endpoint: "http://127.0.0.1:\(port)", wireProtocol: wireProtocol)
        settings.isCompressed = isCompressed
        settings.spansDelay = .milliseconds(20)
        settings.logsDelay = .milliseconds(20)
        settings.backoff.first = .milliseconds(10)
        let exporter = try OTLPExporter(settings)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Spans alone first, so that what the collector refuses is theirs.
            let registry = Self.registry()
            exporter.take(spans: Self.spans, from: Self.resource)
            group.addTask { try await exporter.run() }
            try await Self.untilDelivered(exporter)
            exporter.take(logs: Self.logs, from: Self.resource)
            exporter.take(metrics: registry.snapshot(), from: Self.resource)
            try await Self.untilDelivered(exporter)
            group.cancelAll()
        }
        #expect(exporter.account(.traces)?.rejected.total == 1)
        #expect(exporter.account(.traces)?.delivered.total == 599)
        try Self.expect(try collector.finish())
    }

    @Test(arguments: [ExporterSettings.WireProtocol.http, .grpc])
    func `over TLS signals go to whom the certificate vouches for, and to nobody else`(
        wireProtocol: ExporterSettings.WireProtocol
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (certificate, key) = (folder + "/certificate.pem", folder + "/key.pem")
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/openssl")
        openssl.arguments =
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
            .split(separator: " ").map(String.init) + ["-keyout", key, "-out", certificate]
        openssl.standardError = Pipe()
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        let collector = try PythonCollector(["tls", certificate, key])
        let port = wireProtocol == .http ? collector.httpPort : collector.grpcPort
        for trusted in [nil, certificate] {
            var settings = ExporterSettings(endpoint: "https://localhost:\(port)", wireProtocol: wireProtocol)
            settings.certificate = trusted
            settings.logsDelay = .milliseconds(20)
            settings.backoff.first = .milliseconds(10)
            let exporter = try OTLPExporter(settings)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await exporter.run() }
                exporter.take(logs: [Self.logs[trusted == nil ? 0 : 1]], from: Self.resource)
                let end = ContinuousClock.now + .seconds(30)
                while exporter.lastFault == nil, exporter.inFlight(.logs) > 0, ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(5))
                }
                group.cancelAll()
            }
            #expect(exporter.account(.logs)?.delivered.total == (trusted == nil ? 0 : 1))
        }
        let logs = Self.items(try collector.finish(), "logs", "resourceLogs", "scopeLogs", "logRecords")
        #expect(logs.compactMap { $0["body"]?["stringValue"]?.string } == ["line 1"])
    }

    private static func untilDelivered(_ exporter: OTLPExporter) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while Signal.allCases.contains(where: { exporter.inFlight($0) > 0 }), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    // MARK: What is sent, and what must come out

    private static let resource = Resource([Attribute("service.name", .string("till"))])

    private static let spans = (0..<600).map { number in
        SpanRecord(
            context: TraceContext(traceID: TraceID(high: 1, low: UInt64(number + 1)), spanID: 0xAB, state: "a=1"),
            parentID: 0xCD, hasRemoteParent: true, name: "POST /v1/orders", kind: .server,
            start: 1_700_000_000_000_000_000, end: 1_700_000_000_000_000_005, status: .error("no stock"),
            attributes: [
                Attribute("lines", .int(-2)), Attribute("share", .double(0.5)), Attribute("ok", .bool(false)),
                Attribute("tags", .array([.string("a"), .int(1)])), Attribute("raw", .bytes([1, 2])),
                Attribute("cart", .map([Attribute("id", .string("ü"))])),
            ],
            events: [SpanRecord.Event(name: "exception", time: 3, attributes: [Attribute("type", .string("E"))])],
            links: [SpanRecord.Link(context: TraceContext(traceID: TraceID(high: 0, low: 9), spanID: 8))])
    }

    private static let logs = (0..<20).map { number in
        LogRecord(
            time: 5, severity: .warn, body: "line \(number)", scope: number % 2 == 0 ? "even" : "odd",
            trace: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: 3),
            attributes: [Attribute("number", .int(Int64(number)))])
    }

    private static func registry() -> MetricRegistry {
        let registry = MetricRegistry(
            .init(descriptions: [
                MetricDescription("sold", .counter, unit: "{piece}", labels: ["shop"], "Sold."),
                MetricDescription("wait", .histogram, unit: "s", buckets: .bounds([1, 2.5]), "Waits."),
                MetricDescription("fine", .histogram, unit: "s", buckets: .exponential(bucketsMax: 160), "Waits."),
            ]))
        registry.makeCounter(label: "sold", dimensions: [("shop.id", "s1")]).increment(by: 7)
        registry.makeMeter(label: "level", dimensions: []).set(-0.5)
        for name in ["wait", "fine"] {
            let recorder = registry.makeRecorder(label: name, dimensions: [], aggregate: true)
            for value in [0.5, 2.0, 2.0, 9.0] { recorder.record(value) }
        }
        return registry
    }

    private static func expect(_ received: JSON) throws {
        let spans = items(received, "traces", "resourceSpans", "scopeSpans", "spans")
        #expect(spans.count == 600)
        #expect(Set(spans.compactMap { $0["traceId"]?.string }).count == 600)
        let span = try #require(spans.first)
        #expect(span["name"] == "POST /v1/orders" && span["kind"] == "SPAN_KIND_SERVER")
        #expect(span["startTimeUnixNano"] == "1700000000000000000" && span["traceState"] == "a=1")
        #expect(span["status"]?["code"] == "STATUS_CODE_ERROR" && span["status"]?["message"] == "no stock")
        #expect(span["flags"] == 0x303 && span["links"]?.array?.count == 1)
        #expect(span["events"]?.array?.first?["name"] == "exception")
        let attributes = span["attributes"]?.array?.map(\.text).joined() ?? ""
        for text in [
            #""intValue":"-2""#, #""doubleValue":0.5"#, #""boolValue":false"#, #""bytesValue":"AQI=""#,
            #""stringValue":"ü""#,
        ] { #expect(attributes.contains(text), "\(attributes)") }
        let logs = items(received, "logs", "resourceLogs", "scopeLogs", "logRecords")
        #expect(Set(logs.compactMap { $0["body"]?["stringValue"]?.string }) == Set((0..<20).map { "line \($0)" }))
        #expect(logs.allSatisfy { $0["severityNumber"] == "SEVERITY_NUMBER_WARN" && $0["traceId"] != nil })
        let metrics = items(received, "metrics", "resourceMetrics", "scopeMetrics", "metrics")
        func points(_ name: String, _ kind: String) -> [JSON] {
            metrics.first { $0["name"]?.string == name }?[kind]?["dataPoints"]?.array ?? []
        }
        #expect(points("sold", "sum").first?["asDouble"]?.text == "7.0")
        #expect(points("sold", "sum").first?["attributes"]?.text.contains("shop.id") == true)
        #expect(points("level", "gauge").first?["asDouble"]?.text == "-0.5")
        let classic = try #require(points("wait", "histogram").first)
        // What is below zero is refused by a counter, not by a bucket: counts are per bucket, not cumulative.
        #expect(classic["bucketCounts"] == ["1", "2", "1"] && classic["count"] == "4")
        #expect(classic["sum"]?.text == "13.5" && classic["min"]?.text == "0.5" && classic["max"]?.text == "9.0")
        let fine = try #require(points("fine", "exponentialHistogram").first)
        let counts = fine["positive"]?["bucketCounts"]?.array?.compactMap { $0.string.flatMap(Int.init) } ?? []
        #expect(counts.reduce(0, +) == 4 && fine["count"] == "4" && fine["scale"] != nil)
    }

    private static func items(_ received: JSON, _ path: String...) -> [JSON] {
        path.reduce([received]) { values, name in values.flatMap { $0[name]?.array ?? [] } }
    }
}

/// `Tests/Peers/otlp_collector.py`, in a process of its own.
final class PythonCollector {
    let httpPort: Int
    let grpcPort: Int
    private let process: Process
    private let input = Pipe()
    private let output = Pipe()

    init(_ arguments: [String]) throws {
        process = Python.process("otlp_collector.py", arguments)
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let bytes = output.fileHandleForReading.availableData
            if bytes.isEmpty { break }
            line += String(decoding: bytes, as: UTF8.self)
        }
        let ports = line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard ports.count == 2 else { throw Failure(.unavailable, "The collector did not start; it said “\(line)”.") }
        (httpPort, grpcPort) = (ports[0], ports[1])
    }

    /// Ends it and gives what it received.
    func finish() throws -> JSON {
        input.fileHandleForWriting.closeFile()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSON.parse(Array(text))
    }
}
