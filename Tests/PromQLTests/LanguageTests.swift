// SPDX-License-Identifier: Apache-2.0

import PromQL
import Telemetry
import Testing

@testable import PromQL

/// What version 3 says, and what every version refuses.
struct LanguageTests {
    private static func failures(_ script: String, _ semantics: Semantics = .v3) throws -> [String] {
        var runner = QueryScript(semantics)
        try runner.run(script)
        #expect(runner.evaluations > 0)
        return runner.failures
    }

    @Test func `a range and the time to look back leave their first moment out`() throws {
        #expect(
            try Self.failures(
                """
                load 10s
                  metric 1 2 3 4

                eval instant at 20s count_over_time(metric[10s])
                  {} 1

                eval instant at 20s count_over_time(metric[10001ms])
                  {} 2

                eval instant at 5m29s999ms metric
                  metric 4

                eval instant at 5m30s metric

                eval instant at 30s count_over_time(metric[20s:10s])
                  {} 2
                """
            ).isEmpty)
    }

    @Test func `version 3 writes durations as numbers and names in quotes`() throws {
        #expect(
            try Self.failures(
                """
                load 1m
                  {"http.requests", "service.name"="shop"} 1 2 3

                eval instant at 2m {"http.requests", "service.name"="shop"}
                  {"http.requests", "service.name"="shop"} 3

                eval instant at 2m sum by ("service.name") (count_over_time({"http.requests"}[120]))
                  {"service.name"="shop"} 2

                eval instant at 2m 5m + 1_000
                  1300

                eval instant at 2m max_over_time({"http.requests"}[1h]) atan2 0
                  {"service.name"="shop"} 1.5707963267948966
                """
            ).isEmpty)
    }

    @Test func `functions of version 3 hold`() throws {
        #expect(
            try Self.failures(
                """
                load 10s
                  metric{node="node-2"} 4 6 2 1 999 1 2
                  metric{node="node-10"} 1 1 1 1 1 1 7

                eval instant at 70s mad_over_time(metric{node="node-2"}[70001ms])
                  {node="node-2"} 1

                eval instant at 70s first_over_time(metric[25s])
                  metric{node="node-2"} 1
                  metric{node="node-10"} 1

                eval instant at 70s ts_of_max_over_time(metric[2m])
                  {node="node-2"} 40
                  {node="node-10"} 60

                eval instant at 70s ts_of_min_over_time(metric[2m])
                  {node="node-2"} 50
                  {node="node-10"} 50

                eval_ordered instant at 70s sort_by_label(metric, "node")
                  metric{node="node-2"} 2
                  metric{node="node-10"} 7

                eval instant at 70s count(limitk(1, metric))
                  {} 1

                eval instant at 70s count(limit_ratio(0.5, metric) or limit_ratio(-0.5, metric))
                  {} 2
                """
            ).isEmpty)
    }

    @Test func `series get what is said of who sends them`() throws {
        #expect(
            try Self.failures(
                """
                load 10s
                  hits_total{job="shop",instance="a",route="/"} 1+1x6
                  hits_total{job="shop",instance="b",route="/"} 2+2x6
                  hits_total{job="mail",instance="a",version="own"} 3+3x6
                  target_info{job="shop",instance="a",version="1",region="eu"} 1 1 1 _ _ _ _
                  target_info{job="shop",instance="a",version="2",region="eu"} _ _ _ 1 1 1 1
                  target_info{job="mail",instance="a",version="9",region="us"} 1+0x6
                  build_info{job="shop",instance="b",commit="c0ffee"} 1+0x6

                eval instant at 10s info(hits_total)
                  hits_total{job="shop",instance="a",route="/",version="1",region="eu"} 2
                  hits_total{job="shop",instance="b",route="/"} 4
                  hits_total{job="mail",instance="a",version="own",region="us"} 6

                eval instant at 30s info(hits_total{job="shop"})
                  hits_total{job="shop",instance="a",route="/",version="2",region="eu"} 4
                  hits_total{job="shop",instance="b",route="/"} 8

                eval instant at 10s info(hits_total, {region=~"e.*"})
                  hits_total{job="shop",instance="a",route="/",region="eu"} 2

                eval instant at 10s info(hits_total, {__name__="build_info", commit!="x"})
                  hits_total{job="shop",instance="a",route="/"} 2
                  hits_total{job="shop",instance="b",route="/",commit="c0ffee"} 4
                  hits_total{job="mail",instance="a",version="own"} 6

                eval instant at 30s sum by (region) (info(rate(hits_total[20s])))
                  {region="eu"} 0.1
                  {} 0.2
                  {region="us"} 0.3

                eval instant at 10s info(target_info{job="mail"})
                  target_info{job="mail",instance="a",version="9",region="us"} 1

                eval instant at 10s info(target_info, {region="us"})
                  target_info{job="mail",instance="a",version="9",region="us"} 1

                eval instant at 10s info(sum(hits_total))
                  {} 12

                eval instant at 10s info(nosuch)
                """
            ).isEmpty)
    }

    @Test(arguments: [
        ("info(up, sum(up))", 1, 10, "label selectors"), ("info(up, {a=\"b\"} offset 1m)", 1, 10, "label selectors"),
        ("sum(", 1, 5, "end of input"), ("foo{", 1, 5, "end of input"), ("foo{bar=}", 1, 9, "expected string"),
        ("foo\n  + )", 2, 5, "unexpected \")\""), ("rate(foo)", 1, 6, "range vector"), ("nosuch(1)", 1, 1, "nosuch"),
        ("1 > 2", 1, 3, "BOOL"), ("foo[5m] + 1", 1, 1, "binary"), ("{x=\"\"}", 1, 1, "non-empty"),
        ("foo{a=~\"(\"}", 1, 5, "regexp"), ("foo[0s]", 1, 5, "greater than 0"), ("\"a", 1, 1, "unterminated"),
        ("foo and 1", 1, 5, "set operator"), ("sum(foo, 2)", 1, 1, "number of arguments"), ("5mm", 1, 1, "duration"),
        ("foo offset 5m offset 5m", 1, 24, "multiple times"), ("a + on(b) group_left(b) c", 1, 11, "at once"),
        ("-\"a\"", 1, 2, "unary"), ("foo @ bar", 1, 7, "@"), ("foo{__name__=\"bar\"}", 1, 1, "twice"),
    ])
    func `what cannot be understood is refused with its place`(query: String, line: Int, column: Int, words: String) {
        do {
            _ = try QueryEngine().parse(query)
            Issue.record("\(query) was understood")
        } catch {
            #expect(error.line == line && error.column == column, "\(error)")
            #expect(error.message.contains(words), "\(error)")
        }
    }

    @Test func `expressions within each other end before the stack does`() {
        let query = String(repeating: "(", count: 100_000) + "1" + String(repeating: ")", count: 100_000)
        #expect(throws: QuerySyntaxError.self) { try QueryEngine().parse(query) }
        #expect(throws: QuerySyntaxError.self) { try QueryEngine().parse(String(repeating: "-", count: 100_000) + "1") }
        #expect(throws: QuerySyntaxError.self) { try QueryEngine().parse(String(repeating: "sum(", count: 100_000)) }
    }

    @Test func `a chain of operators ends before the stack does`() throws {
        let chain = "1" + String(repeating: "+1", count: 500)
        let engine = QueryEngine()
        #expect(try Self.failures("eval instant at 0s \(chain)\n  501").isEmpty)
        #expect(try engine.parse(chain).text.count > 1_000)
        #expect(throws: QuerySyntaxError.self) { try engine.parse(chain + "+1") }
        #expect(throws: QuerySyntaxError.self) { try engine.parse(String(repeating: "a", count: 300_000)) }
    }

    @Test(arguments: [
        "up @ 8999999999999 offset -200000y", "up[200000y] @ -8999999999999", "up offset 200000y",
        "max_over_time(max_over_time(up[200000y:200000y])[200000y:200000y])", "up @ 9e99", "up[9999999999999999y]",
        "up offset -285000y285000w285000d", "max_over_time(up[285000y:1ms])",
    ])
    func `times at the end of the world are answered or refused, never the end of the process`(query: String) {
        let engine = QueryEngine()
        let source = TableSource()
        source.add(LabelSet([MetricLabel(LabelSet.name, "up")]), SampleColumns(times: [0, 1], values: [1, 2]))
        for time in [0, 9_000_000_000_000_000, -9_000_000_000_000_000] as [Int64] {
            _ = try? engine.instant(engine.parse(query), at: time, on: source)
            _ = try? engine.range(
                engine.parse(query), from: -9_000_000_000_000_000, through: time, step: 9_000_000_000_000_000,
                on: source)
        }
    }

    @Test(arguments: [
        (1e21, "1000000000000000000000"), (1.5e-7, "0.00000015"), (-0.0, "-0"), (123456.789, "123456.789"),
        (.nan, "NaN"),
        (-.infinity, "-Inf"), (1e15, "1000000000000000"), (0.1 + 0.2, "0.30000000000000004"),
        (-2.5e-10, "-0.00000000025"),
        (1.7976931348623157e308, "17976931348623157" + String(repeating: "0", count: 292)),
    ])
    func `numbers are written without exponent`(value: Double, text: String) {
        #expect(SampleText.of(value) == text)
    }
}

/// A query takes no more than it may.
struct QueryLimitTests {
    private static let many: TableSource = {
        let source = TableSource()
        for instance in 0..<2_000 {
            source.add(
                LabelSet([MetricLabel(LabelSet.name, "metric"), MetricLabel("instance", String(instance))]),
                SampleColumns(times: [0, 60_000], values: [1, 2]))
        }
        return source
    }()

    private static func range(_ query: String, _ settings: QueryEngine.Settings, _ steps: Int64) throws -> Int {
        let engine = QueryEngine(settings)
        return try engine.range(engine.parse(query), from: 0, through: steps - 1, step: 1, on: many).count
    }

    @Test func `a query that would hold too much is refused, one that streams is answered`() throws {
        var settings = QueryEngine.Settings()
        settings.bytesMax = 4 << 20
        #expect(throws: EvaluationError.tooMuchMemory(bytes: 4 << 20)) { try Self.range("metric", settings, 1_000) }
        #expect(throws: EvaluationError.tooMuchMemory(bytes: 4 << 20)) {
            try Self.range("topk(1, metric)", settings, 1_000)
        }
        #expect(try Self.range("sum(metric)", settings, 1_000) == 1)
    }

    @Test func `a query that would read too many samples is refused`() throws {
        var settings = QueryEngine.Settings()
        settings.samplesMax = 100
        #expect(throws: EvaluationError.tooManySamples(100)) { try Self.range("sum(metric)", settings, 1) }
        #expect(throws: EvaluationError.tooManySamples(100)) {
            try Self.range("max_over_time(vector(1)[1h:1s])", settings, 1)
        }
    }

    @Test func `a query that nobody waits for ends`() throws {
        let engine = QueryEngine()
        #expect(throws: EvaluationError.cancelled) {
            try engine.instant(engine.parse("sum(metric)"), at: 0, on: Self.many, isCancelled: { true })
        }
    }
}
