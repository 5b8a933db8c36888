// SPDX-License-Identifier: Apache-2.0

public import CoreMetrics
internal import Synchronization

/// The metrics of a process: the factory behind swift-metrics, and what reads them.
///
/// Making an instrument looks its series up by name and labels and costs under a microsecond; recording into one that is
/// held costs tens of nanoseconds. Nothing here traps: a name that is taken by another kind of metric, and a series beyond
/// the budget, are counted and recorded elsewhere.
public final class MetricRegistry: MetricsFactory, Sendable {
    public struct Configuration: Sendable {
        /// What is known of metrics beforehand; it gives units, meaning and buckets.
        public var descriptions: [MetricDescription]
        /// Series that one metric may have, 1 or more. Further ones are recorded together, in a series labelled
        /// `otel_metric_overflow="true"` (OpenTelemetry SDK specification, cardinality limits). Default 2,000.
        public var seriesPerMetricMax: Int

        public init(descriptions: [MetricDescription] = [], seriesPerMetricMax: Int = 2_000) {
            self.descriptions = descriptions
            self.seriesPerMetricMax = max(1, seriesPerMetricMax)
        }
    }

    private struct Family {
        let name: String
        let prometheusName: String
        let kind: MetricDescription.Kind
        let description: MetricDescription?
        let unit: String
        /// By labels in Prometheus, so that no two series can meet there.
        var series: [[MetricLabel]: Series] = [:]
    }

    private struct Series {
        let recorder: any SeriesRecorder
        /// As they were recorded first.
        let attributes: [MetricLabel]
    }

    /// An instrument as it is asked for.
    private struct Wish: Hashable {
        let name: String
        let dimensions: [MetricLabel]
        let kind: MetricDescription.Kind
        let unit: String
    }

    private struct State {
        /// By name in Prometheus, so that no two metrics can meet there.
        var families: [String: Family] = [:]
        /// By what was asked for, so that whoever asks again costs one look-up.
        var known: [Wish: any SeriesRecorder] = [:]
        var readers: [@Sendable (MetricRegistry) -> Void] = []
    }

    private let configuration: Configuration
    private let descriptions: [String: MetricDescription]
    private let state = Mutex(State())
    private let refused = CounterSeries()
    private let overflown = CounterSeries()

    static let overflowLabel = MetricLabel("otel_metric_overflow", "true")

    public init(_ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        descriptions = Dictionary(
            (configuration.descriptions + Self.ownDescriptions).map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first })
        adopt(refused, as: Self.refusals.name)
        adopt(overflown, as: Self.overflows.name)
    }

    /// Recordings that were refused because their name is taken by another kind of metric.
    static let refusals = MetricDescription(
        "vitrine.telemetry.metrics.rejected", .counter, unit: "{recording}",
        "Recordings refused because another kind of metric has their name.")
    /// Series beyond the budget.
    static let overflows = MetricDescription(
        "vitrine.telemetry.metrics.overflowed", .counter, unit: "{series}",
        "Instruments whose series is recorded in the overflow series, because the metric has too many.")

    /// What the registry tells of itself.
    public static let ownDescriptions = [refusals, overflows]

    /// Shows a count that is kept elsewhere.
    package func adopt(_ series: CounterSeries, as name: String, labels: [MetricLabel] = []) {
        let description = descriptions[name]
        let prometheusName = PrometheusName.family(name, unit: description?.unit ?? "", kind: .counter)
        state.withLock {
            $0.known = [:]
            $0.families[
                prometheusName,
                default: Family(
                    name: name, prometheusName: prometheusName, kind: .counter, description: description,
                    unit: description?.unit ?? "")
            ].series[labels] = Series(recorder: series, attributes: labels)
        }
    }

    // MARK: Instruments

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter, unit: "") { _ in CounterSeries() } as? CounterSeries ?? rejected
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter, unit: "") { _ in FloatingPointCounterSeries() }
            as? FloatingPointCounterSeries ?? rejected
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge, unit: "") { _ in GaugeSeries() } as? GaugeSeries ?? rejected
    }

    /// `aggregate` tells a histogram from a gauge.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate {
            return series(label, dimensions, .histogram, unit: "") { HistogramSeries($0?.buckets ?? .general) }
                as? HistogramSeries ?? rejected
        }
        return series(label, dimensions, .gauge, unit: "") { _ in GaugeSeries() } as? GaugeSeries ?? rejected
    }

    /// Shown in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram, unit: "s") { HistogramSeries($0?.buckets ?? .requestSeconds) }
            as? HistogramSeries ?? rejected
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private var rejected: RejectedSeries { RejectedSeries(count: refused) }

    private func series(
        _ name: String, _ dimensions: [(String, String)], _ kind: MetricDescription.Kind, unit: String,
        _ make: (MetricDescription?) -> any SeriesRecorder
    ) -> (any SeriesRecorder)? {
        let wish = Wish(
            name: name, dimensions: dimensions.map { MetricLabel($0.0, $0.1) }, kind: kind, unit: unit)
        if let known = state.withLock({ $0.known[wish] }) { return known }
        let description = descriptions[name]
        let unit = description?.unit ?? unit
        let prometheusName = PrometheusName.family(name, unit: unit, kind: kind)
        let labels = Self.labels(dimensions)
        return state.withLock { state in
            var family =
                state.families.removeValue(forKey: prometheusName)
                ?? Family(
                    name: name, prometheusName: prometheusName, kind: kind, description: description, unit: unit)
            // Taken out meanwhile, so that its dictionary is changed in place.
            defer { state.families[prometheusName] = family }
            guard family.kind == kind else { return nil }
            func remember(_ recorder: any SeriesRecorder) -> any SeriesRecorder {
                if state.known.count < Self.knownMax { state.known[wish] = recorder }
                return recorder
            }
            if let known = family.series[labels] { return remember(known.recorder) }
            guard labels.isEmpty || family.series.count < configuration.seriesPerMetricMax else {
                overflown.increment(by: 1)
                let overflow = family.series[[Self.overflowLabel]]?.recorder ?? make(description)
                family.series[[Self.overflowLabel]] = Series(recorder: overflow, attributes: [Self.overflowLabel])
                return overflow
            }
            let series = make(description)
            family.series[labels] = Series(recorder: series, attributes: wish.dimensions)
            return remember(series)
        }
    }

    /// Wishes that are remembered; further ones are put together each time.
    private static let knownMax = 4_096

    /// Sorted, with names as Prometheus takes them; of two that become the same the first stays.
    private static func labels(_ dimensions: [(String, String)]) -> [MetricLabel] {
        guard !dimensions.isEmpty else { return [] }
        var labels: [MetricLabel] = []
        for (name, value) in dimensions {
            let name = PrometheusName.label(name)
            if !labels.contains(where: { $0.name == name }) { labels.append(MetricLabel(name, value)) }
        }
        return labels.sorted()
    }

    private func destroy(_ handler: AnyObject) {
        state.withLock { state in
            state.known = state.known.filter { $0.value !== handler }
            for (name, family) in state.families {
                for (labels, series) in family.series where series.recorder === handler {
                    state.families[name]?.series[labels] = nil
                    return
                }
            }
        }
    }

    // MARK: Reading

    /// Has `read` called before each snapshot, to record what is looked up and not counted, such as memory.
    public func beforeReading(_ read: @escaping @Sendable (MetricRegistry) -> Void) {
        state.withLock { $0.readers.append(read) }
    }

    /// Every metric as it stands, by name.
    public func snapshot() -> [MetricFamily] {
        for read in state.withLock({ $0.readers }) { read(self) }
        let families = state.withLock { Array($0.families.values) }
        return families.sorted { $0.prometheusName < $1.prometheusName }.map { family in
            MetricFamily(
                name: family.name, prometheusName: family.prometheusName, kind: family.kind, unit: family.unit,
                about: family.description?.about ?? "",
                points: family.series.map {
                    MetricPoint(attributes: $0.value.attributes, labels: $0.key, value: $0.value.recorder.value)
                }
                .sorted { $0.labels.lexicographicallyPrecedes($1.labels) })
        }
    }
}
