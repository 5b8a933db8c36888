// SPDX-License-Identifier: Apache-2.0

import Foundation
import OTLP
import Telemetry

/// What spans cost on the wire: 512 of them with nine attributes each, about 360 bytes a span.
enum WireCosts {
    static func measure() throws {
        let body = RequestEncoder.spans(spans, from: resource)
        print("a request of \(spans.count) spans has \(body.count) bytes, \(body.count / spans.count) a span")
        rate("encode") { _ = RequestEncoder.spans(spans, from: resource) }
        try rate("decode protobuf into columns") { _ = try SignalDecoder.decode(body, .traces, .protobuf) }
        let json = Array(jsonText.utf8)
        try rate("decode JSON into columns") { _ = try SignalDecoder.decode(json, .traces, .json) }
    }

    /// The best of five, because other processes only add.
    private static func rate(_ name: String, _ body: () throws -> Void) rethrows {
        var best = Int64.max
        for _ in 0..<5 {
            let start = threadTime()
            for _ in 0..<100 { try body() }
            best = min(best, threadTime() - start)
        }
        let each = Double(best) / Double(100 * spans.count)
        print("\(name): \(Int(each.rounded())) ns a span, \(Int(1e9 / each)) spans a CPU second")
    }

    private static let resource = Resource([
        Attribute("service.name", .string("checkout")), Attribute("service.version", .string("1.2.3")),
        Attribute("host.name", .string("node-17.example")),
    ])

    private static let spans = (0..<512).map { number in
        SpanRecord(
            context: TraceContext(
                traceID: TraceID(high: 0x0102_0304, low: UInt64(number / 8 + 1)), spanID: UInt64(number + 1)),
            parentID: UInt64(number), hasRemoteParent: false, name: "GET /v1/products/{id}", kind: .server,
            start: 1_700_000_000_000_000_000, end: 1_700_000_000_012_345_678, attributes: attributes(number))
    }

    private static func attributes(_ number: Int) -> [Attribute] {
        [
            Attribute("http.request.method", .string("GET")), Attribute("http.route", .string("/v1/products/{id}")),
            Attribute("http.response.status_code", .int(200)), Attribute("url.scheme", .string("https")),
            Attribute("server.address", .string("shop.example")), Attribute("server.port", .int(443)),
            Attribute("user_agent.original", .string("client/1.0 (x)")), Attribute("cache.hit", .bool(number % 2 == 0)),
            Attribute("vitrine.request.id", .string("req_01m86y3wnf\(10_000 + number)")),
        ]
    }

    private static var jsonText: String {
        let items = spans.enumerated().map { number, span in
            let attributes = attributes(number).map { attribute in
                let value: String
                switch attribute.value {
                case .int(let number): value = "\"intValue\":\"\(number)\""
                case .bool(let flag): value = "\"boolValue\":\(flag)"
                default: value = "\"stringValue\":\"\(attribute.value.text)\""
                }
                return "{\"key\":\"\(attribute.name)\",\"value\":{\(value)}}"
            }
            return "{\"traceId\":\"\(span.context.traceID.hex)\",\"spanId\":\"\(span.context.spanHex)\","
                + "\"name\":\"\(span.name)\",\"kind\":2,\"startTimeUnixNano\":\"\(span.start)\","
                + "\"endTimeUnixNano\":\"\(span.end)\",\"attributes\":[\(attributes.joined(separator: ","))]}"
        }
        return "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[\(items.joined(separator: ","))]}]}]}"
    }

    static func threadTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Receivers that decode and forget, for a client to measure: ports 4317 and 4318.
    static func receive() async throws {
        let intake = Intake { _ in .none }
        let http = HTTPReceiver(intake, host: "127.0.0.1", port: 4_318)
        let grpc = GRPCReceiver(intake, host: "127.0.0.1", port: 4_317)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await http.run() }
            group.addTask { try await grpc.run() }
            try await group.waitForAll()
        }
    }
}
