// SPDX-License-Identifier: Apache-2.0

import PromQL
import Telemetry
import Testing

@testable import PromQL

/// What Prometheus 3 has switched off unless it is asked for.
struct ExtensionTests {
    private static func failures(_ script: String) throws -> [String] {
        var runner = QueryScript(.v3)
        try runner.run(script)
        #expect(runner.evaluations > 0)
        return runner.failures
    }

    @Test func `durations are computed, and an offset ends before an operator`() throws {
        #expect(
            try Self.failures(
                """
                load 10s
                  beats 0+1x300

                eval instant at 1000s count_over_time(beats[1m+30s])
                  {} 9

                eval instant at 1000s count_over_time(beats[-10s + 2 * (20s + 15)])
                  {} 6

                eval instant at 1000s count_over_time(beats[1m1s % 31s])
                  {} 3

                eval instant at 1000s count_over_time(beats[2 ^ 3 ^ 0 * 1m : 10s + 5s * 2])
                  {} 6

                eval instant at 1000s count_over_time(beats[max_of(1m, min_of(2m, 3 * 30s))])
                  {} 9

                eval instant at 1000s beats offset (100 / 2)
                  beats 95

                eval instant at 1000s beats offset 100 / 2
                  {} 45

                eval instant at 1000s beats offset -50 * 2
                  {} 210

                eval instant at 1000s beats offset -(50 * 2)
                  beats 110

                eval instant at 1000s max_over_time(beats[1m:1m - 50s] offset (1m - 20s))
                  {} 96

                eval_fail instant at 1000s count_over_time(beats[1m - step() - 60])
                """
            ).isEmpty)
    }

    @Test func `durations and scalars know the times of the whole query`() throws {
        let source = TableSource()
        var samples = SampleColumns()
        for time in 0...100 { samples.append(Int64(time) * 1_000, Double(time)) }
        source.add(LabelSet([MetricLabel(LabelSet.name, "beats")]), samples)
        let engine = QueryEngine()
        func values(_ query: String) throws -> [Double] {
            let series = try engine.range(
                engine.parse(query), from: 50_000, through: 60_000, step: 5_000, on: source)
            return try #require(series.first).samples.values
        }
        #expect(try values("count_over_time(beats[step()])") == [5, 5, 5])
        #expect(try values("count_over_time(beats[RANGE() + 1])") == [11, 11, 11])
        #expect(try values("beats offset step()") == [45, 50, 55])
        #expect(try values("beats offset -step() * 2") == [110, 120, 130])
        #expect(try values("beats offset (-step() * 2)") == [60, 65, 70])
        #expect(try values("max_over_time(beats[range()] @ end())") == [60, 60, 60])
        // A subquery has steps of its own, and what it asks for is still the whole query's.
        #expect(try values("max_over_time((vector(step()))[10s:1s])") == [5, 5, 5])
        #expect(try values("(start() + end() + step() + range()) + 0 * time()") == [125, 125, 125])
        guard
            case .scalar(let value) = try engine.instant(
                engine.parse("end() - start() + step() + range()"), at: 50_000, on: source)
        else { return #expect(Bool(false), "no scalar") }
        #expect(value == 0)
    }

    @Test func `a side that has no series for the other has what it is filled with`() throws {
        #expect(
            try Self.failures(
                """
                load 1m
                  sold{shop="a"} 10 10
                  sold{shop="b"} 20 _
                  back{shop="b"} 1 1
                  back{shop="c"} 2 2
                  limit{} 100 100
                  share{shop="a", kind="x"} 3 3
                  share{shop="a", kind="y"} 4 4
                  share{shop="d", kind="x"} 5 5
                  size{shop="a", owner="me"} 30 30
                  size{shop="e", owner="you"} 40 40

                eval instant at 0m sold - fill(0) back
                  {shop="a"} 10
                  {shop="b"} 19
                  {shop="c"} -2

                eval instant at 0m sold - fill_right(-1) back
                  {shop="a"} 11
                  {shop="b"} 19

                eval instant at 0m sold > fill_left(3) back
                  sold{shop="b"} 20
                  {shop="c"} 3

                eval instant at 0m sold == bool fill_left(2) fill_right(10) back
                  {shop="a"} 1
                  {shop="b"} 0
                  {shop="c"} 1

                eval instant at 0m share / on(shop) group_left(owner) fill(1) size
                  {shop="a", kind="x", owner="me"} 0.1
                  {shop="a", kind="y", owner="me"} 0.13333333333
                  {shop="d", kind="x"} 5
                  {shop="e", owner="you"} 0.025

                eval instant at 0m size - on(shop) group_right fill_left(9) share
                  {shop="a", kind="x"} 27
                  {shop="a", kind="y"} 26
                  {shop="d", kind="x"} 4

                eval_fail instant at 0m share + on(shop) fill(0) size

                eval instant at 0m share + ignoring(kind) group_left(owner) fill(0) size{shop="a", owner="me"}
                  {shop="a", kind="x"} 3
                  {shop="a", kind="y"} 4
                  {shop="d", kind="x"} 5
                  {shop="a", owner="me"} 30

                eval instant at 0m size * ignoring(owner) group_right(kind) fill_left(2) share{kind="y"}
                  {shop="a", kind="y"} 8

                eval_fail instant at 0m sold + fill(back) back

                eval_fail instant at 0m sold + fill(1) fill_left(2) back

                eval_fail instant at 0m sold and fill(1) back

                eval_fail instant at 0m sold + fill(1) 2
                """
            ).isEmpty)
        // A series that comes and goes is filled in while it is away.
        var runner = QueryScript(.v3)
        try runner.run(
            """
            load 6m
              sold{shop="a"} 10 _ 30
              back{shop="a"} _ 2 3

            eval instant at 0m sold - fill(0) back
              {shop="a"} 10

            eval instant at 6m sold - fill(0) back
              {shop="a"} -2

            eval instant at 12m sold - fill(0) back
              {shop="a"} 27
            """)
        #expect(runner.failures.isEmpty)
    }

    @Test func `the bounds of a range have the values beside them`() throws {
        #expect(
            try Self.failures(
                """
                load 20s
                  clicks 2 4 6 1 3
                  level 10 30 0 20 20

                eval instant at 50s increase(clicks[30s] anchored)
                  {} 2

                eval instant at 70s increase(clicks[50s] anchored)
                  {} 3

                eval instant at 70s rate(clicks[50s] anchored)
                  {} 0.06

                eval instant at 50s increase(clicks[30s] smoothed)
                  {} 2.5

                eval instant at 59s increase(clicks[10s] smoothed)
                  {} 0.5

                eval instant at 50s delta(level[40s] smoothed)
                  {} -10

                eval instant at 50s delta(level[40s] anchored)
                  {} -10

                eval instant at 70s changes(level[40s] anchored)
                  {} 2

                eval instant at 90s changes(level[5s] anchored)

                eval instant at 70s resets(clicks[40s] anchored)
                  {} 1

                eval instant at 10s increase(clicks[20s] smoothed)
                  {} 1

                eval instant at 30s level smoothed
                  level 15

                eval instant at 40s level smoothed
                  level 0

                eval instant at 95s level smoothed offset 5s
                  level 20

                eval instant at 15s timestamp(level smoothed)
                  {} 15

                eval instant at 6m30s level smoothed

                clear

                load 20s
                  limit 1 +Inf 3

                eval instant at 0s limit smoothed
                  limit 1

                eval instant at 10s limit smoothed
                  limit +Inf

                eval_fail instant at 50s deriv(level[30s] smoothed)

                eval_fail instant at 50s resets(level[30s] smoothed)

                eval_fail instant at 50s max_over_time(level[30s] anchored)

                eval_fail instant at 50s level anchored

                eval_fail instant at 50s level[30s] smoothed
                """
            ).isEmpty)
    }

    @Test func `one query asks for several ranks of a histogram`() throws {
        #expect(
            try Self.failures(
                """
                load 1m
                  took_bucket{shop="a", le="1"} 10
                  took_bucket{shop="a", le="2"} 20
                  took_bucket{shop="a", le="+Inf"} 20

                eval instant at 0m histogram_quantiles(took_bucket, "rank", 0.25, 0.75)
                  {shop="a", rank="0.25"} 0.5
                  {shop="a", rank="0.75"} 1.5

                eval instant at 0m histogram_quantiles(took_bucket, "rank", 0, 1, NaN, 0.00001, scalar(vector(0.25)))
                  {shop="a", rank="0.0"} 0
                  {shop="a", rank="1.0"} 2
                  {shop="a", rank="NaN"} NaN
                  {shop="a", rank="1e-05"} 0.00002
                  {shop="a", rank="0.25"} 0.5

                eval_fail instant at 0m histogram_quantiles(took_bucket, "rank")

                eval_fail instant at 0m histogram_quantiles(took_bucket, "r", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                """
            ).isEmpty)
    }

    @Test func `a rank may be another at the next step, and ten of them cost no more samples than one`() throws {
        let source = TableSource()
        for (bound, count) in [("1", 10.0), ("+Inf", 20)] {
            var samples = SampleColumns()
            for time in 0...10 { samples.append(Int64(time) * 1_000, count) }
            source.add(LabelSet([MetricLabel(LabelSet.name, "took_bucket"), MetricLabel("le", bound)]), samples)
        }
        var settings = QueryEngine.Settings()
        settings.samplesMax = 30
        let engine = QueryEngine(settings)
        func ask(_ ranks: String) throws -> [String] {
            let query = try engine.parse("histogram_quantiles(took_bucket, \"q\", \(ranks))")
            return try engine.range(query, from: 0, through: 2_000, step: 1_000, on: source).map {
                "\($0.labels["q"]) \($0.samples.values)"
            }
        }
        #expect(try ask("time() / 4") == ["0.0 [0.0]", "0.25 [0.5]", "0.5 [1.0]"])
        #expect(try ask("0.05,0.1,0.15,0.2,0.25,0.3,0.35,0.4,0.45,0.5").count == 10)
        #expect(try ask("NaN + 0 * time()") == ["NaN [nan, nan, nan]"])
    }

    @Test(arguments: [
        "max_over_time((1 + (1 + time()))[200s:1ms])",
        "max_over_time(histogram_quantiles(nosuch, \"q\", 0.1, 0.2)[200s:1ms])",
    ])
    func `scalars are held by the budget, too`(query: String) throws {
        var settings = QueryEngine.Settings()
        settings.bytesMax = 1 << 20
        let engine = QueryEngine(settings)
        #expect(throws: EvaluationError.tooMuchMemory(bytes: 1 << 20)) {
            try engine.instant(engine.parse(query), at: 60_000_000, on: TableSource())
        }
    }

    @Test(arguments: [
        "count_over_time(beats[5m * 2 + step()])", "beats offset (-step() * 2)", "beats offset -5m",
        "rate(beats[max_of(step(), 1m)] anchored)", "beats smoothed offset 1m", "beats[1h:step()]",
        "a + fill (0) b", "a - on (x) group_left () fill_left (1) fill_right (-2) b", "start() + end()",
    ])
    func `a query is written as it was read`(query: String) throws {
        let text = try QueryEngine().parse(query).text
        #expect(text == query)
        #expect(try QueryEngine().parse(text).text == text)
    }

    @Test(arguments: [
        "a[0]", "a[-5m]", "a[5m / 0]", "a[1e20]", "a offset (1 % 0)", "a[step]", "a[min_of(1m)]", "a[5m +]",
        "a[1m atan2 2]", "a[1m == 2]", "a[\"1m\"]", "a[" + String(repeating: "(", count: 500) + "1",
    ])
    func `what is no duration is refused`(query: String) {
        #expect(throws: QuerySyntaxError.self) { try QueryEngine().parse(query) }
    }

    @Test(arguments: [
        "a[5m * 2]", "a offset (5m)", "a offset step()", "a smoothed", "a + fill(0) b", "step() + 1",
        "histogram_quantiles(a, \"q\", 0.5)",
    ])
    func `version 2 knows none of it`(query: String) {
        var settings = QueryEngine.Settings()
        settings.semantics = .v2
        #expect(throws: QuerySyntaxError.self) { try QueryEngine(settings).parse(query) }
    }
}
