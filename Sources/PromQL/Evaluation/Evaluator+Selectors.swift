// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Samples: the latest at each step, or those of a range before it.
extension Evaluator {
    /// The time that a step looks at.
    private func time(_ place: Int, _ grid: Grid, _ shift: TimeShift) -> Int64 {
        let time =
            switch shift.anchor {
            case .time(let time): time
            case .start: bounds.lowerBound
            case .end: bounds.upperBound
            case nil: grid.time(place)
            }
        return time - shift.offset
    }

    /// Milliseconds by which the first moment of a range is left out.
    private var opening: Int64 { settings.semantics == .v3 ? 1 : 0 }

    /// The latest sample of each series; with `readsTimes` its time in seconds, instead of its value.
    func select(_ selector: Selector, _ grid: Grid, readsTimes: Bool = false, _ take: @escaping Take) throws {
        let (first, last) = (time(0, grid, selector.shift), time(grid.count - 1, grid, selector.shift))
        let back = settings.lookBack - opening
        try source.select(SeriesSelection(selector.matchers, first - back...last)) { labels, samples in
            try budget.read(samples: samples.count)
            var values = Array(repeating: Row.absent, count: grid.count)
            var (next, isThere) = (0, false)
            for place in 0..<grid.count {
                let time = time(place, grid, selector.shift)
                while next < samples.count, samples.times[next] <= time { next += 1 }
                guard next > 0, samples.times[next - 1] >= time - back else { continue }
                let value = samples.values[next - 1]
                guard !StaleMarker.isStale(value) else { continue }
                values[place] = readsTimes ? Double(samples.times[next - 1]) / 1_000 : value
                isThere = true
            }
            if isThere { try take(Row(labels: labels, values: values)) }
        }
    }

    /// Samples of series, with what each step sees of them.
    struct Ranges {
        let samples: SampleColumns
        let length: Int64
        /// The last time that a step sees.
        let end: (Int) -> Int64
        let opening: Int64

        /// Calls `body` with the samples of each step that has any.
        func forEachStep(
            of grid: Grid, _ semantics: Semantics, _ body: (Int, borrowing Window) throws -> Void
        ) throws {
            try samples.times.withUnsafeBufferPointer { times in
                try samples.values.withUnsafeBufferPointer { values in
                    var (low, high) = (0, 0)
                    for place in 0..<grid.count {
                        let end = end(place)
                        while high < times.count, times[high] <= end { high += 1 }
                        while low < high, times[low] < end - length + opening { low += 1 }
                        guard low < high else { continue }
                        let window = Window(
                            times: UnsafeBufferPointer(rebasing: times[low..<high]),
                            values: UnsafeBufferPointer(rebasing: values[low..<high]), start: end - length, end: end,
                            stepTime: grid.time(place), semantics: semantics)
                        try body(place, window)
                    }
                }
            }
        }
    }

    /// Each series of a range vector.
    func ranges(_ expression: Expression, _ grid: Grid, _ body: @escaping (LabelSet, Ranges) throws -> Void) throws {
        switch expression.bare.form {
        case .range(let selector, let length):
            let end: (Int) -> Int64 = { time($0, grid, selector.shift) }
            let times = end(0) - length + opening...end(grid.count - 1)
            try source.select(SeriesSelection(selector.matchers, times)) { labels, samples in
                try budget.read(samples: samples.count)
                try body(labels, Ranges(samples: samples.living, length: length, end: end, opening: opening))
            }
        case .subquery(let subquery): try ranges(subquery, grid, body)
        default: preconditionFailure("the parser lets only range vectors stand here")
        }
    }

    private func ranges(_ subquery: Subquery, _ grid: Grid, _ body: @escaping (LabelSet, Ranges) throws -> Void) throws
    {
        let end: (Int) -> Int64 = { time($0, grid, subquery.shift) }
        let step = subquery.step ?? settings.subqueryStep
        // At multiples of the step, whatever the query's own times are.
        let earliest = end(0) - subquery.range
        var start = earliest / step * step
        if start < earliest + opening { start += step }
        let last = end(grid.count - 1)
        guard start <= last else { return }
        let inner = Grid(start: start, step: step, count: Int((last - start) / step) + 1)
        try budget.read(samples: inner.count)
        try rows(subquery.inner, inner) { row in
            let samples = inner.samples(row.values)
            try budget.read(samples: samples.count)
            try body(row.labels, Ranges(samples: samples, length: subquery.range, end: end, opening: opening))
        }
    }

    /// The samples themselves of a range vector, at one time.
    func samples(_ expression: Expression, _ grid: Grid) throws -> [QuerySeries] {
        var series: [QuerySeries] = []
        try ranges(expression, grid) { labels, ranges in
            var samples = SampleColumns()
            try ranges.forEachStep(of: grid, settings.semantics) { _, window in
                samples = SampleColumns(times: Array(window.times), values: Array(window.values))
            }
            try budget.hold(bytes: samples.count * 16 + 200)
            if !samples.isEmpty { series.append(QuerySeries(labels: labels, samples: samples)) }
        }
        return series.sorted { $0.labels < $1.labels }
    }
}

extension SampleColumns {
    /// Without the marks of an end.
    fileprivate var living: SampleColumns {
        guard values.contains(where: StaleMarker.isStale) else { return self }
        var living = SampleColumns()
        for place in 0..<count where !StaleMarker.isStale(values[place]) { living.append(times[place], values[place]) }
        return living
    }
}
