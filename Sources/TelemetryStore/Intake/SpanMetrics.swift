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

    /// Operations that are told apart; of further ones the name is left out. Each has 18 series.
    private static let countMax = 1_000

    private let series = Mutex<[Key: Latencies]>([:])

    /// Counts the spans of a batch.
    func note(_ batch: SpanBatch) {
        // Within a batch texts are compared once for each run of equal spans.
        var found: [Key: Latencies] = [:]
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
            let weight = batch.weight(of: row)
            found[Key(facet: facet, status: batch.statuses[row]), default: Latencies()]
                .add(Double(batch.duration(of: row)) / 1e9, weight)
        }
        series.withLock { series in
            for (key, more) in found {
                // Without its name, and at last without its service.
                let keys = [key, Key(facet: key.facet.unnamed, status: key.status)]
                let known = keys.first { series[$0] != nil || series.count < Self.countMax }
                series[known ?? Key(facet: .any, status: key.status), default: Latencies()].add(more)
            }
        }
    }

    /// All of them as they are now. What is told of for the first time was zero `interval` before, so that rates see it.
    /// Times are in milliseconds, since 1970.
    package func samples(at time: Int64, interval: Int64) -> SampleBatch {
        var batch = SampleBatch()
        let all = series.withLock { series in
            defer { for key in series.keys { series[key]?.isTold = true } }
            return series
        }
        for (key, series) in all {
            let labels = [
                MetricLabel("service", String(decoding: key.facet.service, as: UTF8.self)),
                MetricLabel("span_name", String(decoding: key.facet.name, as: UTF8.self)),
                MetricLabel("span_kind", Self.kinds[min(Int(key.facet.kind), 5)]),
                MetricLabel("status_code", Self.statuses[min(Int(key.status), 2)]),
            ]
            func add(_ name: String, _ value: Double, _ more: [MetricLabel]) {
                batch.begin(LabelSet([MetricLabel(LabelSet.name, "traces_spanmetrics_\(name)")] + labels + more))
                if !series.isTold { batch.add(time - interval, 0) }
                batch.add(time, value)
            }
            add("calls_total", series.count, [])
            series.write(add, as: "latency")
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
    /// How many spans a row stands for: more than one where its process has sampled others away.
    func weight(of row: Int) -> Double {
        guard flags[row] & SpanBatch.keptFlag != 0 else { return 1 }
        for place in attributes(of: row) where attributes.kinds[place] == .double {
            if bytes[attributes.names[place].range].elementsEqual("sampler.adjusted_count".utf8) {
                let count = Double(bitPattern: attributes.values[place])
                return count.isFinite && count > 0 ? count : 1
            }
        }
        return 1
    }
}
