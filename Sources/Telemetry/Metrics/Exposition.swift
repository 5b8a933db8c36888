// SPDX-License-Identifier: Apache-2.0

/// Metrics as text for those who scrape them.
public enum ExpositionFormat: Sendable {
    /// Prometheus text format, version 0.0.4.
    case prometheusText
    /// OpenMetrics 1.0.0, which also carries exemplars.
    case openMetrics

    public var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What a client that sends this `Accept` is answered: OpenMetrics where it is named with a quality that no text format
    /// exceeds, else the text format, which everything reads.
    public init(accept: String?) {
        var (openMetrics, text) = (0.0, 0.0)
        for range in (accept ?? "").split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\"" }.lowercased() }
            let quality = parts.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            let version = parts.first { $0.hasPrefix("version=") }.map { $0.dropFirst(8) }
            switch parts.first {
            case "application/openmetrics-text" where version == nil || version == "1.0.0" || version == "0.0.1":
                openMetrics = max(openMetrics, quality)
            case "text/plain", "text/*": text = max(text, quality)
            default: continue
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheusText
    }
}

extension MetricRegistry {
    /// Every metric in `format`, as UTF-8.
    public func exposition(_ format: ExpositionFormat) -> [UInt8] {
        var writer = ExpositionWriter(format: format)
        for family in snapshot() where !family.points.isEmpty { writer.write(family) }
        if format == .openMetrics { writer.text += "# EOF\n" }
        return Array(writer.text.utf8)
    }
}

/// Prometheus text format 0.0.4 and OpenMetrics 1.0.0.
private struct ExpositionWriter {
    let format: ExpositionFormat
    var text = ""

    mutating func write(_ family: MetricFamily) {
        // OpenMetrics describes the counter, the text format its sample.
        let isPlainCounter = family.kind == .counter && format == .prometheusText
        let name = family.prometheusName + (isPlainCounter ? "_total" : "")
        if !family.about.isEmpty { text += "# HELP \(name) \(escaped(family.about, quotes: format == .openMetrics))\n" }
        text += "# TYPE \(name) \(family.kind.rawValue)\n"
        if format == .openMetrics, let unit = PrometheusName.suffix(of: family.unit, family.kind),
            family.prometheusName.hasSuffix("_" + unit)
        {
            text += "# UNIT \(name) \(unit)\n"
        }
        for point in family.points { write(point, family.prometheusName) }
    }

    private mutating func write(_ point: MetricPoint, _ name: String) {
        switch point.value {
        case .sum(let value): sample(name + "_total", point.labels, value)
        case .gauge(let value): sample(name, point.labels, value)
        case .histogram(let state):
            var cumulative: UInt64 = 0
            for (place, bucket) in state.bounds.enumerated() {
                cumulative += bucket.count
                sample(
                    name + "_bucket", point.labels + [MetricLabel("le", number(bucket.upperBound))],
                    Double(cumulative), state.exemplars[place])
            }
            sample(name + "_sum", point.labels, state.sum)
            sample(name + "_count", point.labels, Double(state.count))
        }
    }

    private mutating func sample(
        _ name: String, _ labels: [MetricLabel], _ value: Double, _ exemplar: Exemplar? = nil
    ) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (place, label) in labels.enumerated() {
                text += "\(place == 0 ? "" : ",")\(label.name)=\"\(escaped(label.value, quotes: true))\""
            }
            text += "}"
        }
        text += " " + number(value)
        if let exemplar, format == .openMetrics {
            text +=
                " # {trace_id=\"\(exemplar.traceID.hex)\",span_id=\"\(Hex.text(exemplar.spanID))\"} \(number(exemplar.value))"
            text += " \(Double(exemplar.time / 1_000_000) / 1_000)"
        }
        text += "\n"
    }

    private func number(_ value: Double) -> String {
        switch value {
        case .infinity: "+Inf"
        case -.infinity: "-Inf"
        case _ where value.isNaN: "NaN"
        // OpenMetrics' bounds are canonical floats; whole numbers read well in both.
        case _ where value == value.rounded() && abs(value) < 1e15:
            "\(Int64(value))\(format == .openMetrics ? ".0" : "")"
        default: "\(value)"
        }
    }

    private func escaped(_ value: String, quotes: Bool) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\"" where quotes: text += "\\\""
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension HistogramState {
    /// The buckets with their upper bounds, ascending, the last one without bound. Exponential buckets are shown at powers
    /// of two, so that the bounds of a series do not change with its values.
    package var bounds: [(upperBound: Double, count: UInt64)] {
        switch shape {
        case .classic(let bounds, let counts): Array(zip(bounds + [.infinity], counts))
        case .exponential(let buckets): buckets.powersOfTwo
        }
    }
}

extension ExponentialBuckets {
    /// At most 20 powers of four around what was measured.
    fileprivate var powersOfTwo: [(upperBound: Double, count: UInt64)] {
        var counts: [Int: UInt64] = [:]
        var below = zeroCount + negative.counts.reduce(0, +)
        for (place, count) in positive.counts.enumerated() where count > 0 {
            let bound = Self.upperBound(of: positive.offset + place, scale: scale)
            let power = Int((log4(bound)).rounded(.up))
            if power < Self.shownPowers.lowerBound {
                below += count
            } else {
                counts[min(power, Self.shownPowers.upperBound), default: 0] += count
            }
        }
        var shown: [(upperBound: Double, count: UInt64)] = [(0, below)]
        for power in Self.shownPowers.dropLast() { shown.append((pow4(power), counts[power] ?? 0)) }
        return shown + [(.infinity, counts[Self.shownPowers.upperBound] ?? 0)]
    }

    /// From a microsecond to three days, where the unit is seconds.
    private static let shownPowers = -10...9

    private func log4(_ value: Double) -> Double {
        value > 0 ? Double(value.exponent) / 2 + (value.significand > 1 ? 0.5 : 0) : 0
    }

    private func pow4(_ power: Int) -> Double { Double(sign: .plus, exponent: 2 * power, significand: 1) }
}
