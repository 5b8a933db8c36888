// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import ObservatoryAPI
@testable import TelemetryStore

/// Loki's API as Grafana's data source calls it.
struct LokiDialectTests {
    /// 2027-01-15T08:00:00Z, in nanoseconds.
    private static let start: UInt64 = 1_800_000_000_000_000_000
    private static let end = start + 60_000_000_000

    private static func run(_ body: @escaping @Sendable (TestObservatory) async throws -> Void) async throws {
        try await TestObservatory.run(now: Int64(end / 1_000_000)) { observatory in
            for (service, step) in [("shop", UInt64(1)), ("mail", 5)] {
                let records = (0..<60 / step).map { number in
                    """
                    {"timeUnixNano":"\(start + number * step * 1_000_000_000)","severityNumber":\(number % 10 == 3 ? 17 : 9),
                    "body":{"stringValue":"\(service) \(number) \(number % 10 == 3 ? "failed: \\\"no\\\" answer" : "done")"},
                    "traceId":"\(number % 2 == 0 ? "4bf92f3577b34da6a3ce929d0e0e4736" : "")",
                    "spanId":"\(number % 2 == 0 ? "00f067aa0ba902b7" : "")",
                    "attributes":[{"key":"http.route","value":{"stringValue":"/r\(number % 3)"}},
                    {"key":"n","value":{"intValue":"\(number)"}}]}
                    """
                }
                let answer = try await observatory.otlp(
                    """
                    {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"\(service)"}},
                    {"key":"host.name","value":{"stringValue":"h1"}}]},"scopeLogs":[{"scope":{"name":"lib"},
                    "logRecords":[\(records.joined(separator: ","))]}]}]}
                    """, .logs)
                #expect(answer.status == 200 && answer.text == "{}", "\(answer.text)")
            }
            try await body(observatory)
            // And once more from a part.
            try observatory.store.flush()
            try await body(observatory)
        }
    }

    private static func lines(
        _ observatory: TestObservatory, _ query: String, _ more: (String, String)...
    ) async throws -> [String] {
        let answer = try await observatory.get(
            "/loki/api/v1/query_range",
            [("query", query), ("start", "\(start)"), ("end", "\(end)"), ("limit", "1000")] + more)
        #expect(answer.status == 200, "\(query): \(answer.text)")
        #expect(answer.data["resultType"] == .string("streams"))
        return answer.data["result"]?.array?.flatMap { stream in
            stream["values"]?.array?.compactMap { $0.array?[1].string } ?? []
        } ?? []
    }

    @Test func `logs are selected by stream, line and field`() async throws {
        try await Self.run { observatory in
            let counts = [
                (#"{service_name="shop"}"#, 60), (#"{service_name=~"shop|mail"}"#, 72),
                (#"{service_name!="shop"}"#, 12),
                (#"{service_name="shop", level="error"}"#, 6), (#"{service_name="shop"} |= "failed""#, 6),
                (#"{service_name="shop"} |= "failed: \"no\" answer""#, 6),
                (#"{service_name="shop"} != "done" |~ "^shop [0-9]3 ""#, 5),
                (#"{service_name="shop"} !~ "done$" | json | logfmt | drop __error__"#, 6),
                (#"{service_name="shop"} | http_route="/r1""#, 20), (#"{service_name="shop"} | n=`7`"#, 1),
                (#"{host_name="h1"} | detected_level=~"error|fatal" | scope_name="lib""#, 7),
                (#"{service_name="shop"} | trace_id="4bf92f3577b34da6a3ce929d0e0e4736""#, 30),
                (#"{service_name="nobody"}"#, 0), ("{}", 72),
            ]
            for (query, count) in counts {
                let found = try await Self.lines(observatory, query)
                #expect(found.count == count, "\(query)")
            }
            let latest = try await Self.lines(observatory, #"{service_name="shop", level="info"}"#)
            #expect(latest.first == "shop 59 done")
            let first = try await Self.lines(
                observatory, #"{service_name="shop"}"#, ("direction", "forward"), ("step", "15000ms"))
            #expect(first.first == "shop 0 done")
        }
    }

    @Test func `metadata are told apart from labels where the client can`() async throws {
        try await Self.run { observatory in
            let parameters = [
                ("query", #"{service_name="shop"} |= "shop 13 ""#), ("start", "\(Self.start)"), ("end", "\(Self.end)"),
            ]
            var plain = try await observatory.get("/loki/api/v1/query_range", parameters)
            let merged = plain.data["result"]?.array?.first?["stream"]
            #expect(merged?["http_route"] == .string("/r1") && merged?["level"] == .string("error"))
            plain = try await observatory.get(
                "/loki/api/v1/query_range", parameters,
                headers: [("X-Loki-Response-Encoding-Flags", "categorize-labels")])
            let stream = plain.data["result"]?.array?.first
            #expect(
                stream?["stream"]
                    == .object([.init("level", .string("error")), .init("service_name", .string("shop"))]))
            let value = stream?["values"]?.array?.first?.array
            #expect(value?.first == .string("\(Self.start + 13_000_000_000)"))
            #expect(value?.last?["structuredMetadata"]?["n"] == .string("13"))
        }
    }

    @Test func `counts over time have their windows' ends`() async throws {
        try await Self.run { observatory in
            func ask(_ query: String, step: String = "10") async throws -> [String: [String]] {
                let answer = try await observatory.get(
                    "/loki/api/v1/query_range",
                    [
                        ("query", query), ("start", "\(Self.start + 9_000_000_000)"),
                        ("end", "\(Self.start + 39_000_000_000)"), ("step", step),
                    ],
                    post: true)
                #expect(answer.status == 200 && answer.data["resultType"] == .string("matrix"), "\(answer.text)")
                var found: [String: [String]] = [:]
                for series in answer.data["result"]?.array ?? [] {
                    let labels = series["metric"]?["level"]?.string ?? series["metric"]?["http_route"]?.string ?? ""
                    found[labels] = series["values"]?.array?.compactMap { $0.array?.last?.string }
                }
                return found
            }
            let levels = try await ask(#"sum by (level) (count_over_time({service_name="shop"}[10s]))"#)
            #expect(levels == ["info": ["9", "9", "9", "9"], "error": ["1", "1", "1", "1"]])
            let all = try await ask(#"sum(rate({service_name="shop"} |= "done" [10s]))"#)
            #expect(all == ["": ["0.9", "0.9", "0.9", "0.9"]])
            let routes = try await ask(
                #"sum(count_over_time({service_name="shop"}[30s])) by (http_route)"#, step: "30s")
            #expect(routes == ["/r0": ["4", "10"], "/r1": ["3", "10"], "/r2": ["3", "10"]])
            let bytes = try await ask(#"sum(bytes_over_time({service_name="mail"}[1m]))"#, step: "1m")
            #expect(bytes == ["": ["22"]])
            let instant = try await observatory.get(
                "/loki/api/v1/query",
                [
                    ("query", #"sum(count_over_time({service_name="shop"}[1m]))"#),
                    ("time", "\(Self.end / 1_000_000_000)"),
                ])
            #expect(instant.data["result"]?.array?.first?["value"]?.array == [.integer(1_800_000_060), .string("59")])
        }
    }

    @Test func `Grafana's probes and lists are answered`() async throws {
        try await Self.run { observatory in
            let health = try await observatory.get(
                "/loki/api/v1/query", [("query", "vector(1)+vector(1)"), ("time", "4000000000")])
            #expect(health.data["resultType"] == .string("vector"))
            #expect(health.data["result"]?.array?.first?["value"]?.array?.last == .string("2"))
            #expect(try await observatory.get("/loki/api/v1/labels").data.array?.count == 2)
            let services = try await observatory.get("/loki/api/v1/label/service_name/values")
            #expect(services.data.array == [.string("mail"), .string("shop")])
            let nothing = try await observatory.get("/loki/api/v1/label/nothing/values")
            #expect(nothing.data.array == [])
            let times = [("start", "\(Self.start)"), ("end", "\(Self.end)")]
            let series = try await observatory.get(
                "/loki/api/v1/series", [("match[]", #"{service_name="shop"}"#)] + times)
            #expect(series.data.array?.count == 2)
            let query = [("query", #"{service_name="shop"}"#)] + times
            #expect(try await observatory.get("/loki/api/v1/index/stats", query).json["entries"] == .integer(60))
            let fields = try await observatory.get("/loki/api/v1/detected_fields", query)
            let number = fields.json["fields"]?.array?.first { $0["label"] == .string("n") }
            #expect(number?["type"] == .string("int") && number?["cardinality"] == .integer(60))
            let values = try await observatory.get("/loki/api/v1/detected_field/http_route/values", query)
            #expect(values.json["values"]?.array == ["/r0", "/r1", "/r2"].map { .string($0) })
        }
    }

    @Test func `what is not understood is said where it stands`() async throws {
        try await Self.run { observatory in
            let queries = [
                "", "{", #"{a="b""#, #"{a="b"} | line_format "x""#, #"{a="b"} | n > 5"#, #"topk(3, rate({a="b"}[1m]))"#,
                #"count_over_time({a="b"})"#, #"count_over_time({a="b"}[soon])"#, #"{a=~"("}"#, #"{a="\q"}"#,
                "vector(x)",
                #"{a="b"} {c="d"}"#,
            ]
            for query in queries {
                let answer = try await observatory.get("/loki/api/v1/query_range", [("query", query)])
                #expect(answer.status == 400 && !answer.text.isEmpty, "\(query): \(answer.text)")
                #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
            }
            let instant = try await observatory.get("/loki/api/v1/query", [("query", #"{a="b"}"#)])
            #expect(instant.status == 400)
            // Whatever a number is, and however deep a query, it is answered.
            let odd: [[(String, String)]] = [
                [("query", #"count_over_time({service_name="shop"}[1000y])"#)], [("query", "{}"), ("since", "1000y")],
                [("query", #"count_over_time({}[1m])"#), ("step", "20000000000")],
                [("query", #"count_over_time({}[584y])"#), ("step", "10000000000")],
                [("query", "{}"), ("start", "99999999999999999999"), ("end", "1")], [("query", "{}"), ("limit", "0")],
                [("query", #"rate({}[1s])"#), ("start", "0"), ("end", "9223372036854775807"), ("step", "1")],
                [("query", String(repeating: "sum(", count: 200_000))],
            ]
            for parameters in odd {
                let answer = try await observatory.get("/loki/api/v1/query_range", parameters, post: true)
                #expect(
                    [200, 400].contains(answer.status), "\(parameters.first?.1.prefix(60) ?? ""): \(answer.status)")
            }
            var random = SeededGenerator(seed: 8)
            let pieces = [
                "{", "}", "a", "=", "\"x\"", "|", "sum", "(", ")", "by", "rate", "[1m]", "|=", "!~", "`", "\\", "é",
                "1", ",",
            ]
            for _ in 0..<5_000 {
                let text = (0..<Int.random(in: 1..<14, using: &random)).map { _ in
                    pieces[Int.random(in: pieces.indices, using: &random)]
                }
                _ = try? LogExpression(parsing: text.joined())
            }
        }
    }

    /// What a client of other people's making has been told, line by line.
    private static func tail(
        _ observatory: TestObservatory, _ query: String, _ count: Int, _ headers: String...,
        meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> [String] {
        let address = "ws://127.0.0.1:\(observatory.port)\(query)"
        async let told = Python.run("tail.py", [address, "\(count)"] + headers)
        try await meanwhile()
        let answer = try await told
        #expect(answer.status == 0, "\(answer.errors)")
        return answer.output.split(separator: "\n").map(String.init)
    }

    private static func record(_ body: String, at time: UInt64) -> String {
        """
        {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeLogs":[{"logRecords":[{"timeUnixNano":"\(time)","severityNumber":9,"body":{"stringValue":"\(body)"}}]}]}]}
        """
    }

    @Test(.enabled(if: Python.isInstalled, "needs the environment that the test command fills from PyPI"))
    func `logs are tailed: the latest that there are, then each that comes, late ones too`() async throws {
        try await TestObservatory.run(now: Int64(Self.end / 1_000_000)) { observatory in
            for number in 0..<5 {
                _ = try await observatory.otlp(
                    Self.record("done \(number)", at: Self.start + UInt64(number)), .logs)
            }
            let query = "/loki/api/v1/tail?query=%7Bservice_name%3D%22shop%22%7D%20%7C%3D%20%22done%22&limit=3"
            let told = try await Self.tail(observatory, query, 6) {
                // Once it has begun; what comes before that is among the first.
                while observatory.store.logTails.count == 0 { try await Task.sleep(for: .milliseconds(10)) }
                for (body, time) in [
                    ("done late", Self.start - 60_000_000_000), ("failed", Self.end), ("done now", Self.end),
                    ("done again", Self.end),
                ] {
                    _ = try await observatory.otlp(Self.record(body, at: time), .logs)
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
            let bodies = told.dropFirst().compactMap { line in
                (try? JSON.parse(Array(line.utf8)))?.array?.last?.string
            }
            #expect(told.first == "open")
            #expect(bodies == ["done 2", "done 3", "done 4", "done late", "done now", "done again"], "\(told)")
            #expect(told.last?.contains(#""service_name": "shop""#) == true)
            while observatory.store.logTails.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    @Test(.enabled(if: Python.isInstalled, "needs the environment that the test command fills from PyPI"))
    func `a connection is what its first request makes of it, however its bytes are cut`() async throws {
        try await TestObservatory.run { observatory in
            let told = try await Python.run("door.py", ["\(observatory.port)"])
            #expect(told.status == 0, "\(told.errors)")
            let (live, ok, bad) = ("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request")
            #expect(
                told.output.split(separator: "\n").map(String.init) == [
                    "whole \(live)", "by bytes \(live)", "no upgrade \(bad)", "no key \(bad)", "another path \(ok)",
                    "another upgrade \(ok)", "a body \(ok)", "a long head \(bad)", "no HTTP \(bad)", "half 0 0",
                    "half 3 0", "half 25 0", "half 90 0",
                ])
            #expect(try await observatory.get("/loki/api/v1/labels").status == 200)
        }
    }

    @Test(.enabled(if: Python.isInstalled, "needs the environment that the test command fills from PyPI"))
    func `a tail is refused to who has no token, to pages of other sites, and for what is no list of lines`()
        async throws
    {
        let query = "/loki/api/v1/tail?query=%7Bservice_name%3D%22shop%22%7D"
        try await TestObservatory.run(access: ObservatoryAccess(operatorToken: "secret")) { observatory in
            #expect(try await Self.tail(observatory, query, 1) == ["refused 401"])
            #expect(try await Self.tail(observatory, query, 1, "Authorization=Bearer no") == ["refused 401"])
            let told = try await Self.tail(observatory, query, 0, "Authorization=Bearer secret")
            #expect(told == ["open"])
        }
        try await TestObservatory.run { observatory in
            #expect(try await Self.tail(observatory, query, 0) == ["open"])
            #expect(try await Self.tail(observatory, query, 0, "Origin=https://evil.example") == ["refused 400"])
            let own = "Origin=http://127.0.0.1:\(observatory.port)"
            #expect(try await Self.tail(observatory, query, 0, own) == ["open"])
            let count = "/loki/api/v1/tail?query=sum(count_over_time(%7Bservice_name%3D%22shop%22%7D%5B1m%5D))"
            #expect(try await Self.tail(observatory, count, 1) == ["refused 400"])
            // By plain HTTP, which says why not.
            let plain = try await observatory.get("/loki/api/v1/tail", [("query", #"{service_name="shop"}"#)])
            #expect(plain.status == 400 && plain.text.contains("WebSocket"))
            let none = try await observatory.get("/loki/api/v1/tail")
            #expect(none.status == 400 && none.text.contains("query"))
        }
    }
}
