// SPDX-License-Identifier: Apache-2.0

/// A label of a series.
public struct MetricLabel: Hashable, Sendable, Comparable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    public static func < (left: Self, right: Self) -> Bool { (left.name, left.value) < (right.name, right.value) }
}

/// What a series holds at one moment.
public struct MetricPoint: Sendable {
    public enum Value: Sendable {
        /// Only grows, from the start of the process.
        case sum(Double)
        case gauge(Double)
        case histogram(HistogramState)
    }

    /// As they were recorded, such as `http.route`.
    public let attributes: [MetricLabel]
    /// As Prometheus names them, such as `http_route`, sorted.
    public let labels: [MetricLabel]
    public let value: Value

    public init(attributes: [MetricLabel], labels: [MetricLabel], value: Value) {
        self.attributes = attributes
        self.labels = labels
        self.value = value
    }
}

/// A metric with all its series.
public struct MetricFamily: Sendable {
    /// As the instrument was made, such as `http.server.request.duration`.
    public let name: String
    /// As Prometheus names it, without the endings of its samples.
    public let prometheusName: String
    public let kind: MetricDescription.Kind
    public let unit: String
    public let about: String
    public let points: [MetricPoint]
}
