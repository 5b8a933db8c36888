// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import ObservatoryAPI
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// What Grafana's data source, promtool and a real Prometheus ask and send.
struct PrometheusDialectTests {
    private static let start: Int64 = 1_800_000_000_000

    private static func labels(_ metric: String, _ more: (String, String)...) -> LabelSet {
        LabelSet([MetricLabel(LabelSet.name, metric)] + more.map { MetricLabel($0.0, $0.1) })
    }

    /// Two counters over five minutes.
    private static func filled<Result: Sendable>(
        _ body: @escaping @Sendable (TestObservatory) async throws -> Result
    ) async throws -> Result {
        try await TestObservatory.run(now: start) { observatory in
            let series = ["a", "b"].enumerated().map { place, job in
                var samples = SampleColumns()
                for step in 0...20 {
                    samples.append(start - 300_000 + Int64(step) * 15_000, Double(step * (place + 1)))
                }
                return (labels("requests_total", ("job", job)), samples)
            }
            let answer = try await observatory.write(RemoteWriteMessage.bytes(series))
            #expect(answer.status == 204, "\(answer.text)")
            return try await body(observatory)
        }
    }

    @Test func `queries are answered in Prometheus' words, asked either way`() async throws {
        try await Self.filled { observatory in
            let time = ("time", "1800000000")
            for post in [false, true] {
                let vector = try await observatory.get(
                    "/api/v1/query", [("query", "sum(requests_total)"), time], post: post)
                #expect(vector.status == 200 && vector.headers["content-type"] == "application/json")
                #expect(
                    vector.text
                        == #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1800000000,"60"]}]}}"#
                )
                let range = try await observatory.get(
                    "/api/v1/query_range",
                    [
                        ("query", "requests_total{job=\"a\"}"), ("start", "1799999999.5"),
                        ("end", "2027-01-15T08:00:01.5Z"),
                        ("step", "1"),
                    ], post: post)
                #expect(
                    range.text
                        == #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"requests_total","job":"a"},"values":[[1799999999.5,"19"],[1800000000.5,"20"],[1800000001.5,"20"]]}]}}"#
                )
            }
            // What Grafana's health check asks.
            let health = try await observatory.get("/api/v1/query", [("query", "1+1"), ("time", "4")])
            #expect(health.text == #"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#)
            let matrix = try await observatory.get("/api/v1/query", [("query", "requests_total[31s]"), time])
            #expect(matrix.data["result"]?.array?.first?["values"]?.array?.count == 3)
            let text = try await observatory.get("/api/v1/query", [("query", "\"a\""), time])
            #expect(text.text.contains(#""resultType":"string","result":[1800000000,"a"]"#))
        }
    }

    @Test func `labels, values and series are told, with their limits`() async throws {
        try await Self.filled { observatory in
            let names = try await observatory.get("/api/v1/labels", [("start", "0"), ("end", "1900000000")])
            #expect(names.data == .array(["__name__", "job"].map(JSON.string)))
            let values = try await observatory.get(
                "/api/v1/label/job/values", [("match[]", "requests_total"), ("limit", "1")])
            #expect(values.data == .array([.string("a")]) && values.json["warnings"]?.array?.count == 1)
            let escaped = try await observatory.get("/api/v1/label/U__job/values")
            #expect(escaped.data.array?.count == 2)
            let series = try await observatory.get("/api/v1/series", [("match[]", "{__name__!=\"\"}")], post: true)
            #expect(series.data.array?.count == 2)
            let none = try await observatory.get("/api/v1/series", [("match[]", "up"), ("start", "1"), ("end", "2")])
            #expect(none.data.array?.isEmpty == true)
        }
    }

    @Test func `odd probes are answered, and mistakes by their kind`() async throws {
        try await Self.filled { observatory in
            func expect(_ path: String, _ parameters: [(String, String)], _ status: Int, _ words: String) async throws {
                let answer = try await observatory.get(path, parameters)
                #expect(answer.status == status && answer.text.contains(words), "\(path) \(parameters): \(answer.text)")
            }
            // Milliseconds where seconds belong, which is a year far ahead.
            try await expect(
                "/api/v1/query_exemplars", [("query", "up"), ("start", "1800000000000"), ("end", "1800000001000")], 200,
                #""data":[]"#)
            try await expect("/api/v1/rules", [], 200, #""groups":[]"#)
            try await expect("/api/v1/alerts", [], 200, #""alerts":[]"#)
            try await expect("/api/v1/status/buildinfo", [], 200, #""version":"3."#)
            try await expect("/api/v1/query", [("query", "sum(")], 400, "bad_data")
            try await expect("/api/v1/query", [("query", "sum(")], 400, "1:5: parse error")
            try await expect("/api/v1/query", [], 400, "missing")
            try await expect("/api/v1/query", [("query", "1"), ("time", "soon")], 400, "timestamp")
            let range = [("query", "up"), ("start", "0"), ("end", "100000")]
            try await expect(
                "/api/v1/query_range", range + [("step", "1")], 400, "exceeded maximum resolution of 11,000 points")
            try await expect("/api/v1/query_range", range + [("step", "0")], 400, "step")
            try await expect("/api/v1/query_range", range, 400, "step")
            try await expect(
                "/api/v1/query_range", [("query", "up"), ("start", "9"), ("end", "1"), ("step", "1")], 400, "end")
            try await expect("/api/v1/query_range", range + [("step", "60"), ("query", "up[1m]")], 200, "success")
            try await expect(
                "/api/v1/query",
                [("query", "requests_total + on() group_left requests_total"), ("time", "1800000000")], 422,
                "execution")
            try await expect("/api/v1/series", [], 400, "match[]")
            let nothing = try await observatory.get("/api/v1/nosuch")
            #expect(nothing.status == 404)
            try await expect("/api/v1/format_query", [("query", "sum(up)by(job)>1")], 200, "sum by (job) (up) > 1")
        }
    }

    @Test func `a query's tree is shown as Prometheus 3 shows it`() async throws {
        func vector(_ name: String, offset: Int64 = 0, _ matchers: [JSON] = []) -> JSON {
            let named: JSON = ["name": "__name__", "value": .string(name), "type": "="]
            return [
                "type": "vectorSelector", "name": .string(name), "matchers": .array(matchers + [named]),
                "offset": .integer(offset), "timestamp": nil, "startOrEnd": nil,
            ]
        }
        let trees: [(String, JSON)] = [
            ("+1", ["type": "numberLiteral", "val": "1"]),
            ("\"x\"", ["type": "stringLiteral", "val": "x"]),
            (
                "-(up{a!~\"b\"} offset 5m)",
                [
                    "type": "unaryExpr", "op": "-",
                    "expr": [
                        "type": "parenExpr",
                        "expr": vector("up", offset: 300_000, [["name": "a", "value": "b", "type": "!~"]]),
                    ],
                ]
            ),
            (
                "a > bool on (x) group_left (y) b",
                [
                    "type": "binaryExpr", "op": ">", "lhs": vector("a"), "rhs": vector("b"),
                    "matching": ["card": "many-to-one", "labels": ["x"], "on": true, "include": ["y"]], "bool": true,
                ]
            ),
            (
                "a and b",
                [
                    "type": "binaryExpr", "op": "and", "lhs": vector("a"), "rhs": vector("b"),
                    "matching": ["card": "many-to-many", "labels": [], "on": false, "include": []], "bool": false,
                ]
            ),
            (
                "a + fill_right(-1) b",
                [
                    "type": "binaryExpr", "op": "+", "lhs": vector("a"), "rhs": vector("b"),
                    "matching": [
                        "card": "one-to-one", "labels": [], "on": false, "include": [],
                        "fillValues": ["lhs": nil, "rhs": "-1"],
                    ], "bool": false,
                ]
            ),
            (
                "topk without (x) (2, round(a))",
                [
                    "type": "aggregation", "op": "topk",
                    "expr": [
                        "type": "call",
                        "func": [
                            "name": "round", "argTypes": ["vector", "scalar"], "variadic": 1, "returnType": "vector",
                        ],
                        "args": [vector("a")],
                    ], "param": ["type": "numberLiteral", "val": "2"], "grouping": ["x"], "without": true,
                ]
            ),
            (
                "max_over_time(a[1m] @ end())[1h:5s] @ 7",
                [
                    "type": "subquery",
                    "expr": [
                        "type": "call",
                        "func": [
                            "name": "max_over_time", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector",
                        ],
                        "args": [
                            [
                                "type": "matrixSelector", "range": 60_000, "name": "a",
                                "matchers": [["name": "__name__", "value": "a", "type": "="]], "offset": 0,
                                "timestamp": nil, "startOrEnd": "end",
                            ]
                        ],
                    ], "range": 3_600_000, "step": 5_000, "offset": 0, "timestamp": 7_000, "startOrEnd": nil,
                ]
            ),
        ]
        try await TestObservatory.run { observatory in
            for (query, tree) in trees {
                let got = try await observatory.get("/api/v1/parse_query", [("query", query)])
                #expect(got.text == "{\"status\":\"success\",\"data\":\(tree.text)}", "\(query)")
            }
            let wrong = try await observatory.get("/api/v1/parse_query", [("query", "sum(")])
            #expect(wrong.status == 400 && wrong.text.contains("bad_data"), "\(wrong.text)")
        }
    }

    @Test func `who has no token is refused, who has one is not`() async throws {
        let access = ObservatoryAccess(operatorToken: "secret", accepts: { $0 == "key" })
        try await TestObservatory.run(access: access) { observatory in
            let closed = try await observatory.get("/api/v1/query", [("query", "1")])
            #expect(closed.status == 401 && closed.headers["www-authenticate"] != nil)
            do {
                let status = try await observatory.write([]).status
                #expect(status == 401)
            }
            do {
                let status = try await observatory.get("/-/ready").status
                #expect(status == 200, "probes have none")
            }
            let basic = "Basic " + Data("anyone:secret".utf8).base64EncodedString()
            for (token, expected) in [
                ("Bearer secret", 200), ("Bearer key", 200), (basic, 200), ("Bearer secre", 401), ("Basic !", 401),
                ("secret", 401),
            ] {
                var caller = observatory
                caller.token = token
                do {
                    let status = try await caller.get("/api/v1/query", [("query", "1")]).status
                    #expect(status == expected, "\(token)")
                }
            }
        }
    }

    @Test func `without a token only who means this machine is answered`() async throws {
        try await TestObservatory.run { observatory in
            for (host, expected) in [
                ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:9", 200), ("evil.example", 401),
                ("127.0.0.1.evil.example", 401),
            ] {
                let answer = try await observatory.get("/api/v1/query", [("query", "1")], host: host)
                #expect(answer.status == expected, "\(host)")
            }
        }
    }

    @Test func `what would not be kept is refused, not acknowledged`() async throws {
        try await TestObservatory.run(now: Self.start) { observatory in
            let second = try await observatory.write(
                [],
                headers: [
                    ("Content-Encoding", "snappy"),
                    ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
                ])
            #expect(second.status == 415)
            let native = RemoteWriteMessage.snappy(
                RemoteWriteMessage.field(1, RemoteWriteMessage.field(4, [0x10, 1])))
            let refused = try await observatory.write(native)
            #expect(refused.status == 400 && refused.text.contains("1 native histograms"))
            let odd = try await observatory.otlp(
                #"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x","exponentialHistogram":{"dataPoints":[{"count":"1","scale":-2000,"positive":{"offset":-1,"bucketCounts":["1"]}},{"count":"1","scale":-100,"positive":{"bucketCounts":["1"]}}]}}]}]}]}"#
            )
            #expect(odd.status == 200, "\(odd.text)")
        }
    }

    @Test func `a batch with what cannot be taken says why, and the rest is kept`() async throws {
        var settings = SignalStore.Settings()
        settings.seriesPerMetricMax = 2
        try await TestObservatory.run(now: Self.start, settings: settings) { observatory in
            let series = (0..<5).map { place in
                (Self.labels("wild", ("id", "\(place)")), SampleColumns(times: [Self.start], values: [1]))
            }
            let answer = try await observatory.write(RemoteWriteMessage.bytes(series))
            #expect(answer.status == 204, "nothing was refused: what is too much is one series")
            let kept = try await observatory.get("/api/v1/query", [("query", "count(wild)"), ("time", "1800000000")])
            #expect(kept.data["result"]?.array?.first?["value"]?.array?.last == .string("3"))
            // OTLP has a place for words of what was taken in another way than it was sent (opentelemetry-proto, partial success).
            let told = try await observatory.otlp(
                #"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[{"name":"wild","gauge":{"dataPoints":[{"timeUnixNano":"1800000000000000000","asInt":"1","attributes":[{"key":"id","value":{"stringValue":"x"}}]}]}}]}]}]}"#
            )
            #expect(told.status == 200 && told.text.contains("folded into overflow: 1 metric_series_budget"))
            #expect(told.text.contains("wild by id of shop") && told.text.contains(#""rejectedDataPoints":"0""#))
            let old = (Self.labels("up"), SampleColumns(times: [1_000], values: [1]))
            let refused = try await observatory.write(RemoteWriteMessage.bytes([old]))
            #expect(refused.status == 400 && refused.text.contains("refused: 1 too_old"))
        }
    }

    @Test func `what is no remote write is refused, whatever its bytes`() async throws {
        try await TestObservatory.run(now: Self.start) { observatory in
            do {
                let status = try await observatory.write([], headers: []).status
                #expect(status == 415)
            }
            do {
                let status = try await observatory.write([0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 2, 3]).status
                #expect(status == 413)
            }
            var random = SeededGenerator(seed: 8)
            let good = RemoteWriteMessage.bytes([
                (Self.labels("m", ("a", "b")), SampleColumns(times: [Self.start], values: [1]))
            ])
            for _ in 0..<300 {
                var bytes = good
                for _ in 0...Int.random(in: 0...2, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                let status = try await observatory.write(bytes).status
                #expect([204, 400, 413].contains(status))
            }
            do {
                let status = try await observatory.write(good).status
                #expect(status == 204)
            }
        }
    }
}
