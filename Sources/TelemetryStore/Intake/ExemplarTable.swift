// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// A sample of a series, and the span that it was measured in.
package struct StoredExemplar: Sendable, Equatable {
    package let series: LabelSet
    package let value: Double
    /// Milliseconds since 1970.
    package let time: Int64
    package let trace: TraceID
    package let span: UInt64

    package init(series: LabelSet, value: Double, time: Int64, trace: TraceID, span: UInt64) {
        (self.series, self.value, self.time, self.trace, self.span) = (series, value, time, trace, span)
    }
}

/// The latest exemplars of all series. They are on the disk, too, which may be a minute behind.
///
/// Traces that are in it are kept, whatever the sampler would decide.
package final class ExemplarTable: Sendable {
    /// So many in all; the oldest go first.
    private static let countMax = 20_000
    /// Bytes of a series' labels; none is kept of one with more.
    private static let labelBytesMax = 2_000

    private struct State {
        /// A ring, once it is full.
        var exemplars: [StoredExemplar] = []
        var next = 0
        /// The latest of each series, because a process tells the same one again and again.
        var latest: [LabelSet: (trace: TraceID, span: UInt64)] = [:]
        /// Whether some are not on the disk, and when that was so for none.
        var isUnsaved = false
        var savedAt = ContinuousClock.now

        /// The oldest first.
        var inOrder: [StoredExemplar] { Array(exemplars[next...] + exemplars[..<next]) }
    }

    private let state = Mutex(State())

    init() {}

    /// Goes on with those of another process.
    init(_ exemplars: [StoredExemplar]) {
        note(exemplars)
        state.withLock { $0.isUnsaved = false }
    }

    /// All of them, where some have not been saved and the last time is so long ago; they count as saved then.
    func unsaved(for age: Duration) -> [StoredExemplar]? {
        state.withLock { state in
            guard state.isUnsaved, ContinuousClock.now - state.savedAt >= age else { return nil }
            (state.isUnsaved, state.savedAt) = (false, .now)
            return state.inOrder
        }
    }

    func noteUnsaved() { state.withLock { $0.isUnsaved = true } }

    package func note(_ exemplars: [StoredExemplar]) {
        guard !exemplars.isEmpty else { return }
        state.withLock { state in
            for exemplar in exemplars {
                let latest = state.latest[exemplar.series]
                if let latest, latest == (exemplar.trace, exemplar.span) { continue }
                let bytes = exemplar.series.labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
                guard bytes <= Self.labelBytesMax else { continue }
                if state.latest.count >= Self.countMax { state.latest = [:] }
                state.latest[exemplar.series] = (exemplar.trace, exemplar.span)
                state.isUnsaved = true
                if state.exemplars.count < Self.countMax {
                    state.exemplars.append(exemplar)
                } else {
                    state.exemplars[state.next] = exemplar
                    state.next = (state.next + 1) % Self.countMax
                }
            }
        }
    }

    /// Those of series for which all of one of the lists of matchers hold, by series and time.
    ///
    /// - Throws: `Pattern.PatternError`.
    package func exemplars(_ selectors: [[LabelMatcher]], _ times: ClosedRange<Int64>) throws -> [StoredExemplar] {
        let tests = try selectors.map { try $0.map { try ValueTest($0) } }
        return try state.withLock { $0.exemplars }.filter { exemplar in
            try times.contains(exemplar.time)
                && tests.contains { try $0.allSatisfy { try $0.accepts(exemplar.series[$0.matcher.name]) } }
        }.sorted { ($0.series, $0.time) < ($1.series, $1.time) }
    }

    /// Traces that somebody may want to open.
    var traces: Set<TraceID> { Set(state.withLock { $0.exemplars.map(\.trace) }) }
}

extension [MetricFamily] {
    /// What this process shows of its own histograms.
    package func exemplars(from resource: Resource) -> [StoredExemplar] {
        let sender = SenderLabels(resource)
        return flatMap { family in
            family.points.flatMap { point -> [StoredExemplar] in
                guard case .histogram(let state) = point.value else { return [] }
                let bounds = state.bounds.map(\.upperBound)
                return state.exemplars.compactMap { place, exemplar in
                    guard place < bounds.count else { return nil }
                    let labels = [
                        MetricLabel(LabelSet.name, family.prometheusName + "_bucket"),
                        MetricLabel("le", SampleText.of(bounds[place])),
                    ]
                    return StoredExemplar(
                        series: LabelSet(labels + point.labels + sender.labels), value: exemplar.value,
                        time: Int64(exemplar.time / 1_000_000), trace: exemplar.traceID, span: exemplar.spanID)
                }
            }
        }
    }
}

extension MetricBatch {
    /// Those that were sent with points; of a distribution each belongs to the bucket that its value is in.
    package var storedExemplars: [StoredExemplar] {
        guard !exemplars.isEmpty else { return [] }
        var found: [StoredExemplar] = []
        for metric in metrics {
            let resource = origins.resources[origins.scopes[metric.scope].resource]
            let sender = SenderLabels(Resource(origins.resourceAttributes.list(resource.attributes, in: bytes)))
            for point in metric.points {
                // The last one of each bucket, so that labels are made once for each.
                var latest: [Double: ExemplarRow] = [:]
                for row in exemplars[points[point].exemplars] where row.traceHigh | row.traceLow != 0 {
                    latest[bound(for: row.value, of: points[point]) ?? .infinity] = row
                }
                guard !latest.isEmpty else { continue }
                let attributes = attributes.list(points[point].attributes, in: bytes).map {
                    MetricLabel(PrometheusName.label($0.name), $0.value.text)
                }
                for (_, row) in latest {
                    var labels = [MetricLabel(LabelSet.name, name(of: metric))]
                    if let bound = bound(for: row.value, of: points[point]) {
                        labels = [
                            MetricLabel(LabelSet.name, name(of: metric) + "_bucket"),
                            MetricLabel("le", SampleText.of(bound)),
                        ]
                    }
                    found.append(
                        StoredExemplar(
                            series: LabelSet(labels + attributes + sender.labels), value: row.value,
                            time: Int64(row.time / 1_000_000), trace: TraceID(high: row.traceHigh, low: row.traceLow),
                            span: row.spanID))
                }
            }
        }
        return found
    }

    private func bound(for value: Double, of point: Point) -> Double? {
        guard case .histogram(let place) = point.value else { return nil }
        return numbers[histograms[place].bounds].first { value <= $0 } ?? .infinity
    }
}
