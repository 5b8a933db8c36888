// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@testable import OTLP

struct DecodeTests {
    private static let resource = Resource([Attribute("service.name", .string("till")), Attribute("shards", .int(-3))])

    private static let spans = [
        SpanRecord(
            context: TraceContext(
                traceID: TraceID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), spanID: 0xA1, state: "a=1"),
            parentID: 0xB2, hasRemoteParent: true, name: "POST /v1/orders", kind: .server, start: 1_000, end: 5_000,
            status: .error("no stock"),
            attributes: [
                Attribute("http.route", .string("/v1/orders")), Attribute("retried", .bool(false)),
                Attribute("share", .double(0.25)), Attribute("lines", .int(.min)),
                Attribute("digest", .bytes([0, 255, 7])), Attribute("empty", .string("")),
                Attribute("skus", .array([.string("“A”\n"), .int(2), .bool(true), .double(1.5), .array([])])),
                Attribute("cart", .map([Attribute("id", .string("c1")), Attribute("total", .double(9.5))])),
            ],
            events: [SpanRecord.Event(name: "exception", time: 2_000, attributes: [Attribute("type", .string("E"))])],
            links: [
                SpanRecord.Link(
                    context: TraceContext(traceID: TraceID(high: 0, low: 3), spanID: 4, state: "b=2"),
                    attributes: [Attribute("kind", .string("batch"))])
            ]),
        SpanRecord(
            context: TraceContext(traceID: TraceID(high: 0, low: 3), spanID: 9), parentID: 0, hasRemoteParent: false,
            name: String(repeating: "long ", count: 100), kind: .internal, start: 7, end: 8, status: .ok),
    ]

    private static func decode(_ text: String, _ signal: Signal) throws -> SignalDecoder.Result {
        try SignalDecoder.decode(Array(text.utf8), signal, .json)
    }

    @Test func `spans come out of protobuf as they went in`() throws {
        let body = RequestEncoder.spans(Self.spans, from: Self.resource)
        let batch = try #require(try SignalDecoder.decode(body, .traces, .protobuf).batch.spans)
        #expect(batch.count == 2)
        for (place, span) in Self.spans.enumerated() { #expect(batch.record(place).shown == span.shown) }
        #expect(batch.resource(of: 1) == Self.resource)
    }

    @Test func `log records come out of protobuf as they went in`() throws {
        let records = [
            LogRecord(
                time: 1, severity: .warn, body: "Stock is low", scope: "inventory",
                trace: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: 3),
                attributes: [Attribute("left", .int(2))]),
            LogRecord(time: 2, severity: .fatal, body: "", scope: "orders"),
        ]
        let body = RequestEncoder.logs(records, from: Self.resource)
        let batch = try #require(try SignalDecoder.decode(body, .logs, .protobuf).batch.logs)
        #expect(batch.count == 2)
        for (place, record) in records.enumerated() { #expect("\(batch.record(place))" == "\(record)") }
    }

    @Test func `JSON and protobuf become the same columns`() throws {
        let json = """
            {"unknown": [{"a": [1, "}"]}], "resourceSpans": [{"resource": {"attributes": [
              {"key": "service.name", "value": {"stringValue": "till"}},
              {"key": "shards", "value": {"intValue": "-3"}}]},
             "scopeSpans": [{"scope": {"name": "vitrine"}, "spans": [{
              "traceId": "0102030405060708090a0B0C0D0E0F10", "spanId": "00000000000000A1",
              "parentSpanId": "00000000000000b2", "traceState": "a=1", "flags": 769, "name": "POST \\/v1\\/orders",
              "kind": 2, "startTimeUnixNano": "1000", "endTimeUnixNano": 5000, "droppedEventsCount": null,
              "status": {"code": 2, "message": "no st\\u006fck"}, "attributes": [
               {"key": "http.route", "value": {"stringValue": "/v1/orders"}},
               {"key": "retried", "value": {"boolValue": false}}, {"key": "share", "value": {"doubleValue": 0.25}},
               {"key": "lines", "value": {"intValue": "-9223372036854775808"}},
               {"key": "digest", "value": {"bytesValue": "AP8H"}}, {"key": "empty", "value": {"stringValue": ""}},
               {"key": "skus", "value": {"arrayValue": {"values": [{"stringValue": "“A”\\n"}, {"intValue": 2},
                {"boolValue": true}, {"doubleValue": 1.5}, {"arrayValue": {}}]}}},
               {"key": "cart", "value": {"kvlistValue": {"values": [{"key": "id", "value": {"stringValue": "c1"}},
                {"key": "total", "value": {"doubleValue": 9.5}}]}}}],
              "events": [{"timeUnixNano": "2000", "name": "exception",
               "attributes": [{"key": "type", "value": {"stringValue": "E"}}]}],
              "links": [{"traceId": "00000000000000000000000000000003", "spanId": "0000000000000004",
               "traceState": "b=2", "attributes": [{"key": "kind", "value": {"stringValue": "batch"}}]}]}]}]}]}
            """
        let batch = try #require(try Self.decode(json, .traces).batch.spans)
        #expect(batch.count == 1)
        var expected = Self.spans[0]
        expected.context.isRandom = false
        #expect(batch.record(0).shown == expected.shown)
        #expect(batch.resource(of: 0) == Self.resource)
    }

    @Test func `every kind of metric becomes columns`() throws {
        let json = """
            {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
             {"name": "g", "unit": "By", "gauge": {"dataPoints": [{"asInt": "-5", "timeUnixNano": "9",
               "attributes": [{"key": "a", "value": {"stringValue": "b"}}]}]}},
             {"name": "s", "sum": {"aggregationTemporality": 1, "isMonotonic": true,
               "dataPoints": [{"asDouble": "NaN", "startTimeUnixNano": 1}, {"flags": 1, "asDouble": 2}]}},
             {"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [{"count": "6", "sum": 7.5,
               "bucketCounts": ["1", 2, "3"], "explicitBounds": [1, 2.5], "min": 0.5, "exemplars": [
                {"asDouble": 2.25, "timeUnixNano": 3, "traceId": "00000000000000000000000000000003",
                 "spanId": "0000000000000004"}]}]}},
             {"name": "e", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [{"count": 4, "scale": -1,
               "zeroCount": 1, "positive": {"offset": -7, "bucketCounts": [1, 0, "2"]}, "zeroThreshold": 0.1}]}},
             {"name": "q", "summary": {"dataPoints": [{"count": 3, "sum": 6, "quantileValues": [
               {"quantile": 0.5, "value": 2}, {"quantile": 0.99, "value": 3}]}]}}]}]}]}
            """
        let batch = try #require(try Self.decode(json, .metrics).batch.metrics)
        #expect(batch.count == 6)
        #expect(batch.metrics.map(\.kind) == [.gauge, .sum, .histogram, .exponentialHistogram, .summary])
        #expect(batch.metrics.map(\.temporality) == [.unspecified, .delta, .cumulative, .cumulative, .unspecified])
        #expect(batch.metrics[1].isMonotonic)
        #expect(batch.attributes.list(batch.points[0].attributes, in: batch.bytes) == [Attribute("a", .string("b"))])
        guard case .int(-5) = batch.points[0].value, case .double(let nan) = batch.points[1].value, nan.isNaN,
            case .none = batch.points[2].value, case .histogram(let classic) = batch.points[3].value,
            case .histogram(let exponential) = batch.points[4].value,
            case .histogram(let summary) = batch.points[5].value
        else {
            Issue.record("\(batch.points)")
            return
        }
        let histograms = batch.histograms
        #expect(histograms[classic].count == 6 && histograms[classic].sum == 7.5 && histograms[classic].min == 0.5)
        #expect(Array(batch.counts[histograms[classic].counts]) == [1, 2, 3])
        #expect(Array(batch.numbers[histograms[classic].bounds]) == [1, 2.5])
        #expect(batch.exemplars[0].value == 2.25 && batch.exemplars[0].traceLow == 3 && batch.exemplars[0].spanID == 4)
        #expect(histograms[exponential].scale == -1 && histograms[exponential].positiveOffset == -7)
        #expect(Array(batch.counts[histograms[exponential].counts]) == [1, 0, 2])
        #expect(Array(batch.numbers[histograms[summary].bounds]) == [0.5, 0.99])
        #expect(Array(batch.numbers[histograms[summary].values]) == [2, 3])
    }

    @Test func `a member's value may come before its name, and a metric without one is refused`() throws {
        let json = """
            {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"m","value":{"kvlistValue":{"values":[
            {"value":{"intValue":1},"key":"x"}]}}}]}]}]}]}
            """
        let batch = try #require(try Self.decode(json, .logs).batch.logs)
        #expect(batch.record(0).attributes == [Attribute("m", .map([Attribute("x", .int(1))]))])
        let nameless =
            #"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"","gauge":{"dataPoints":[{}]}}]}]}]}"#
        #expect(try Self.decode(nameless, .metrics).rejected == 1)
    }

    @Test func `bytes that come to nothing are no bytes`() throws {
        let json = #"""
            {"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10",
            "spanId":"00000000000000a1","name":"\u0061","attributes":[{"key":"k","value":{"arrayValue":{"values":[
            {"bytesValue":""}]}}}]}]}]}]}
            """#
        let batch = try #require(try Self.decode(json, .traces).batch.spans)
        #expect(batch.record(0).name == "a")
        #expect(batch.record(0).attributes == [Attribute("k", .array([.string("")]))])
    }

    @Test func `a span whose ids name nothing is refused, and the others stay`() throws {
        let json = """
            {"resourceSpans":[{"scopeSpans":[{"spans":[
             {"traceId":"00000000000000000000000000000000","spanId":"00000000000000a1","events":[{"name":"x"}]},
             {"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"00000000000000a1","name":"good"},
             {"traceId":"01020304","spanId":"00000000000000a1"},{"traceId":"zz","spanId":"00000000000000a1"}]}]}]}
            """
        let result = try Self.decode(json, .traces)
        guard case .spans(let batch) = result.batch else { return }
        #expect(result.rejected == 3 && result.reason.contains("16 bytes"))
        #expect(batch.count == 1 && batch.record(0).name == "good" && batch.events.count == 0)
    }

    @Test(arguments: [
        "", "[]", "{", "{}x", #"{"resourceSpans":{"#, #"{"resourceSpans":[{]}"#, #"{"resourceSpans":[{"resource":7}]}"#,
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1.5"}]}]}]}"#,
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"#, #"{"a":}"#, #"{"a":1,}"#, "{\"a\":\"\n\"}",
        #"{"a":"# + String(repeating: "[", count: 100_000),
    ])
    func `JSON that is none is malformed`(text: String) {
        #expect(throws: WireError.self) { try Self.decode(text, .traces) }
    }

    @Test(arguments: [
        // A text longer than the body, a number of eleven bytes, field 0, wire type 7, one that the message does not have.
        [0x0A, 0x7F], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x02, 0x00], [0x0F],
        [0x08, 0x01], [0x0A, 0x80], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    ])
    func `protobuf that is none is malformed`(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try SignalDecoder.decode(bytes, .traces, .protobuf) }
    }

    @Test func `more than a request may hold is too large`() throws {
        let body = RequestEncoder.spans(Self.spans, from: Self.resource)
        let few = DecodeLimits(itemsMax: 1, partsMax: 1_000)
        #expect(throws: WireError.tooLarge("More than 1 items in one request; send smaller batches.")) {
            try SignalDecoder.decode(body, .traces, .protobuf, limits: few)
        }
        // Two bytes each on the wire, forty in memory.
        let hollow = Array(repeating: [0x0A, 0x00] as [UInt8], count: 2_000).flatMap { $0 }
        #expect(throws: WireError.self) {
            try SignalDecoder.decode(hollow, .traces, .protobuf, limits: DecodeLimits(partsMax: 1_000))
        }
    }
}

extension SpanRecord {
    /// All of it that crosses the wire.
    fileprivate var shown: String {
        "\(context) \(parentID) \(hasRemoteParent) \(name) \(kind) \(start) \(end) \(status) \(attributes) \(events) \(links)"
    }
}
