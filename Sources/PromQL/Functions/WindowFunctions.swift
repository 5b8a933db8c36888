// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// The functions over the samples of a range. What is left out where there are too few follows Prometheus.
extension Function {
    static let windows: [Function] = rates + overTime + trends

    private static let rates: [Function] = [
        window("rate") { window, _ in Rate.change(window, isCounter: true, perSecond: true) },
        window("increase") { window, _ in Rate.change(window, isCounter: true, perSecond: false) },
        window("delta") { window, _ in Rate.change(window, isCounter: false, perSecond: false) },
        window("irate") { window, _ in Rate.latest(window, isCounter: true) },
        window("idelta") { window, _ in Rate.latest(window, isCounter: false) },
        window("resets") { window, _ in Double(window.pairs { $1 < $0 }) },
        window("changes") { window, _ in Double(window.pairs { $0 != $1 && !($0.isNaN && $1.isNaN) }) },
    ]

    private static let overTime: [Function] = [
        window("count_over_time") { window, _ in Double(window.count) },
        window("present_over_time") { _, _ in 1 },
        window("last_over_time", keepsName: true) { window, _ in window.values[window.count - 1] },
        window("first_over_time", keepsName: true) { window, _ in window.values[0] },
        window("sum_over_time") { window, _ in KahanSum(window.values).total },
        window("avg_over_time") { window, _ in Mean.of(window.values) },
        window("min_over_time") { window, _ in window.values[window.place { $0 < $1 }] },
        window("max_over_time") { window, _ in window.values[window.place { $0 > $1 }] },
        window("stddev_over_time") { window, _ in Deviation.variance(window.values).squareRoot() },
        window("stdvar_over_time") { window, _ in Deviation.variance(window.values) },
        window("mad_over_time") { window, _ in
            let median = Quantile.of(0.5, Array(window.values))
            return Quantile.of(0.5, window.values.map { abs($0 - median) })
        },
        window("quantile_over_time", [.scalar, .matrix], at: 1) { window, parameters in
            Quantile.of(parameters[0], Array(window.values))
        },
        window("ts_of_first_over_time") { window, _ in Double(window.times[0]) / 1_000 },
        window("ts_of_last_over_time") { window, _ in Double(window.times[window.count - 1]) / 1_000 },
        window("ts_of_min_over_time") { window, _ in Double(window.times[window.place { $0 <= $1 }]) / 1_000 },
        window("ts_of_max_over_time") { window, _ in Double(window.times[window.place { $0 >= $1 }]) / 1_000 },
    ]

    private static let trends: [Function] = [
        window("deriv") { window, _ in
            window.count < 2 ? nil : Regression(window, from: window.times[0]).slope
        },
        window("predict_linear", [.matrix, .scalar], readsTime: true) { window, parameters in
            guard window.count >= 2 else { return nil }
            let line = Regression(window, from: window.stepTime)
            return line.slope * parameters[0] + line.intercept
        },
        smoothing("holt_winters"), smoothing("double_exponential_smoothing"),
    ]

    /// A function whose `body` has the value of one range; `nil` where that has too few samples.
    @inline(__always)
    private static func window(
        _ name: String, _ parameters: [ValueType] = [.matrix], at place: Int = 0, keepsName: Bool = false,
        readsTime: Bool = false,
        _ body: @escaping @Sendable (borrowing Window, [Double]) throws(EvaluationError) -> Double?
    ) -> Function {
        // A loop for each function, into which it is put: there are hundreds of ranges for each series.
        Function(
            name, parameters, readsTime: readsTime,
            .window(place: place, keepsName: keepsName) { ranges, grid, semantics, scalars in
                try ranges.values(at: grid, semantics, scalars, body)
            })
    }

    /// Holt-Winters without seasons, which version 3 calls by another name.
    private static func smoothing(_ name: String) -> Function {
        window(name, [.matrix, .scalar, .scalar]) { window, parameters throws(EvaluationError) in
            let (level, trend) = (parameters[0], parameters[1])
            for (factor, words) in [(level, "smoothing"), (trend, "trend")] where !(factor > 0 && factor < 1) {
                throw .invalid("invalid \(words) factor: expected 0 < factor < 1, got \(SampleText.of(factor))")
            }
            guard window.count >= 2 else { return nil }
            let values = window.values
            var (before, smoothed, slope) = (0.0, values[0], values[1] - values[0])
            for place in 1..<values.count {
                if place > 1 { slope = trend * (smoothed - before) + (1 - trend) * slope }
                let next = level * values[place] + (1 - level) * (smoothed + slope)
                (before, smoothed) = (smoothed, next)
            }
            return smoothed
        }
    }
}

extension Window {
    /// How many neighbours `test` holds for.
    fileprivate func pairs(_ test: (Double, Double) -> Bool) -> Int {
        var count = 0
        for place in 1..<Swift.max(1, values.count) where test(values[place - 1], values[place]) { count += 1 }
        return count
    }

    /// Where the value stands that beats all before it; one that is not a number is beaten by any.
    fileprivate func place(_ beats: (Double, Double) -> Bool) -> Int {
        var best = 0
        for place in 1..<Swift.max(1, values.count)
        where beats(values[place], values[best]) || values[best].isNaN && !values[place].isNaN {
            best = place
        }
        return best
    }
}

/// How fast a series changes.
enum Rate {
    /// What the series changed by between the bounds of the range.
    static func change(_ window: borrowing Window, isCounter: Bool, perSecond: Bool) -> Double? {
        let whole =
            window.edges == .asFound
            ? extrapolated(window, isCounter: isCounter) : betweenEdges(window, isCounter: isCounter)
        guard let whole, perSecond else { return whole }
        return whole / (Double(window.end - window.start) / 1_000)
    }

    /// From the value at one bound to that at the other.
    private static func betweenEdges(_ window: borrowing Window, isCounter: Bool) -> Double {
        let (times, values, last) = (window.times, window.values, window.count - 1)
        func line(_ place: Int, at time: Int64) -> Double {
            let (before, after) = (values[place], values[place + 1])
            // A counter that was set back began at zero.
            let from = isCounter && after < before ? 0 : before
            return from + (after - from) * Double(time - times[place]) / Double(times[place + 1] - times[place])
        }
        let isSmoothed = window.edges == .smoothed
        let left = isSmoothed && last > 0 && times[0] < window.start ? line(0, at: window.start) : values[0]
        let right = isSmoothed && last > 0 && times[last] > window.end ? line(last - 1, at: window.end) : values[last]
        guard isCounter else { return right - left }
        var (change, before) = (right - left, left)
        for place in 0...last where times[place] > window.start && times[place] < window.end {
            if values[place] < before { change += before }
            before = values[place]
        }
        return right < before ? change + before : change
    }

    /// By the samples within it alone, of which seldom one is at a bound: the slope is taken to go on to a
    /// bound that is near, and half the usual distance between samples beyond the last one where it is not.
    private static func extrapolated(_ window: borrowing Window, isCounter: Bool) -> Double? {
        let last = window.count - 1
        guard last >= 1 else { return nil }
        let values = window.values
        var change = values[last] - values[0]
        if isCounter, !window.neverFalls {
            for place in 1...last where values[place] < values[place - 1] { change += values[place - 1] }
        }
        let sampled = Double(window.times[last] - window.times[0]) / 1_000
        var toStart = Double(window.times[0] - window.start) / 1_000
        var toEnd = Double(window.end - window.times[last]) / 1_000
        let between = sampled / Double(last)
        let near = between * 1.1
        // A counter does not go below zero.
        let toZero = isCounter && change > 0 && values[0] >= 0 ? sampled * (values[0] / change) : .infinity
        // Version 2 looks for zero before it asks what is near, version 3 after.
        if window.semantics == .v2 { toStart = min(toStart, toZero) }
        if toStart >= near { toStart = between / 2 }
        if window.semantics == .v3 { toStart = min(toStart, toZero) }
        if toEnd >= near { toEnd = between / 2 }
        return change * ((sampled + toStart + toEnd) / sampled)
    }

    /// Between the last two samples: per second of a counter, the difference of anything else.
    static func latest(_ window: borrowing Window, isCounter: Bool) -> Double? {
        let last = window.count - 1
        guard last >= 1 else { return nil }
        let (before, now) = (window.values[last - 1], window.values[last])
        let milliseconds = window.times[last] - window.times[last - 1]
        guard milliseconds > 0 else { return nil }
        guard isCounter else { return now - before }
        return (now < before ? now : now - before) / (Double(milliseconds) / 1_000)
    }
}
