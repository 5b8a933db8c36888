// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// `ExportMetricsServiceRequest` into columns (opentelemetry/proto/metrics/v1).
struct MetricDecoder<Reader: FieldReader>: RequestDecoder {
    let limits: DecodeLimits
    var decoded = Decoded(batch: MetricBatch())

    init(limits: DecodeLimits) { self.limits = limits }

    static var fields: (request: Fields, resource: Fields, scope: Fields) {
        (MetricFields.request, MetricFields.resourceMetrics, MetricFields.scopeMetrics)
    }

    mutating func item(_ reader: inout Reader, scope: Int) throws(WireError) {
        let frame = try reader.enter()
        let start = decoded.batch.points.count
        var metric = MetricBatch.Metric(scope: scope, points: start..<start)
        while let field = try reader.next(MetricFields.metric) {
            switch field {
            case 1: metric.name = try reader.text()
            case 2: metric.about = try reader.text()
            case 3: metric.unit = try reader.text()
            default:
                metric.kind = MetricBatch.Kind(rawValue: UInt8(field)) ?? .gauge
                try data(&reader, &metric)
            }
        }
        try reader.leave(frame)
        metric.points = start..<decoded.batch.points.count
        guard metric.name.count > 0 else {
            for _ in metric.points { decoded.reject("A metric has no name.") }
            return decoded.batch.points.removeLast(metric.points.count)
        }
        decoded.batch.metrics.append(metric)
        try limits.check(parts: decoded.batch.metrics.count)
    }

    /// Any of the five kinds; they number their fields alike.
    private mutating func data(
        _ reader: inout Reader, _ metric: inout MetricBatch.Metric
    ) throws(WireError) {
        let frame = try reader.enter()
        while let field = try reader.next(MetricFields.data) {
            switch field {
            case 1: try point(&reader, metric.kind)
            case 2:
                metric.temporality =
                    MetricBatch.Temporality(rawValue: UInt8(clamping: try reader.integer())) ?? .unspecified
            default: metric.isMonotonic = try reader.bool()
            }
        }
        try reader.leave(frame)
    }

    private mutating func point(_ reader: inout Reader, _ kind: MetricBatch.Kind) throws(WireError) {
        let frame = try reader.enter()
        var point = MetricBatch.Point()
        let (attributes, exemplars) = (decoded.batch.attributes.count, decoded.batch.exemplars.count)
        switch kind {
        case .gauge, .sum: try number(&reader, &point, attributes)
        case .histogram: try histogram(&reader, &point, attributes)
        case .exponentialHistogram: try exponentialHistogram(&reader, &point, attributes)
        case .summary: try summary(&reader, &point, attributes)
        }
        try reader.leave(frame)
        // FLAG_NO_RECORDED_VALUE
        if point.flags & 1 != 0 { point.value = .none }
        point.attributes = attributes..<decoded.batch.attributes.count
        point.exemplars = exemplars..<decoded.batch.exemplars.count
        decoded.batch.points.append(point)
        try limits.check(items: decoded.batch.points.count)
        try limits.check(parts: decoded.batch.parts)
    }

    private mutating func number(
        _ reader: inout Reader, _ point: inout MetricBatch.Point, _ attributes: Int
    ) throws(WireError) {
        while let field = try reader.next(MetricFields.number) {
            switch field {
            case 2: point.start = try reader.fixed64()
            case 3: point.time = try reader.fixed64()
            case 4: point.value = .double(try reader.double())
            case 5: try exemplar(&reader)
            case 6: point.value = .int(Int64(bitPattern: try reader.fixed64()))
            case 7: try attribute(&reader, attributes)
            default: point.flags = UInt32(truncatingIfNeeded: try reader.integer())
            }
        }
    }

    private mutating func histogram(
        _ reader: inout Reader, _ point: inout MetricBatch.Point, _ attributes: Int
    ) throws(WireError) {
        var histogram = MetricBatch.Histogram()
        let (bounds, counts) = (decoded.batch.numbers.count, decoded.batch.counts.count)
        while let field = try reader.next(MetricFields.histogram) {
            switch field {
            case 2: point.start = try reader.fixed64()
            case 3: point.time = try reader.fixed64()
            case 4: histogram.count = try reader.fixed64()
            case 5: histogram.sum = try reader.double()
            case 6:
                try reader.fixed64s(into: &decoded.batch.counts)
                try limits.check(parts: decoded.batch.parts)
            case 7:
                try reader.doubles(into: &decoded.batch.numbers)
                try limits.check(parts: decoded.batch.parts)
            case 8: try exemplar(&reader)
            case 9: try attribute(&reader, attributes)
            case 10: point.flags = UInt32(truncatingIfNeeded: try reader.integer())
            case 11: histogram.min = try reader.double()
            default: histogram.max = try reader.double()
            }
        }
        histogram.bounds = bounds..<decoded.batch.numbers.count
        histogram.counts = counts..<decoded.batch.counts.count
        add(histogram, to: &point)
    }

    private mutating func exponentialHistogram(
        _ reader: inout Reader, _ point: inout MetricBatch.Point, _ attributes: Int
    ) throws(WireError) {
        var histogram = MetricBatch.Histogram()
        while let field = try reader.next(MetricFields.exponentialHistogram) {
            switch field {
            case 1: try attribute(&reader, attributes)
            case 2: point.start = try reader.fixed64()
            case 3: point.time = try reader.fixed64()
            case 4: histogram.count = try reader.fixed64()
            case 5: histogram.sum = try reader.double()
            case 6: histogram.scale = Int32(clamping: try reader.signed())
            case 7: histogram.zeroCount = try reader.fixed64()
            case 8: (histogram.positiveOffset, histogram.counts) = try buckets(&reader)
            case 9: (histogram.negativeOffset, histogram.negativeCounts) = try buckets(&reader)
            case 10: point.flags = UInt32(truncatingIfNeeded: try reader.integer())
            case 11: try exemplar(&reader)
            case 12: histogram.min = try reader.double()
            case 13: histogram.max = try reader.double()
            default: histogram.zeroThreshold = try reader.double()
            }
        }
        add(histogram, to: &point)
    }

    private mutating func summary(
        _ reader: inout Reader, _ point: inout MetricBatch.Point, _ attributes: Int
    ) throws(WireError) {
        var histogram = MetricBatch.Histogram()
        var (quantiles, values): ([Double], [Double]) = ([], [])
        while let field = try reader.next(MetricFields.summary) {
            switch field {
            case 2: point.start = try reader.fixed64()
            case 3: point.time = try reader.fixed64()
            case 4: histogram.count = try reader.fixed64()
            case 5: histogram.sum = try reader.double()
            case 6:
                let frame = try reader.enter()
                var (quantile, value) = (0.0, 0.0)
                while let field = try reader.next(MetricFields.quantile) {
                    if field == 1 { quantile = try reader.double() } else { value = try reader.double() }
                }
                try reader.leave(frame)
                quantiles.append(quantile)
                values.append(value)
                try limits.check(parts: quantiles.count * 2)
            case 7: try attribute(&reader, attributes)
            default: point.flags = UInt32(truncatingIfNeeded: try reader.integer())
            }
        }
        let start = decoded.batch.numbers.count
        decoded.batch.numbers += quantiles + values
        histogram.bounds = start..<(start + quantiles.count)
        histogram.values = (start + quantiles.count)..<(start + quantiles.count * 2)
        add(histogram, to: &point)
    }

    private mutating func add(_ histogram: MetricBatch.Histogram, to point: inout MetricBatch.Point) {
        point.value = .histogram(decoded.batch.histograms.count)
        decoded.batch.histograms.append(histogram)
    }

    private mutating func buckets(_ reader: inout Reader) throws(WireError) -> (Int32, Range<Int>) {
        let frame = try reader.enter()
        let start = decoded.batch.counts.count
        var offset: Int32 = 0
        while let field = try reader.next(MetricFields.buckets) {
            if field == 1 {
                offset = Int32(clamping: try reader.signed())
            } else {
                try reader.integers(into: &decoded.batch.counts)
                try limits.check(parts: decoded.batch.parts)
            }
        }
        try reader.leave(frame)
        return (offset, start..<decoded.batch.counts.count)
    }

    private mutating func attribute(_ reader: inout Reader, _ start: Int) throws(WireError) {
        var dropped: UInt32 = 0
        try CommonDecoder.attribute(
            &reader, into: &decoded.batch.attributes, count: decoded.batch.attributes.count - start, &dropped)
    }

    private mutating func exemplar(_ reader: inout Reader) throws(WireError) {
        let frame = try reader.enter()
        var exemplar = MetricBatch.ExemplarRow()
        let start = decoded.batch.exemplarAttributes.count
        var dropped: UInt32 = 0
        while let field = try reader.next(MetricFields.exemplar) {
            switch field {
            case 2: exemplar.time = try reader.fixed64()
            case 3: exemplar.value = try reader.double()
            case 4: exemplar.spanID = try reader.identifier(bytes: 8)?.low ?? 0
            case 5: (exemplar.traceHigh, exemplar.traceLow) = try reader.identifier(bytes: 16) ?? (0, 0)
            case 6: exemplar.value = Double(Int64(bitPattern: try reader.fixed64()))
            default:
                let count = decoded.batch.exemplarAttributes.count - start
                try CommonDecoder.attribute(
                    &reader, into: &decoded.batch.exemplarAttributes, count: count, &dropped)
            }
        }
        try reader.leave(frame)
        exemplar.attributes = start..<decoded.batch.exemplarAttributes.count
        decoded.batch.exemplars.append(exemplar)
        try limits.check(parts: decoded.batch.parts)
    }
}

/// The messages of metrics/v1.
private enum MetricFields {
    static let request = Fields(["resourceMetrics": 1])
    static let resourceMetrics = Fields(["resource": 1, "scopeMetrics": 2])
    static let scopeMetrics = Fields(["scope": 1, "metrics": 2])
    static let metric = Fields([
        "name": 1, "description": 2, "unit": 3, "gauge": 5, "sum": 7, "histogram": 9, "exponentialHistogram": 10,
        "summary": 11,
    ])
    static let data = Fields(["dataPoints": 1, "aggregationTemporality": 2, "isMonotonic": 3])
    static let number = Fields([
        "startTimeUnixNano": 2, "timeUnixNano": 3, "asDouble": 4, "exemplars": 5, "asInt": 6, "attributes": 7,
        "flags": 8,
    ])
    static let histogram = Fields([
        "startTimeUnixNano": 2, "timeUnixNano": 3, "count": 4, "sum": 5, "bucketCounts": 6, "explicitBounds": 7,
        "exemplars": 8, "attributes": 9, "flags": 10, "min": 11, "max": 12,
    ])
    static let exponentialHistogram = Fields([
        "attributes": 1, "startTimeUnixNano": 2, "timeUnixNano": 3, "count": 4, "sum": 5, "scale": 6, "zeroCount": 7,
        "positive": 8, "negative": 9, "flags": 10, "exemplars": 11, "min": 12, "max": 13, "zeroThreshold": 14,
    ])
    static let summary = Fields([
        "startTimeUnixNano": 2, "timeUnixNano": 3, "count": 4, "sum": 5, "quantileValues": 6, "attributes": 7,
        "flags": 8,
    ])
    static let quantile = Fields(["quantile": 1, "value": 2])
    static let buckets = Fields(["offset": 1, "bucketCounts": 2])
    static let exemplar = Fields([
        "timeUnixNano": 2, "asDouble": 3, "spanId": 4, "traceId": 5, "asInt": 6, "filteredAttributes": 7,
    ])
}
