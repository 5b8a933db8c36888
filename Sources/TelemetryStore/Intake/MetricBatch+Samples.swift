// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// OTLP's metrics as Prometheus' series (OpenTelemetry, compatibility/prometheus_and_openmetrics.md).
extension MetricBatch {
    /// Samples, and what is known of the metrics; points without a time get `now`, in milliseconds since 1970.
    package func samples(now: Int64) -> (SampleBatch, metadata: [String: MetricMetadata]) {
        var (batch, metadata) = (SampleBatch(), [String: MetricMetadata]())
        let senders = origins.resources.map {
            SenderLabels(Resource(origins.resourceAttributes.list($0.attributes, in: bytes)))
        }
        var latest = Array(repeating: Int64.min, count: senders.count)
        for metric in metrics {
            let sender = origins.scopes[metric.scope].resource
            let name = name(of: metric)
            let text = { (range: TextRange) in String(decoding: bytes[range.range], as: UTF8.self) }
            metadata[name] = MetricMetadata(type: type(of: metric), help: text(metric.about), unit: text(metric.unit))
            for point in metric.points {
                let time = points[point].time == 0 ? now : Int64(points[point].time / 1_000_000)
                latest[sender] = max(latest[sender], time)
                let attributes = attributes.list(points[point].attributes, in: bytes).map {
                    MetricLabel(PrometheusName.label($0.name), $0.value.text)
                }
                let writer = MetricWriter(
                    name: name, labels: attributes + senders[sender].labels, time: time,
                    isDelta: metric.temporality == .delta)
                add(points[point].value, of: metric, with: writer, to: &batch)
            }
        }
        for (sender, time) in zip(senders, latest) {
            if let info = sender.targetInfo, time > Int64.min { batch.add(info, time, 1) }
        }
        return (batch, metadata)
    }

    private func isCounter(_ metric: Metric) -> Bool { metric.kind == .sum && metric.isMonotonic }

    func name(of metric: Metric) -> String {
        let family = PrometheusName.family(
            String(decoding: bytes[metric.name.range], as: UTF8.self),
            unit: String(decoding: bytes[metric.unit.range], as: UTF8.self),
            kind: isCounter(metric) ? .counter : metric.kind == .gauge ? .gauge : .histogram)
        return isCounter(metric) ? family + "_total" : family
    }

    private func type(of metric: Metric) -> String {
        switch metric.kind {
        case .gauge: "gauge"
        case .sum: metric.isMonotonic ? "counter" : "gauge"
        case .histogram, .exponentialHistogram: "histogram"
        case .summary: "summary"
        }
    }

    private func add(_ value: Value, of metric: Metric, with writer: MetricWriter, to batch: inout SampleBatch) {
        switch value {
        case .int(let value): writer.add(Double(value), to: &batch)
        case .double(let value): writer.add(value, to: &batch)
        case .none: end(metric, with: writer, to: &batch)
        case .histogram(let place):
            let histogram = histograms[place]
            switch metric.kind {
            case .summary:
                for (quantile, value) in zip(numbers[histogram.bounds], numbers[histogram.values]) {
                    writer.add(value, [MetricLabel("quantile", SampleText.of(quantile))], to: &batch)
                }
                writer.add(buckets: [], count: histogram.count, sum: histogram.sum, to: &batch)
            case .exponentialHistogram:
                writer.add(buckets: powersOfFour(histogram), count: histogram.count, sum: histogram.sum, to: &batch)
            case .histogram, .gauge, .sum:
                let bounds = Array(numbers[histogram.bounds]) + [.infinity]
                let counts = Array(counts[histogram.counts])
                // Without buckets all is below infinity.
                let buckets = counts.isEmpty ? [(Double.infinity, histogram.count)] : Array(zip(bounds, counts))
                writer.add(
                    buckets: buckets.map { (upperBound: $0.0, count: $0.1) }, count: histogram.count,
                    sum: histogram.sum,
                    to: &batch)
            }
        }
    }

    /// Of a distribution the buckets are not known; those that the others are taken from end.
    private func end(_ metric: Metric, with writer: MetricWriter, to batch: inout SampleBatch) {
        guard metric.kind != .gauge, metric.kind != .sum else { return writer.add(StaleMarker.value, to: &batch) }
        writer.add(StaleMarker.value, suffix: "_count", to: &batch)
        writer.add(StaleMarker.value, suffix: "_sum", to: &batch)
        guard metric.kind != .summary else { return }
        writer.add(StaleMarker.value, suffix: "_bucket", [MetricLabel("le", "+Inf")], to: &batch)
    }

    /// Bounds that every scale has, so that the series of a metric do not change with its values: 4^-10 to 4^9, as this process
    /// shows its own.
    private func powersOfFour(_ histogram: Histogram) -> [(upperBound: Double, count: UInt64)] {
        var shown: [(upperBound: Double, count: UInt64)] = (-10...9).map {
            (Double(sign: .plus, exponent: 2 * $0, significand: 1), 0)
        }
        shown.append((.infinity, 0))
        shown[0].count = counts[histogram.negativeCounts].reduce(histogram.zeroCount, &+)
        let width = Double(sign: .plus, exponent: -Int(histogram.scale), significand: 1)
        for (place, count) in counts[histogram.counts].enumerated() where count > 0 {
            // The bucket's upper bound is 2 to this.
            let power = Double(Int(histogram.positiveOffset) + place + 1) * width
            // Whatever the scale is: what is no number or beyond all bounds ends at one of them.
            let bound = power.isNaN ? 0 : Int(min(max(-10, (power / 2).rounded(.up)), 10)) + 10
            shown[bound].count &+= count
        }
        return shown
    }
}
