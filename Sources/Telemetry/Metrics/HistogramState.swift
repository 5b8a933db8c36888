// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// What a histogram has counted.
public struct HistogramState: Sendable {
    /// The buckets, by kind.
    public enum Shape: Sendable {
        /// Counts for each bound and for what is above the last.
        case classic(bounds: [Double], counts: [UInt64])
        case exponential(ExponentialBuckets)
    }

    public private(set) var shape: Shape
    public private(set) var count: UInt64 = 0
    public private(set) var sum = 0.0
    public private(set) var smallest = Double.infinity
    public private(set) var largest = -Double.infinity
    /// The latest exemplar of each bucket of a classic histogram, by its place.
    public private(set) var exemplars: [Int: Exemplar] = [:]

    init(_ buckets: MetricDescription.Buckets) {
        switch buckets {
        case .bounds(let bounds):
            let ascending = Set(bounds.filter(\.isFinite)).sorted()
            shape = .classic(bounds: ascending, counts: Array(repeating: 0, count: ascending.count + 1))
        case .exponential(let bucketsMax): shape = .exponential(ExponentialBuckets(bucketsMax: max(2, bucketsMax)))
        }
    }

    mutating func record(_ value: Double) {
        count += 1
        sum += value
        smallest = min(smallest, value)
        largest = max(largest, value)
        switch shape {
        case .classic(let bounds, var counts):
            // Taken out of the enum, so that the counts are changed in place.
            shape = .classic(bounds: [], counts: [])
            counts[Self.place(of: value, in: bounds)] += 1
            shape = .classic(bounds: bounds, counts: counts)
        case .exponential(var buckets):
            shape = .classic(bounds: [], counts: [])
            buckets.record(value)
            shape = .exponential(buckets)
        }
    }

    mutating func attach(_ exemplar: Exemplar) {
        guard case .classic(let bounds, _) = shape else { return }
        exemplars[Self.place(of: exemplar.value, in: bounds)] = exemplar
    }

    /// The first bound that is not below the value. Few bounds, so they are walked.
    private static func place(of value: Double, in bounds: [Double]) -> Int {
        var place = 0
        while place < bounds.count, bounds[place] < value { place += 1 }
        return place
    }
}

/// Buckets whose bounds are powers of `2^(2^-scale)` (OpenTelemetry metrics data model, ExponentialHistogram).
public struct ExponentialBuckets: Sendable {
    /// Counts from the bucket `offset` on; bucket `i` holds values in (base^i, base^(i+1)].
    public struct Side: Sendable {
        public internal(set) var offset = 0
        public internal(set) var counts: [UInt64] = []
    }

    public private(set) var scale = 20
    public private(set) var zeroCount: UInt64 = 0
    public private(set) var positive = Side()
    public private(set) var negative = Side()
    private let bucketsMax: Int

    private static let scaleMin = -10

    init(bucketsMax: Int) { self.bucketsMax = bucketsMax }

    mutating func record(_ value: Double) {
        if value == 0 || !value.isNormal { return zeroCount += 1 }
        let magnitude = abs(value)
        let side = value > 0 ? \Self.positive : \Self.negative
        var index = Self.index(of: magnitude, scale)
        while !fits(index, self[keyPath: side]), scale > Self.scaleMin {
            halve()
            index = Self.index(of: magnitude, scale)
        }
        add(index, to: side)
    }

    private func fits(_ index: Int, _ side: Side) -> Bool {
        guard !side.counts.isEmpty else { return true }
        let first = min(side.offset, index)
        let last = max(side.offset + side.counts.count - 1, index)
        return last - first < bucketsMax
    }

    private mutating func add(_ index: Int, to side: WritableKeyPath<Self, Side>) {
        if self[keyPath: side].counts.isEmpty { self[keyPath: side].offset = index }
        let before = self[keyPath: side].offset - index
        if before > 0 {
            self[keyPath: side].counts.insert(contentsOf: repeatElement(0, count: before), at: 0)
            self[keyPath: side].offset = index
        }
        let place = index - self[keyPath: side].offset
        let missing = place - self[keyPath: side].counts.count + 1
        if missing > 0 { self[keyPath: side].counts.append(contentsOf: repeatElement(0, count: missing)) }
        self[keyPath: side].counts[place] += 1
    }

    /// One step coarser: two neighbours become one.
    private mutating func halve() {
        scale -= 1
        positive = Self.halved(positive)
        negative = Self.halved(negative)
    }

    private static func halved(_ side: Side) -> Side {
        guard !side.counts.isEmpty else { return side }
        var half = Side(offset: side.offset >> 1, counts: [])
        let last = (side.offset + side.counts.count - 1) >> 1
        half.counts = Array(repeating: 0, count: last - half.offset + 1)
        for (place, count) in side.counts.enumerated() {
            half.counts[(side.offset + place) >> 1 - half.offset] += count
        }
        return half
    }

    /// The bucket of a positive value. Powers of two are bounds at every scale and belong to the bucket below.
    static func index(of value: Double, _ scale: Int) -> Int {
        let (exponent, isPower) = (Int(value.exponent), value.significandBitPattern == 0)
        if scale <= 0 { return (isPower ? exponent - 1 : exponent) >> -scale }
        if isPower { return (exponent << scale) - 1 }
        let within = Int(log2(value.significand) * Double(1 << scale))
        return (exponent << scale) + min(within, 1 << scale - 1)
    }

    /// The upper bound of a bucket.
    public static func upperBound(of index: Int, scale: Int) -> Double {
        exp2(Double(index + 1) * exp2(-Double(scale)))
    }
}

/// A trace that shows how a value came about.
public struct Exemplar: Sendable {
    public let value: Double
    public let traceID: TraceID
    public let spanID: UInt64
    /// Nanoseconds since 1970.
    public let time: UInt64

    public init(value: Double, traceID: TraceID, spanID: UInt64, time: UInt64) {
        self.value = value
        self.traceID = traceID
        self.spanID = spanID
        self.time = time
    }
}
