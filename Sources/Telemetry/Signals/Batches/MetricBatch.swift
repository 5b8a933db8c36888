// SPDX-License-Identifier: Apache-2.0

/// Metrics from one request, in columns: a row for each metric, a row for each of its points, and pools of the numbers of
/// histograms.
public struct MetricBatch: Sendable {
    public enum Kind: UInt8, Sendable {
        /// The numbers of fields in OTLP's `Metric`.
        case gauge = 5
        case sum = 7
        case histogram = 9
        case exponentialHistogram = 10
        case summary = 11
    }

    /// Since when the points of a sum or histogram count.
    public enum Temporality: UInt8, Sendable {
        case unspecified
        /// Since the point before.
        case delta
        /// Since the start of the series.
        case cumulative
    }

    public struct Metric: Sendable {
        public var scope: Int
        public var name = TextRange.empty
        public var about = TextRange.empty
        public var unit = TextRange.empty
        public var kind = Kind.gauge
        public var temporality = Temporality.unspecified
        public var isMonotonic = false
        /// Places in ``MetricBatch/points``.
        public var points: Range<Int>

        public init(scope: Int, points: Range<Int>) {
            self.scope = scope
            self.points = points
        }
    }

    public enum Value: Sendable {
        case int(Int64)
        case double(Double)
        /// A place in ``MetricBatch/histograms``.
        case histogram(Int)
        /// There is none: the series has ended (`FLAG_NO_RECORDED_VALUE`).
        case none
    }

    public struct Point: Sendable {
        /// Nanoseconds since 1970; 0 where the sender did not say.
        public var start: UInt64 = 0
        public var time: UInt64 = 0
        public var flags: UInt32 = 0
        public var value = Value.none
        public var attributes = 0..<0
        /// Places in ``MetricBatch/exemplars``.
        public var exemplars = 0..<0

        public init() {}
    }

    /// Of all three kinds: classic, exponential and summary.
    public struct Histogram: Sendable {
        public var count: UInt64 = 0
        public var sum: Double?
        public var min: Double?
        public var max: Double?
        /// Classic: bounds, of which there is one less than counts. A summary's quantiles.
        public var bounds = 0..<0
        /// Classic: counts. Exponential: those of positive values.
        public var counts = 0..<0
        /// A summary's values.
        public var values = 0..<0
        public var scale: Int32 = 0
        public var zeroCount: UInt64 = 0
        public var zeroThreshold = 0.0
        public var positiveOffset: Int32 = 0
        public var negativeOffset: Int32 = 0
        public var negativeCounts = 0..<0

        public init() {}
    }

    public struct ExemplarRow: Sendable {
        public var time: UInt64 = 0
        public var value = 0.0
        public var traceHigh: UInt64 = 0
        public var traceLow: UInt64 = 0
        public var spanID: UInt64 = 0
        public var attributes = 0..<0

        public init() {}
    }

    public var bytes: [UInt8] = []
    public var origins = BatchOrigins()
    public var metrics: [Metric] = []
    public var points: [Point] = []
    public var histograms: [Histogram] = []
    public var exemplars: [ExemplarRow] = []
    /// Attributes of points, then of exemplars.
    public var attributes = AttributeColumns()
    public var exemplarAttributes = AttributeColumns()
    /// Bounds, quantiles and values of histograms and summaries.
    public var numbers: [Double] = []
    /// Counts of histograms.
    public var counts: [UInt64] = []

    public init() {}

    /// Points, which is what OTLP counts.
    public var count: Int { points.count }

    /// Attributes, exemplars and numbers.
    public var parts: Int {
        attributes.count + exemplars.count + exemplarAttributes.count + numbers.count + counts.count
    }
}
