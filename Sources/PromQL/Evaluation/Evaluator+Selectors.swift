// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Samples: the latest at each step, or those of a range before it.
extension Evaluator {
    /// What a selector or subquery looks at.
    struct View {
        /// The same time at each step, by `@`.
        let fixed: Int64?
        let offset: Int64

        /// The times that the steps look at.
        func ends(_ grid: Grid) -> Ends {
            Ends(first: (fixed ?? grid.start) - offset, step: fixed == nil ? grid.step : 0)
        }
    }

    /// The time that each step looks at, evenly apart or all the same.
    struct Ends {
        let first: Int64
        let step: Int64

        subscript(place: Int) -> Int64 { first + Int64(place) * step }
    }

    private func view(_ shift: TimeShift) throws -> View {
        let fixed: Int64? =
            switch shift.anchor {
            case .time(let time): time
            case .start: query.bounds.lowerBound
            case .end: query.bounds.upperBound
            case nil: nil
            }
        return View(fixed: fixed, offset: try shift.offset?.milliseconds(in: query) ?? 0)
    }

    private func positive(_ length: Length) throws -> Int64 {
        let milliseconds = try length.milliseconds(in: query)
        guard milliseconds > 0 else {
            throw EvaluationError.invalid("duration must be greater than 0: \(length.text)")
        }
        return milliseconds
    }

    /// Milliseconds by which the first moment of a range is left out.
    private var opening: Int64 { settings.semantics == .v3 ? 1 : 0 }

    /// The latest sample of each series; with `readsTimes` its time in seconds, instead of its value.
    func select(_ selector: Selector, _ grid: Grid, readsTimes: Bool = false, _ take: @escaping Take) throws {
        if selector.edges == .smoothed { return try selectSmoothed(selector, grid, take) }
        let view = try view(selector.shift)
        let ends = view.ends(grid)
        let back = settings.lookBack - opening
        let selection = SeriesSelection(selector.matchers, ends[0] - back...ends[grid.count - 1])
        try read(selection, grid, take) { samples in
            var values = Array(repeating: Row.absent, count: grid.count)
            var (next, isThere) = (0, false)
            for place in 0..<grid.count {
                let time = ends[place]
                while next < samples.count, samples.times[next] <= time { next += 1 }
                guard next > 0, samples.times[next - 1] >= time - back else { continue }
                let value = samples.values[next - 1]
                guard !Row.isAbsent(value) else { continue }
                values[place] = readsTimes ? Double(samples.times[next - 1]) / 1_000 : value
                isThere = true
            }
            return isThere ? values : nil
        }
    }

    /// Values of rows that one thread makes before they are handed over: with four threads some 4 MiB wait at most.
    private static let batchValues = 32_768

    /// Hands over the values that `values` makes of the samples of each series; `nil` where it has none.
    private func read(
        _ selection: SeriesSelection, _ grid: Grid, _ take: Take,
        _ values: @escaping @Sendable (SampleColumns) throws -> [Double]?
    ) throws {
        let batch = max(1, min(128, Self.batchValues / grid.count))
        try source.select(selection, threads: settings.threads, batch: batch) {
            try budget.look()
        } _: { labels, samples in
            (count: samples.count, row: try values(samples).map { Row(labels: labels, values: $0) })
        } _: { read in
            try budget.read(samples: read.count)
            if let row = read.row { try take(row) }
        }
    }

    /// The value of each series on the straight line between the samples beside a step, and the latest where none follows.
    private func selectSmoothed(_ selector: Selector, _ grid: Grid, _ take: @escaping Take) throws {
        let view = try view(selector.shift)
        let back = settings.lookBack - opening
        let ends = view.ends(grid)
        let times = ends[0] - back...ends[grid.count - 1] + settings.lookBack
        let lookBack = settings.lookBack
        try read(SeriesSelection(selector.matchers, times), grid, take) { samples in
            let samples = samples.living
            var (values, next) = (Array(repeating: Row.absent, count: grid.count), 0)
            for place in 0..<grid.count {
                let time = ends[place]
                while next < samples.count, samples.times[next] <= time { next += 1 }
                guard next > 0, samples.times[next - 1] >= time - back else { continue }
                let (before, value) = (samples.times[next - 1], samples.values[next - 1])
                values[place] = value
                guard before < time, next < samples.count, samples.times[next] <= time + lookBack else { continue }
                let share = Double(time - before) / Double(samples.times[next] - before)
                values[place] = value + (samples.values[next] - value) * share
            }
            return values.contains { !Row.isAbsent($0) } ? values : nil
        }
    }

    /// Samples of series, with what each step sees of them.
    struct Ranges {
        var samples = SampleColumns()
        var edges = Selector.Edges.asFound
        /// How far beyond its bounds a range with values at them looks, in milliseconds.
        var reach: Int64 = 0
        let length: Int64
        /// The last time that each step sees.
        let ends: Ends
        let opening: Int64

        /// The same of another series.
        func of(_ samples: SampleColumns) -> Ranges {
            var ranges = self
            ranges.samples = samples.living
            return ranges
        }

        /// What `body` makes of the samples of each step; `nil` where it makes nothing of any.
        @inline(__always)
        func values(
            at grid: Grid, _ semantics: Semantics, _ scalars: [[Double]],
            _ body: (borrowing Window, [Double]) throws -> Double?
        ) throws -> [Double]? {
            var (values, isThere) = (Array(repeating: Row.absent, count: grid.count), false)
            try values.withUnsafeMutableBufferPointer { values in
                try forEachStep(of: grid, semantics) { step, window in
                    guard let value = try body(window, scalars.isEmpty ? [] : scalars.map { $0[step] }) else { return }
                    values[step] = value
                    isThere = true
                }
            }
            return isThere ? values : nil
        }

        /// Calls `body` with the samples of each step that has any.
        @inline(__always)
        func forEachStep(
            of grid: Grid, _ semantics: Semantics, _ body: (Int, borrowing Window) throws -> Void
        ) throws {
            try samples.times.withUnsafeBufferPointer { times in
                try samples.values.withUnsafeBufferPointer { values in
                    let neverFalls = !(1..<max(1, values.count)).contains { values[$0] < values[$0 - 1] }
                    var (low, high) = (0, 0)
                    for place in 0..<grid.count {
                        let end = ends[place]
                        while high < times.count, times[high] <= end { high += 1 }
                        while low < high, times[low] < end - length + opening { low += 1 }
                        let seen = seen(low..<high, times, from: end - length, through: end)
                        guard !seen.isEmpty else { continue }
                        let window = Window(
                            times: UnsafeBufferPointer(rebasing: times[seen]),
                            values: UnsafeBufferPointer(rebasing: values[seen]), start: end - length, end: end,
                            stepTime: grid.time(place), edges: edges, neverFalls: neverFalls, semantics: semantics)
                        try body(place, window)
                    }
                }
            }
        }

        /// With the sample before the range and, for a line to it, the one after, where the bounds are to have values. Empty
        /// where all is before.
        private func seen(
            _ within: Range<Int>, _ times: UnsafeBufferPointer<Int64>, from start: Int64, through end: Int64
        ) -> Range<Int> {
            if edges == .asFound { return within }
            var (low, high) = (within.lowerBound, within.upperBound)
            if low > 0, times[low - 1] > start - reach { low -= 1 }
            let endsBefore = high == 0 || times[high - 1] < end
            if edges == .smoothed, endsBefore, high < times.count, times[high] <= end + reach { high += 1 }
            return low < high && times[high - 1] > start ? low..<high : low..<low
        }
    }

    /// What a range vector's steps see, and the series that are to be read for it.
    private func opened(_ selector: Selector, _ length: Length, _ grid: Grid) throws -> (SeriesSelection, Ranges) {
        let ranges = Ranges(
            edges: selector.edges, reach: selector.edges == .asFound ? 0 : settings.lookBack,
            length: try positive(length), ends: try view(selector.shift).ends(grid), opening: opening)
        let first = ranges.ends[0] - ranges.length - ranges.reach + opening
        let last = ranges.ends[grid.count - 1] + (selector.edges == .smoothed ? ranges.reach : 0)
        return (SeriesSelection(selector.matchers, first...last), ranges)
    }

    /// The value of a function over the samples of each series in a range vector.
    func windows(
        _ function: @escaping WindowFunction, _ expression: Expression, _ scalars: [[Double]], _ grid: Grid,
        _ take: @escaping Take
    ) throws {
        let semantics = settings.semantics
        if case .range(let selector, let length) = expression.bare.form {
            let (selection, opened) = try opened(selector, length, grid)
            return try read(selection, grid, take) { try function(opened.of($0), grid, semantics, scalars) }
        }
        try ranges(expression, grid) { labels, ranges in
            guard let values = try function(ranges, grid, semantics, scalars) else { return }
            try take(Row(labels: labels, values: values))
        }
    }

    /// Each series of a range vector.
    func ranges(_ expression: Expression, _ grid: Grid, _ body: @escaping (LabelSet, Ranges) throws -> Void) throws {
        switch expression.bare.form {
        case .range(let selector, let length):
            let (selection, opened) = try opened(selector, length, grid)
            try source.select(selection) { labels, samples in
                try budget.read(samples: samples.count)
                try body(labels, opened.of(samples))
            }
        case .subquery(let subquery): try ranges(subquery, grid, body)
        default: preconditionFailure("the parser lets only range vectors stand here")
        }
    }

    private func ranges(_ subquery: Subquery, _ grid: Grid, _ body: @escaping (LabelSet, Ranges) throws -> Void) throws
    {
        let (view, length) = (try view(subquery.shift), try positive(subquery.range))
        let ends = view.ends(grid)
        let step = try subquery.step.map { try positive($0) } ?? settings.subqueryStep
        // At multiples of the step, whatever the query's own times are.
        let earliest = ends[0] - length
        var start = earliest / step * step
        if start < earliest + opening { start += step }
        let last = ends[grid.count - 1]
        guard start <= last else { return }
        let inner = Grid(start: start, step: step, count: Int((last - start) / step) + 1)
        try budget.read(samples: inner.count)
        try rows(subquery.inner, inner) { row in
            let samples = inner.samples(row.values)
            try budget.read(samples: samples.count)
            try body(row.labels, Ranges(samples: samples, length: length, ends: ends, opening: opening))
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
        guard values.contains(where: { Row.isAbsent($0) }) else { return self }
        var living = SampleColumns()
        for place in 0..<count where !Row.isAbsent(values[place]) { living.append(times[place], values[place]) }
        return living
    }
}
