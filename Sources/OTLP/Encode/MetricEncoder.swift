// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Metrics of one moment (opentelemetry/proto/metrics/v1).
struct MetricEncoder {
    /// Nanoseconds since 1970: since when sums count, and when they were read.
    let start: UInt64
    let time: UInt64

    private static let cumulative: UInt64 = 2

    func metric(_ family: MetricFamily, _ writer: inout ProtobufWriter) {
        writer.text(1, family.name)
        writer.text(2, family.about)
        writer.text(3, family.unit)
        let isExponential = family.points.contains { $0.isExponential }
        switch family.kind {
        case .gauge:
            writer.message(5) { writer in for point in family.points { number(point, &writer) } }
        case .counter:
            writer.message(7) { writer in
                for point in family.points { number(point, &writer) }
                writer.integer(2, Self.cumulative)
                writer.choice(3, 1)
            }
        case .histogram:
            writer.message(isExponential ? 10 : 9) { writer in
                for point in family.points { histogram(point, &writer) }
                writer.integer(2, Self.cumulative)
            }
        }
    }

    private func number(_ point: MetricPoint, _ writer: inout ProtobufWriter) {
        writer.message(1) { writer in
            labels(point, 7, &writer)
            switch point.value {
            case .sum(let value):
                writer.fixed64(2, start)
                writer.fixed64(3, time)
                writer.number(4, value)
            case .gauge(let value):
                writer.fixed64(3, time)
                writer.number(4, value)
            case .histogram: break
            }
        }
    }

    private func histogram(_ point: MetricPoint, _ writer: inout ProtobufWriter) {
        guard case .histogram(let state) = point.value else { return }
        writer.message(1) { writer in
            switch state.shape {
            case .classic(let bounds, let counts):
                labels(point, 9, &writer)
                writer.packed(6, fixed64s: counts)
                writer.packed(7, fixed64s: bounds.map(\.bitPattern))
                for exemplar in state.exemplars.values { writer.message(8) { Self.exemplar(exemplar, &$0) } }
                extremes(state, 11, &writer)
            case .exponential(let buckets):
                labels(point, 1, &writer)
                writer.signed(6, Int64(buckets.scale))
                writer.fixed64(7, buckets.zeroCount)
                writer.message(8) { Self.side(buckets.positive, &$0) }
                writer.message(9) { Self.side(buckets.negative, &$0) }
                extremes(state, 12, &writer)
            }
            writer.fixed64(2, start)
            writer.fixed64(3, time)
            writer.fixed64(4, state.count)
            writer.number(5, state.sum)
        }
    }

    private func extremes(_ state: HistogramState, _ field: Int, _ writer: inout ProtobufWriter) {
        guard state.count > 0 else { return }
        writer.number(field, state.smallest)
        writer.number(field + 1, state.largest)
    }

    private static func side(_ side: ExponentialBuckets.Side, _ writer: inout ProtobufWriter) {
        writer.signed(1, Int64(side.offset))
        writer.packed(2, integers: side.counts)
    }

    private static func exemplar(_ exemplar: Exemplar, _ writer: inout ProtobufWriter) {
        writer.fixed64(2, exemplar.time)
        writer.number(3, exemplar.value)
        writer.identifier(4, exemplar.spanID)
        writer.identifier(5, exemplar.traceID.high, exemplar.traceID.low)
    }

    private func labels(_ point: MetricPoint, _ field: Int, _ writer: inout ProtobufWriter) {
        RequestEncoder.attributes(
            point.attributes.map { Attribute($0.name, .string($0.value)) }, field, &writer)
    }
}

extension MetricPoint {
    fileprivate var isExponential: Bool {
        guard case .histogram(let state) = value, case .exponential = state.shape else { return false }
        return true
    }
}
