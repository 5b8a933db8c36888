// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Queries of every kind over the series of ``RandomSeries``.
package struct RandomQueries {
    package var generator: SeededGenerator

    package init(generator: SeededGenerator) { self.generator = generator }

    private mutating func one(of choices: String...) -> String { choices.randomElement(using: &generator) ?? "" }
    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    /// An instant vector.
    package mutating func vector(_ depth: Int = 3) -> String {
        if depth == 0 || chance(12) { return selector() }
        switch Int.random(in: 0..<13, using: &generator) {
        case 0...2: return rangeFunction(depth)
        case 3...4: return aggregation(depth)
        case 5: return mapping(depth)
        case 6...7: return arithmetic(depth)
        case 8: return comparison(depth)
        case 9: return sets(depth)
        case 10: return "histogram_quantile(\(one(of: "0.5", "0.9", "0.99", "1.1", "0")), \(buckets()))"
        case 11: return labels(depth)
        default: return grouped()
        }
    }

    private mutating func selector() -> String {
        let metric = one(of: "requests_total", "load", "errors_total", "temperature", "nothing")
        let matchers = one(
            of: "", "", "{job=\"a\"}", "{job!=\"a\"}", "{instance=~\"[12]\"}", "{zone!~\"e.*\"}", "{zone=\"\"}",
            "{job=\"b\",instance=\"1\"}")
        return metric + matchers + shift()
    }

    private mutating func shift() -> String {
        chance(12) ? one(of: " offset 1m", " offset -2m", " @ 1700000900", " @ end()", " @ start() offset 30s") : ""
    }

    /// A range vector; what a subquery evaluates is anything where nothing is given.
    private mutating func range(_ depth: Int, of inner: String? = nil) -> String {
        if chance(25) {
            let step = one(of: "", "15s", "1m", "7s")
            return "(\(inner ?? vector(depth - 1)))[\(one(of: "5m", "10m", "2m")):\(step)]" + shift()
        }
        let metric = one(of: "requests_total", "load", "errors_total", "temperature")
        let matcher = one(of: "", "{job=\"a\"}", "{instance!=\"3\"}")
        return "\(metric)\(matcher)[\(one(of: "1m", "5m", "90s", "10m", "37s"))]" + shift()
    }

    private mutating func rangeFunction(_ depth: Int) -> String {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return "quantile_over_time(\(one(of: "0.1", "0.5", "0.95")), \(range(depth)))"
        // Without `@`, after which version 2 lets the range move with the steps.
        case 1:
            return
                "predict_linear(\(one(of: "load", "requests_total"))[\(one(of: "5m", "90s"))], \(one(of: "60", "3600")))"
        case 2: return "holt_winters(\(range(depth)), 0.5, 0.3)"
        case 3...6:
            // Whether a counter fell is asked of samples themselves, because what is computed differs in its last digits.
            let name = one(of: "rate", "increase", "irate", "delta", "idelta", "resets", "changes")
            return "\(name)(\(range(depth, of: selector())))"
        default:
            let name = one(
                of: "sum", "avg", "min", "max", "count", "last", "stddev", "stdvar", "present", "absent")
            return "\(name)_over_time(\(range(depth)))"
        }
    }

    private mutating func grouping() -> String {
        one(of: "", "by (job)", "by (job, zone)", "without (instance)", "by (missing)", "without (job, le)")
    }

    private mutating func aggregation(_ depth: Int) -> String {
        switch Int.random(in: 0..<8, using: &generator) {
        // Of values that differ, because who comes first among equals is anybody's choice.
        case 0: return "\(one(of: "topk", "bottomk")) \(grouping()) (2, \(one(of: "load", "temperature offset 1m")))"
        case 1: return "quantile \(grouping()) (\(one(of: "0.2", "0.5", "0.9")), \(vector(depth - 1)))"
        case 2: return "count_values \(grouping()) (\"value\", \(one(of: "floor", "sgn"))(\(selector())))"
        default:
            let name = one(of: "sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")
            return "\(name) \(grouping()) (\(vector(depth - 1)))"
        }
    }

    /// What jumps between neighbours is asked of samples themselves, because what is computed differs in its last digits.
    private mutating func mapping(_ depth: Int) -> String {
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: return "clamp(\(vector(depth - 1)), 1, 50)"
        case 1: return "round(\(selector()), 0.5)"
        case 2: return "timestamp(\(vector(depth - 1)))"
        case 3:
            return "\(one(of: "hour", "minute", "day_of_week", "month", "year", "day_of_year"))(\(selector()) * 100000)"
        case 4: return "absent(\(vector(depth - 1)))"
        case 5: return "\(one(of: "ceil", "floor", "sgn"))(\(selector()))"
        default:
            return "\(one(of: "abs", "sqrt", "ln", "log2", "exp", "-", "deg", "atan", "sort"))(\(vector(depth - 1)))"
        }
    }

    private mutating func number() -> String {
        one(of: "2", "-1.5", "1e3", "0", "time()", "scalar(load{job=\"a\",instance=\"1\"})")
    }

    private mutating func arithmetic(_ depth: Int) -> String {
        if chance(15) { return "\(selector()) % \(one(of: "7", "-2.5"))" }
        let name = one(of: "+", "-", "*", "/")
        // Small powers: version 2 makes no number of sums that overflow, where version 3 has infinity.
        if chance(15) { return "(\(vector(depth - 1))) ^ \(one(of: "2", "0.5", "-1"))" }
        if chance(40) {
            return chance(50)
                ? "\(vector(depth - 1)) \(name) \(number())" : "\(number()) \(name) (\(vector(depth - 1)))"
        }
        let matching = one(of: "", "", "on (job, instance)", "ignoring (zone)", "ignoring (le)")
        return "(\(vector(depth - 1))) \(name) \(matching) (\(vector(depth - 1)))"
    }

    private mutating func comparison(_ depth: Int) -> String {
        let name = one(of: ">", "<", ">=", "<=", "==", "!=") + one(of: "", " bool")
        if chance(50) { return "(\(vector(depth - 1))) \(name) \(number())" }
        return
            "(\(vector(depth - 1))) \(name) \(one(of: "", "on (job, instance)", "ignoring (zone)")) (\(vector(depth - 1)))"
    }

    private mutating func sets(_ depth: Int) -> String {
        let name = one(of: "and", "or", "unless") + one(of: "", " on (job)", " ignoring (zone, instance)")
        return "(\(vector(depth - 1))) \(name) (\(vector(depth - 1)))"
    }

    private mutating func grouped() -> String {
        let side = one(of: "group_left", "group_right")
        let many = "rate(requests_total[5m])"
        let one = "sum by (job) (load)"
        let include = self.one(of: "", "(zone)")
        return side == "group_left"
            ? "\(many) / on (job) group_left \(include) \(one)" : "\(one) / on (job) group_right \(include) \(many)"
    }

    private mutating func buckets() -> String {
        one(
            of: "latency_bucket", "rate(latency_bucket[5m])", "sum by (le) (rate(latency_bucket[2m]))",
            "sum by (job, le) (increase(latency_bucket[5m]))")
    }

    private mutating func labels(_ depth: Int) -> String {
        if chance(50) { return "label_join(\(vector(depth - 1)), \"joined\", \"-\", \"job\", \"instance\")" }
        return
            "label_replace(\(vector(depth - 1)), \"\(one(of: "copy", "job"))\", \"x-$1\", \"instance\", \"\(one(of: "(.*)", "([12])", "a"))\")"
    }
}

/// Counters that are reset, gauges, histograms; with gaps, and with times that are often on a step.
package enum RandomSeries {
    package static let start: Int64 = 1_700_000_000_000
    package static let end = start + 1_800_000

    package static func make(seed: UInt64) -> [(metric: String, series: [(LabelSet, SampleColumns)])] {
        var generator = SeededGenerator(seed: seed)
        return ["requests_total", "errors_total", "load", "temperature"].map { metric in
            var series: [(LabelSet, SampleColumns)] = []
            for job in ["a", "b"] {
                for instance in 1...3 {
                    let zone = instance == 3 ? "" : ["east", "west"].randomElement(using: &generator) ?? ""
                    let labels = LabelSet([
                        MetricLabel(LabelSet.name, metric), MetricLabel("job", job),
                        MetricLabel("instance", String(instance)), MetricLabel("zone", zone),
                    ])
                    series.append((labels, samples(isCounter: metric.hasSuffix("_total"), &generator)))
                }
            }
            return (metric, series)
        } + [("latency_bucket", histograms(&generator))]
    }

    private static func times(_ generator: inout SeededGenerator) -> [Int64] {
        var (times, time) = ([Int64](), start)
        while time <= end {
            // Scraped every 15 s, now and then late by some milliseconds, with gaps of up to eight minutes.
            times.append(
                time
                    + (Int.random(in: 0..<3, using: &generator) == 0 ? Int64.random(in: 0...900, using: &generator) : 0)
            )
            time += 15_000
            if Int.random(in: 0..<60, using: &generator) == 0 {
                time += Int64.random(in: 1...32, using: &generator) * 15_000
            }
        }
        return times
    }

    private static func samples(isCounter: Bool, _ generator: inout SeededGenerator) -> SampleColumns {
        var (samples, value) = (SampleColumns(), Double.random(in: 0...100, using: &generator))
        for time in times(&generator) {
            if isCounter {
                value += Double.random(in: 0...20, using: &generator)
                if Int.random(in: 0..<40, using: &generator) == 0 {
                    value = Double.random(in: 0...3, using: &generator)
                }
            } else {
                value += Double.random(in: -10...10, using: &generator)
            }
            samples.append(time, value)
        }
        return samples
    }

    private static func histograms(_ generator: inout SeededGenerator) -> [(LabelSet, SampleColumns)] {
        var series: [(LabelSet, SampleColumns)] = []
        for job in ["a", "b"] {
            let bounds = ["0.1", "0.5", "1", "5", "+Inf"]
            var columns = Array(repeating: SampleColumns(), count: bounds.count)
            var counts = Array(repeating: 0.0, count: bounds.count)
            for time in times(&generator) {
                for _ in 0..<5 {
                    let first = Int.random(in: 0..<bounds.count, using: &generator)
                    for place in first..<bounds.count { counts[place] += 1 }
                }
                for place in bounds.indices { columns[place].append(time, counts[place]) }
            }
            for (place, bound) in bounds.enumerated() {
                series.append(
                    (
                        LabelSet([
                            MetricLabel(LabelSet.name, "latency_bucket"), MetricLabel("job", job),
                            MetricLabel("le", bound),
                        ]), columns[place]
                    ))
            }
        }
        return series
    }
}
