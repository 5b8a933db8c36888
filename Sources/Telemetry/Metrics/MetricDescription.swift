// SPDX-License-Identifier: Apache-2.0

/// What is known of a metric before it is recorded: its meaning, unit and shape.
///
/// Metrics without a description work all the same, with a unit guessed from how they are recorded.
public struct MetricDescription: Sendable {
    public enum Kind: String, Sendable {
        /// Only grows; a Prometheus counter.
        case counter
        /// Goes up and down.
        case gauge
        /// How often values fell into which range.
        case histogram
    }

    /// How a histogram divides its values.
    public enum Buckets: Hashable, Sendable {
        /// Upper bounds, ascending, inclusive; a last one without bound is added.
        case bounds([Double])
        /// Base-2 exponential buckets that widen by themselves, at most so many on each side of zero (OpenTelemetry
        /// metrics data model, ExponentialHistogram). The relative error is below 5 % with 160.
        case exponential(bucketsMax: Int)

        /// Semantic conventions 1.44, `http.server.request.duration`, in seconds.
        public static let requestSeconds = Buckets.bounds([
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        ])
        /// Semantic conventions 1.44, `db.client.operation.duration`, in seconds.
        public static let databaseSeconds = Buckets.bounds([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
        /// The OpenTelemetry SDK specification's default, for values of any unit.
        public static let general = Buckets.bounds([
            0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000,
        ])
    }

    /// As instruments are made, such as `http.server.request.duration`.
    public let name: String
    public let kind: Kind
    /// In UCUM, such as `s`, `By` or `1`; `{order}` is a count of orders.
    public let unit: String
    /// One sentence.
    public let about: String
    /// The labels it comes with.
    public let labels: [String]
    public let buckets: Buckets

    /// The name of its family in Prometheus; samples of a counter end in `_total`.
    public var prometheusName: String { PrometheusName.family(name, unit: unit, kind: kind) }

    public init(
        _ name: String, _ kind: Kind, unit: String, labels: [String] = [], buckets: Buckets = .requestSeconds,
        _ about: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.buckets = buckets
        self.about = about
    }
}
