// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// Jaeger's query API as its own client and Grafana's data source call it.
struct JaegerDialectTests {
    /// 2027-01-15T08:00:00Z, in nanoseconds.
    private static let start: UInt64 = 1_800_000_000_000_000_000
    private static let now = Int64(start / 1_000_000) + 10_000

    private static func span(
        _ trace: String, _ id: String, parent: String = "", _ name: String, kind: Int, after: UInt64 = 0,
        took: UInt64 = 2_000_000, attributes: String = "", status: Int = 0, more: String = ""
    ) -> String {
        """
        {"traceId":"\(trace)","spanId":"\(id)","parentSpanId":"\(parent)","name":"\(name)","kind":\(kind),
        "startTimeUnixNano":"\(start + after)","endTimeUnixNano":"\(start + after + took)",
        "attributes":[\(attributes)],"status":{"code":\(status),"message":"\(status == 2 ? "declined" : "")"}\(more)}
        """
    }

    private static func sender(_ service: String, _ spans: [String]) -> String {
        """
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"\(service)"}},
        {"key":"host.name","value":{"stringValue":"h1"}}]},
        "scopeSpans":[{"scope":{"name":"lib","version":"2"},"spans":[\(spans.joined(separator: ","))]}]}
        """
    }

    private static let (placed, browsed) = ("0000000000000000a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736")

    private static let request = """
        {"resourceSpans":[\(sender("shop", [
            span(placed, "00f067aa0ba902b7", "POST /v1/orders", kind: 2, took: 30_000_000,
                attributes: #"{"key":"http.response.status_code","value":{"intValue":"201"}},{"key":"cached","value":{"boolValue":true}}"#,
                more: #","links":[{"traceId":"\#(browsed)","spanId":"00f067aa0ba90200"}]"#),
            span(placed, "00f067aa0ba902b8", parent: "00f067aa0ba902b7", "charge", kind: 3, after: 1_000_000),
            span(browsed, "00f067aa0ba90200", "GET /v1/products", kind: 2, after: 5_000_000,
                attributes: #"{"key":"customer","value":{"stringValue":"anna"}}"#),
        ])),\(sender("payments", [
            span(placed, "00f067aa0ba902b9", parent: "00f067aa0ba902b8", "POST /charges", kind: 2, after: 1_500_000, status: 2,
                more: #","events":[{"timeUnixNano":"\#(start + 2_000_000)","name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"Declined"}}]}]"#)
        ]))]}
        """

    private static func run(_ body: @escaping @Sendable (TestObservatory) async throws -> Void) async throws {
        try await TestObservatory.run(now: now) { observatory in
            let answer = try await observatory.otlp(request, .traces)
            #expect(answer.status == 200 && answer.text == "{}")
            try await body(observatory)
            // And once more from a part.
            try observatory.store.flush()
            try await body(observatory)
        }
    }

    private static func found(
        _ observatory: TestObservatory, _ parameters: (String, String)...
    ) async throws -> [String] {
        let answer = try await observatory.get("/api/traces", parameters)
        #expect(answer.status == 200, "\(answer.text)")
        return answer.data.array?.compactMap { trace in
            #expect(trace["spans"]?.array?.isEmpty == false, "Grafana looks at the first span of each")
            return trace["traceID"]?.string
        } ?? []
    }

    @Test func `services, operations and dependencies are named`() async throws {
        try await Self.run { observatory in
            let services = try await observatory.get("/api/services")
            #expect(services.text == #"{"data":["payments","shop"],"total":2,"limit":0,"offset":0,"errors":null}"#)
            let names = try await observatory.get("/api/services/shop/operations")
            #expect(names.data.array == ["GET /v1/products", "POST /v1/orders", "charge"].map { .string($0) })
            let clients = try await observatory.get("/api/operations", [("service", "shop"), ("spanKind", "client")])
            #expect(clients.data.array?.count == 1 && clients.data.array?.first?["name"] == .string("charge"))
            let without = try await observatory.get("/api/operations")
            #expect(without.status == 400 && without.json["errors"]?.array?.first?["code"] == .integer(400))
            let calls = try await observatory.get(
                "/api/dependencies", [("endTs", "\(Self.now)"), ("lookback", "3600000")])
            #expect(calls.text.contains(#"[{"parent":"shop","child":"payments","callCount":1}]"#))
        }
    }

    @Test func `a trace is found by any way to write its id, whole and as Jaeger writes it`() async throws {
        try await Self.run { observatory in
            let whole = try await observatory.get("/api/traces/\(Self.placed)")
            #expect(whole.status == 200)
            let trace = whole.data.array?.first
            #expect(trace?["spans"]?.array?.count == 3 && trace?["processes"]?["p1"]?["serviceName"] == .string("shop"))
            let failed = trace?["spans"]?.array?.first { $0["operationName"] == .string("POST /charges") }
            #expect(
                failed?["startTime"] == .integer(Int64(Self.start / 1_000) + 1_500)
                    && failed?["duration"] == .integer(2_000))
            #expect(failed?["references"]?.array?.first?["spanID"] == .string("00f067aa0ba902b8"))
            let tags = failed?["tags"]?.array ?? []
            #expect(tags.contains { $0["key"] == .string("error") && $0["value"] == .bool(true) })
            #expect(
                tags.contains { $0["key"] == .string("otel.status_description") && $0["value"] == .string("declined") })
            #expect(tags.contains { $0["key"] == .string("otel.scope.name") && $0["value"] == .string("lib") })
            #expect(failed?["logs"]?.array?.first?["fields"]?.array?.first?["value"] == .string("exception"))
            // Grafana sends times here, in milliseconds; zeros in front may be missing.
            let id = "a3ce929d0e0e4736"
            let short = try await observatory.get(
                "/api/traces/\(id)", [("start", "1800000000000"), ("end", "1800000001000")])
            #expect(short.body == whole.body)
            let encoded = Data((0..<8).map { _ in 0 } + [0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36])
                .base64EncodedString()
            let base64 = try await observatory.get(
                "/api/traces/" + encoded.replacing("/", with: "%2F").replacing("=", with: "%3D"))
            #expect(base64.body == whole.body)
            let unknown = try await observatory.get("/api/traces/1234")
            #expect(unknown.status == 404)
            #expect(
                unknown.json["data"] == .null
                    && unknown.json["errors"]?.array?.first?["msg"] == .string("trace not found"))
            let nonsense = try await observatory.get("/api/traces/xyz")
            #expect(nonsense.status == 400)
        }
    }

    @Test func `of ours are a part of a trace, lists without spans, and spans by any attribute`() async throws {
        try await Self.run { observatory in
            // Of a part the failed span comes before the first.
            let part = try await observatory.get("/api/traces/\(Self.placed)", [("limit", "1")])
            let trace = part.data.array?.first
            #expect(trace?["spans"]?.array?.compactMap { $0["operationName"]?.string } == ["POST /charges"])
            #expect(trace?["warnings"]?.array?.first?.string?.hasPrefix("2 spans are left out") == true)

            let list = try await observatory.get("/api/v1/trace_summaries", [("tag", "error:true")])
            #expect(list.data.array?.count == 1)
            let summary = list.data.array?.first
            #expect(summary?["name"]?.string == "POST /v1/orders" && summary?["service"]?.string == "shop")
            #expect(summary?["spans"]?.integer == 3 && summary?["errors"]?.integer == 1)
            #expect(summary?["duration"]?.integer == 30_000)
            #expect(summary?["services"]?.array == ["payments", "shop"])

            let groups = try await observatory.get(
                "/api/v1/span_groups", [("by", "service.name"), ("minDuration", "1ms")])
            let found = groups.data["groups"]?.array ?? []
            #expect(found.compactMap { $0["value"]?.string } == ["shop", "payments"])
            #expect(found.first?["count"]?.integer == 3 && found.last?["errors"]?.integer == 1)
            #expect(groups.data["isComplete"]?.bool == true)
            #expect(try await observatory.get("/api/v1/span_groups").status == 400)
            let measured = try await observatory.get(
                "/api/v1/span_groups", [("by", "kind"), ("of", "http.response.status_code")])
            let values = measured.data["groups"]?.array?.first { $0["value"] == "server" }?["values"]
            #expect(values?["count"]?.integer ?? 0 > 0, "\(measured.text)")

            let storage = try await observatory.get("/api/v1/status/storage")
            let spans = storage.data["signals"]?.array?.first { $0["signal"]?.string == "traces" }
            #expect(spans?["records"]?.integer == 4)
        }
    }

    @Test func `traces are found by what their spans are`() async throws {
        try await Self.run { observatory in
            let (start, end) = (("start", "\(Self.start / 1_000)"), ("end", "\(Self.start / 1_000 + 1_000_000)"))
            let all = try await Self.found(observatory, start, end, ("limit", "20"))
            #expect(all == [Self.browsed, Self.placed], "the latest first")
            let ones: [[(String, String)]] = [
                [("service", "shop"), ("operation", "charge")], [("tags", #"{"error":"true"}"#)],
                [("tags", #"{"http.response.status_code":"201","cached":"true"}"#)], [("tag", "error:true")],
                [("minDuration", "20ms")],
                [("service", "payments"), ("minDuration", "1.5ms"), ("maxDuration", "2000us")],
                [("tags", #"{"host.name":"h1","span.kind":"client"}"#)], [("traceID", Self.placed)],
            ]
            for parameters in ones {
                let found = try await observatory.get("/api/traces", parameters + [start, end])
                #expect(found.data.array?.map { $0["traceID"] } == [.string(Self.placed)], "\(parameters)")
            }
            let none: [[(String, String)]] = [
                [("service", "mail")], [("tags", #"{"customer":"bert"}"#)], [("minDuration", "1s")],
                [("start", "1"), ("end", "2")], [("operation", "nothing")],
            ]
            for parameters in none {
                let found = try await observatory.get(
                    "/api/traces", [start, end].filter { one in !parameters.contains { $0.0 == one.0 } } + parameters)
                #expect(found.status == 200 && found.data.array == [], "\(parameters)")
            }
            let limited = try await Self.found(observatory, start, end, ("limit", "1"), ("minDuration", "0"))
            #expect(limited == [Self.browsed])
            for parameters in [
                ("minDuration", "soon"), ("start", "yesterday"), ("tags", "x"), ("tag", "x"), ("limit", "-1"),
            ] {
                let answer = try await observatory.get("/api/traces", [parameters])
                #expect(answer.status == 400 && answer.json["errors"]?.array?.isEmpty == false, "\(parameters)")
            }
        }
    }

    @Test func `the third version answers in OTLP's JSON, which OTLP takes back`() async throws {
        try await Self.run { observatory in
            #expect(try await observatory.get("/api/v3/services").text == #"{"services":["payments","shop"]}"#)
            let operations = try await observatory.get("/api/v3/operations", [("service", "payments")])
            #expect(operations.text == #"{"operations":[{"name":"POST /charges","spanKind":"server"}]}"#)
            let found = try await observatory.get(
                "/api/v3/traces",
                [
                    ("query.service_name", "payments"), ("query.start_time_min", "2027-01-15T07:59:00Z"),
                    ("query.start_time_max", "2027-01-15T08:10:00.5Z"), ("query.duration_min", "1ms"),
                ])
            #expect(found.status == 200, "\(found.text)")
            let one = try await observatory.get("/api/v3/traces/\(Self.placed)")
            #expect(one.body == found.body)
            let unknown = try await observatory.get("/api/v3/traces/77")
            #expect(unknown.status == 404 && unknown.json["error"]?["httpCode"] == .integer(404))
            // What was sent stands in the answer, and may be sent again.
            let result = one.json["result"] ?? .null
            #expect(result["resourceSpans"]?.array?.count == 2)
            var writer = JSONWriter()
            writer.value(result)
            let again = try await observatory.otlp(String(decoding: writer.bytes, as: UTF8.self), .traces)
            #expect(again.status == 200 && again.text == "{}")
            #expect(try await observatory.get("/api/v3/traces/\(Self.placed)").body == one.body, "each span once")
        }
    }

    @Test func `the page Monitor gets rates, errors and latencies`() async throws {
        try await TestObservatory.run(now: Self.now) { observatory in
            // Counts begin at zero with the first that is told of them.
            for minute in 0..<3 {
                let spans = (0..<(minute == 0 ? 0 : 60)).map { number in
                    Self.span(
                        "4bf92f3577b34da6a3ce929d\(minute)e0e4\(100 + number)", "00f067aa0ba9\(minute)\(100 + number)",
                        number % 2 == 0 ? "GET /a" : "POST /b.c", kind: 2,
                        took: number % 2 == 0 ? 6_000_000 : 100_000_000, status: number % 4 == 1 ? 2 : 0)
                }
                let body = #"{"resourceSpans":[\#(Self.sender("shop|front", spans))]}"#
                #expect(try await observatory.otlp(body, .traces).status == 200)
                let time = Self.now - 120_000 + Int64(minute) * 60_000
                _ = try await observatory.store.append(
                    observatory.store.spanMetrics.samples(at: time, interval: 60_000))
            }
            let base = "service=shop%7Cfront&endTs=\(Self.now)&lookback=0&ratePer=60001"
            func answer(_ path: String) async throws -> JSON {
                try JSON.parse(try await observatory.get("/api/metrics/\(path)").body)
            }
            func points(_ answer: JSON) -> [String: Double] {
                Dictionary(
                    uniqueKeysWithValues: (answer["metrics"]?.array ?? []).map { metric in
                        let labels = metric["labels"]?.array ?? []
                        let value = metric["metricPoints"]?.array?.first?["gaugeValue"]?["doubleValue"]
                        return (
                            labels.map { "\($0["name"]?.string ?? "")=\($0["value"]?.string ?? "")" }.joined(
                                separator: ","),
                            Double(value?.text ?? "") ?? .nan
                        )
                    })
            }
            let calls = try await answer("calls?\(base)")
            #expect(calls["name"] == "service_call_rate" && calls["type"] == "GAUGE")
            #expect(calls["help"] == "calls/sec, grouped by service")
            #expect(abs((points(calls)["service_name=shop|front"] ?? 0) - 1) < 0.001, "\(calls)")
            let first = calls["metrics"]?.array?.first?["metricPoints"]?.array?.first
            #expect(first?["timestamp"]?.string == Timestamp(milliseconds: Self.now).rfc3339)

            let errors = try await answer("errors?\(base)&groupByOperation=true")
            #expect(errors["name"] == "service_operation_error_rate")
            let shares = points(errors)
            #expect(shares["operation=GET /a,service_name=shop|front"] == 0, "\(shares)")
            #expect(abs((shares["operation=POST /b.c,service_name=shop|front"] ?? 0) - 0.5) < 0.001, "\(shares)")

            let latencies = points(try await answer("latencies?\(base)&quantile=0.95&groupByOperation=1"))
            let slow = latencies["operation=POST /b.c,service_name=shop|front"] ?? 0
            #expect((64...128).contains(slow) && (latencies["operation=GET /a,service_name=shop|front"] ?? 0) < 9)

            #expect(points(try await answer("calls?\(base)&spanKind=client")).isEmpty)
            #expect(points(try await answer("calls?service=shop&endTs=\(Self.now)&lookback=0")).isEmpty)
            #expect(try await answer("minstep")["data"] == 1)
            for (wrong, words) in [
                ("calls", "'service' is required"), ("latencies?service=a", "'quantile' is required"),
                ("latencies?service=a&quantile=2", "'quantile' must be"), ("errors?service=a&spanKind=x", "'x'"),
                ("calls?service=a&step=soon", "'step' must be"), ("calls?service=a&step=1", "more than 11,000 points"),
                ("calls?service=a&groupByOperation=yes", "true or false"),
            ] {
                let refused = try await observatory.get("/api/metrics/\(wrong)")
                #expect(refused.status == 400 && refused.text.contains(words), "\(refused.text)")
            }
        }
    }

    @Test func `every exemplar that is served opens its trace`() async throws {
        try await Self.run { observatory in
            let point = """
                {"timeUnixNano":"\(Self.start)","count":"3","sum":1.5,"explicitBounds":[0.1,1],"bucketCounts":["1","1","1"],
                "attributes":[{"key":"http.route","value":{"stringValue":"/v1/orders"}}],"exemplars":[
                {"timeUnixNano":"\(Self.start)","asDouble":0.5,"traceId":"\(Self.placed)","spanId":"00f067aa0ba902b7"},
                {"timeUnixNano":"\(Self.start)","asDouble":7,"traceId":"ffffffffffffffffffffffffffffffff","spanId":"00f067aa0ba902b7"}]}
                """
            let sent = try await observatory.otlp(
                """
                {"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
                "scopeMetrics":[{"metrics":[{"name":"http.server.request.duration","unit":"s",
                "histogram":{"aggregationTemporality":2,"dataPoints":[\(point)]}}]}]}]}
                """)
            #expect(sent.status == 200 && sent.text == "{}")
            let query =
                #"histogram_quantile(0.9, sum by (le) (rate(http_server_request_duration_seconds_bucket{job="shop"}[5m])))"#
            func ask(_ start: String, _ end: String) async throws -> [JSON] {
                let answer = try await observatory.get(
                    "/api/v1/query_exemplars", [("query", query), ("start", start), ("end", end)])
                #expect(answer.status == 200, "\(answer.text)")
                return answer.data.array ?? []
            }
            let found = try await ask("1799999900", "1800000100")
            #expect(found.count == 1 && found.first?["seriesLabels"]?["le"] == .string(SampleText.of(1)))
            let exemplars = found.first?["exemplars"]?.array ?? []
            #expect(exemplars.count == 1 && exemplars.first?["value"] == .string("0.5"))
            let id = exemplars.first?["labels"]?["trace_id"]?.string ?? ""
            #expect(try await observatory.get("/api/traces/\(id)").status == 200)
            // Grafana's probe asks in milliseconds.
            let probe = try await ask("1800000000000", "1800000900000")
            #expect(probe.isEmpty)
            let other = try await observatory.get(
                "/api/v1/query_exemplars", [("query", "other"), ("start", "0"), ("end", "9000000000")])
            #expect(other.data.array == [])
        }
    }
}
