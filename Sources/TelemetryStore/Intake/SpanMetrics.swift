// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// Rate, errors and duration of what spans are about, as metrics with the names that Grafana's Tempo gives them:
/// `traces_spanmetrics_calls_total` and `traces_spanmetrics_latency` in seconds, by service, name, kind and status.
///
/// All spans count that come, before any is sampled away; one that stands for several counts as many. Counts begin at zero with
/// the process.
package final class SpanMetrics: Sendable {
    private struct Key: Hashable {
        let facet: SpanFacet
        let status: UInt8
    }

    private struct Series {
        var buckets = [Double](repeating: 0, count: SpanMetrics.bounds.count + 1)
        var count = 0.0
        var sum = 0.0

        mutating func add(_ seconds: Double, _ weight: Double) {
            buckets[SpanMetrics.bounds.firstIndex { seconds <= $0 } ?? SpanMetrics.bounds.count] += weight
            count += weight
            sum += seconds * weight
        }

        mutating func add(_ other: Series) {
            for place in buckets.indices { buckets[place] += other.buckets[place] }
            count += other.count
            sum += other.sum
        }
    }

    /// Seconds: 2 ms, doubled up to 16.384 s.
    private static let bounds = (0..<14).map { 0.002 * Double(1 << $0) }
    /// Operations that are told apart; of further ones the name is left out. Each has 18 series.
    private static let countMax = 1_000

    private let series = Mutex<[Key: Series]>([:])

    /// Counts the spans of a batch.
    func note(_ batch: SpanBatch) {
        // Within a batch texts are compared once for each run of equal spans.
        var found: [Key: Series] = [:]
        var last: (scope: UInt32, name: ArraySlice<UInt8>, kind: UInt8, facet: SpanFacet)?
        for row in 0..<batch.count {
            let name = batch.bytes[batch.names[row].range]
            let facet: SpanFacet
            if let last, last.scope == batch.scopes[row], last.kind == batch.kinds[row], last.name.elementsEqual(name) {
                facet = last.facet
            } else {
                facet = SpanFacet(of: row, in: batch)
                last = (batch.scopes[row], name, batch.kinds[row], facet)
            }
            let weight = batch.flags[row] & SpanBatch.keptFlag == 0 ? 1 : batch.adjustedCount(of: row)
            found[Key(facet: facet, status: batch.statuses[row]), default: Series()]
                .add(Double(batch.duration(of: row)) / 1e9, weight)
        }
        series.withLock { series in
            for (key, more) in found {
                // Without its name, and at last without its service.
                let keys = [key, Key(facet: key.facet.unnamed, status: key.status)]
                let known = keys.first { series[$0] != nil || series.count < Self.countMax }
                series[known ?? Key(facet: .any, status: key.status), default: Series()].add(more)
            }
        }
    }

    /// All of them as they are now. The time is in milliseconds since 1970.
    package func samples(at time: Int64) -> SampleBatch {
        var batch = SampleBatch()
        for (key, series) in series.withLock({ $0 }) {
            let labels = [
                MetricLabel("service", String(decoding: key.facet.service, as: UTF8.self)),
                MetricLabel("span_name", String(decoding: key.facet.name, as: UTF8.self)),
                MetricLabel("span_kind", Self.kinds[min(Int(key.facet.kind), 5)]),
                MetricLabel("status_code", Self.statuses[min(Int(key.status), 2)]),
            ]
            func add(_ name: String, _ value: Double, _ more: [MetricLabel] = []) {
                batch.begin(LabelSet([MetricLabel(LabelSet.name, "traces_spanmetrics_\(name)")] + labels + more))
                batch.add(time, value)
            }
            add("calls_total", series.count)
            var below = 0.0
            for (bound, count) in zip(Self.bounds + [.infinity], series.buckets) {
                below += count
                add("latency_bucket", below, [MetricLabel("le", SampleText.of(bound))])
            }
            add("latency_count", series.count)
            add("latency_sum", series.sum)
        }
        return batch
    }

    private static let kinds = [
        "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ]
    private static let statuses = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]

    /// For those who ask what metrics there are.
    package static let metadata = [
        "traces_spanmetrics_calls_total": MetricMetadata(
            type: "counter", help: "Spans by what they are about, before sampling.", unit: ""),
        "traces_spanmetrics_latency": MetricMetadata(
            type: "histogram", help: "How long they took.", unit: "seconds"),
    ]
}

extension SpanBatch {
    /// How many spans a kept one stands for.
    fileprivate func adjustedCount(of row: Int) -> Double {
        for place in attributes(of: row) where attributes.kinds[place] == .double {
            if bytes[attributes.names[place].range].elementsEqual("sampler.adjusted_count".utf8) {
                let count = Double(bitPattern: attributes.values[place])
                return count.isFinite && count > 0 ? count : 1
            }
        }
        return 1
    }
}
