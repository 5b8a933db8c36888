// SPDX-License-Identifier: Apache-2.0

/// A sum that keeps what rounding loses (W. Kahan; the variant of A. Neumaier).
struct KahanSum {
    private var sum = 0.0
    private var lost = 0.0

    init() {}

    init(_ values: some Sequence<Double>) { for value in values { add(value) } }

    mutating func add(_ value: Double) {
        let next = sum + value
        if next.isInfinite {
            lost = 0
        } else if abs(sum) >= abs(value) {
            lost += (sum - next) + value
        } else {
            lost += (value - next) + sum
        }
        sum = next
    }

    var total: Double { sum.isInfinite ? sum : sum + lost }
}

/// A mean that does not overflow where its values do not.
struct Mean {
    private var sum = KahanSum()
    private var count = 0.0
    private var running = 0.0
    private var hasInfinite = false

    static func of(_ values: some Sequence<Double>) -> Double {
        var mean = Mean()
        for value in values { mean.add(value) }
        return mean.value
    }

    mutating func add(_ value: Double) {
        count += 1
        sum.add(value)
        if value.isInfinite { hasInfinite = true }
        running += value / count - running / count
    }

    var value: Double {
        let total = sum.total
        return total.isInfinite && !hasInfinite ? running : total / count
    }
}

/// Population variance in one pass (B. Welford).
struct Deviation {
    private(set) var count = 0.0
    private var mean = 0.0
    private var squares = 0.0

    static func variance(_ values: some Sequence<Double>) -> Double {
        var deviation = Deviation()
        for value in values { deviation.add(value) }
        return deviation.variance
    }

    mutating func add(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    }

    var variance: Double { squares / count }
}

enum Quantile {
    /// Between the two neighbours that the rank falls between; not a number for none, infinite outside 0 to 1.
    static func of(_ rank: Double, _ values: [Double]) -> Double {
        if values.isEmpty || rank.isNaN { return .nan }
        if rank < 0 { return -.infinity }
        if rank > 1 { return .infinity }
        let sorted = values.sorted { $0 < $1 || $0.isNaN && !$1.isNaN }
        let place = rank * Double(sorted.count - 1)
        let lower = Int(place.rounded(.down))
        let upper = min(sorted.count - 1, lower + 1)
        let weight = place - place.rounded(.down)
        return sorted[lower] * (1 - weight) + sorted[upper] * weight
    }
}

/// The straight line through samples, by least squares; seconds along it.
struct Regression {
    let slope: Double
    /// The value at `from`.
    let intercept: Double

    init(_ window: borrowing Window, from: Int64) {
        let (times, values) = (window.times, window.values)
        // Exact where nothing changes, and free of differences of infinities.
        if values.allSatisfy({ $0 == values[0] }) {
            (slope, intercept) = values[0].isInfinite ? (.nan, .nan) : (0, values[0])
            return
        }
        var (sumX, sumY, sumXY, sumXX) = (KahanSum(), KahanSum(), KahanSum(), KahanSum())
        for place in 0..<values.count {
            let x = Double(times[place] - from) / 1_000
            sumX.add(x)
            sumY.add(values[place])
            sumXY.add(x * values[place])
            sumXX.add(x * x)
        }
        let count = Double(values.count)
        let covariance = sumXY.total - sumX.total * sumY.total / count
        let variance = sumXX.total - sumX.total * sumX.total / count
        slope = covariance / variance
        intercept = sumY.total / count - slope * sumX.total / count
    }
}
