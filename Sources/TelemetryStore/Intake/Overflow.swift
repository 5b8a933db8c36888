// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What becomes of series beyond a budget: those of one metric and sender go on as one, which says so by a label, as in a process
/// that limits itself (OpenTelemetry, metrics SDK, cardinality limits). The label is another one, because such processes send theirs.
///
/// Of counters the one series grows by what each of them grows, so that its rate is the sum of theirs; as everywhere, what a counter
/// has when it is first seen is no growth. Of gauges it is the latest value.
struct Overflow {
    static let label = MetricLabel("vitrine_overflow", "true")

    /// What a counter had last.
    fileprivate struct Last {
        let time: Int64
        let value: Double
    }

    /// What one batch does to one series.
    struct Change {
        var time: Int64
        var growth: Double
        /// Of a gauge; `nil` of a counter.
        var latest: Double?
    }

    /// What a batch does, which counts once the log has it.
    struct Changes {
        fileprivate(set) var series: [[UInt8]: Change] = [:]
        fileprivate var values: [UInt64: Last] = [:]
    }

    /// What counters had last, by the hashes of their keys. A counter that does not come while the memory fills once is forgotten.
    private var (recent, before): ([UInt64: Last], [UInt64: Last]) = ([:], [:])

    /// Some three megabytes, twice.
    private static let memoryMax = 65_536
    /// Series that overflow goes into.
    static let perMetricMax = 100

    /// The labels of the series that goes on for one with `labels`. Of buckets it has the bounds, of senders those that are known: who
    /// makes series without end may also make senders.
    static func labels(for labels: LabelSet, isSenderKnown: Bool) -> LabelSet {
        var kept = [MetricLabel(LabelSet.name, labels.metricName), label]
        if labels.metricName.hasSuffix("_bucket") { kept.append(MetricLabel("le", labels["le"])) }
        if isSenderKnown { kept.append(MetricLabel("job", labels["job"])) }
        return LabelSet(kept.filter { !$0.value.isEmpty })
    }

    /// Whether it is one of those, as far as its labels tell.
    static func isOwn(_ labels: LabelSet) -> Bool {
        labels[label.name] == label.value
            && labels.labels.allSatisfy { [LabelSet.name, label.name, "le", "job"].contains($0.name) }
    }

    /// Prometheus tells counters by their names (https://prometheus.io/docs/practices/naming), and nothing else does on all ways in.
    private static func isCounter(_ metric: String) -> Bool {
        ["_total", "_count", "_sum", "_bucket"].contains { metric.hasSuffix($0) }
    }

    /// Adds the samples of a row at the times of `times` to those of the series with `key`.
    func fold(
        _ batch: SampleBatch, _ row: SampleBatch.Row, _ hash: UInt64, _ times: ClosedRange<Int64>, metric: String,
        into key: [UInt8], _ changes: inout Changes
    ) {
        let isCounter = row.isDelta || Self.isCounter(metric)
        var change = changes.series[key] ?? Change(time: .min, growth: 0, latest: nil)
        var last = changes.values[hash] ?? recent[hash] ?? before[hash]
        for place in row.samples where times.contains(batch.times[place]) {
            let (time, value) = (batch.times[place], batch.values[place])
            // One that is no number, stale markers among them, would make the sum of all none.
            guard value.isFinite else { continue }
            if row.isDelta {
                change.growth += value
            } else if isCounter {
                // What is sent again, or late, has grown already.
                if let last, time <= last.time { continue }
                // A counter that falls was begun again at zero.
                if let last { change.growth += value >= last.value ? value - last.value : value }
                last = Last(time: time, value: value)
            } else if time >= change.time {
                change.latest = value
            }
            change.time = max(change.time, time)
        }
        changes.series[key] = change
        if isCounter, !row.isDelta { changes.values[hash] = last }
    }

    /// Remembers what counters had in a batch that the log has.
    mutating func remember(_ changes: Changes) {
        for (hash, value) in changes.values {
            if recent.count >= Self.memoryMax, recent[hash] == nil { (recent, before) = ([:], recent) }
            recent[hash] = value
        }
    }
}

/// Which label of a metric has the most values, as far as some thousand tell: told from bits that few values set few of.
struct LabelSpread {
    private var bits: [String: [UInt64]] = [:]

    private static let labelsMax = 32
    /// 1,024 bits, of which some 5,000 values set nearly all.
    private static let words = 16

    mutating func note(_ labels: LabelSet) {
        for label in labels.labels where label.name != LabelSet.name {
            guard bits[label.name] != nil || bits.count < Self.labelsMax else { continue }
            let hash = label.value.hashValue
            bits[label.name, default: Array(repeating: 0, count: Self.words)][hash >> 6 & (Self.words - 1)] |=
                1 << UInt64(truncatingIfNeeded: hash & 63)
        }
    }

    /// The label; empty where no series has one.
    var widest: String {
        let counts = bits.mapValues { $0.reduce(0) { $0 + $1.nonzeroBitCount } }
        return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
    }
}
