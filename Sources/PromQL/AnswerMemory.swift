// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import Telemetry

/// Answers over ranges, each as far as no sample has changed since: a dashboard asks the same again and again, a little later
/// each time, and only what is new is evaluated. Those that have not been asked for the longest time go first.
package final class AnswerMemory: Sendable {
    private struct Question: Hashable {
        let text: String
        let step: Int64
        /// Where its steps stand.
        let phase: Int64
    }

    private struct Answer {
        let grid: Grid
        let series: [QuerySeries]
        /// The source's, before it was evaluated.
        let revision: UInt64
        var askedAt: UInt64 = 0

        var bytes: Int { series.reduce(200) { $0 + 300 + $1.samples.count * 16 } }

        /// How many of the first steps of `grid` are answered, where nothing at or after `earliest` may be used.
        func steps(of grid: Grid, before earliest: Int64?) -> Int {
            guard self.grid.start <= grid.start, grid.start <= self.grid.end else { return 0 }
            let last = min(self.grid.end, grid.end)
            let count = Int((last - grid.start) / grid.step) + 1
            guard let earliest, earliest <= last else { return count }
            return earliest <= grid.start ? 0 : Int((earliest - 1 - grid.start) / grid.step) + 1
        }
    }

    private struct State {
        var answers: [Question: Answer] = [:]
        var bytes = 0
        var asked: UInt64 = 0
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    /// `bytesMax` is about the memory that answers may take; none takes more than a quarter of it.
    package init(bytesMax: Int = 8 << 20) { self.bytesMax = bytesMax }

    /// The answer to a query that looks back only; `evaluate` is asked for the steps that are not known.
    ///
    /// - Throws: What `evaluate` throws.
    func answer(
        _ text: String, _ grid: Grid, on source: any SeriesSource, _ evaluate: (Grid) throws -> [QuerySeries]
    ) throws -> [QuerySeries] {
        let phase = (grid.start % grid.step + grid.step) % grid.step
        let question = Question(text: text, step: grid.step, phase: phase)
        let known = state.withLock { $0.answers[question] }
        // Before anything is read, so that what comes meanwhile counts as a change.
        let changes = source.changes(since: known?.revision ?? 0)
        let count = known?.steps(of: grid, before: changes.earliest) ?? 0
        var series: [QuerySeries] = []
        if let known, count > 0 {
            series = known.series.within(grid.start...grid.time(count - 1))
        }
        if count < grid.count {
            series = series.followed(
                by: try evaluate(Grid(start: grid.time(count), step: grid.step, count: grid.count - count)))
        }
        // A part of what is known says nothing new.
        let isNew = known == nil || count < grid.count || changes.earliest != nil
        remember(question, Answer(grid: grid, series: series, revision: changes.revision), isNew: isNew)
        return series
    }

    private func remember(_ question: Question, _ answer: Answer, isNew: Bool) {
        state.withLock { state in
            state.asked += 1
            guard isNew || state.answers[question] == nil else {
                state.answers[question]?.askedAt = state.asked
                return
            }
            if let before = state.answers.removeValue(forKey: question) { state.bytes -= before.bytes }
            guard answer.bytes <= bytesMax / 4 else { return }
            state.answers[question] = answer
            state.answers[question]?.askedAt = state.asked
            state.bytes += answer.bytes
            while state.bytes > bytesMax, let oldest = state.answers.min(by: { $0.value.askedAt < $1.value.askedAt }) {
                state.answers[oldest.key] = nil
                state.bytes -= oldest.value.bytes
            }
        }
    }
}

extension [QuerySeries] {
    fileprivate func within(_ times: ClosedRange<Int64>) -> [QuerySeries] {
        compactMap { series -> QuerySeries? in
            let all = series.samples
            let low = all.times.firstIndex { $0 >= times.lowerBound } ?? all.count
            let high = (all.times.lastIndex { $0 <= times.upperBound } ?? -1) + 1
            guard low < high else { return nil }
            if high - low == all.count { return series }
            let samples = SampleColumns(times: [Int64](all.times[low..<high]), values: [Double](all.values[low..<high]))
            return QuerySeries(labels: series.labels, samples: samples)
        }
    }

    /// With later values, of the same series or others; sorted by labels, as both are.
    fileprivate func followed(by later: [QuerySeries]) -> [QuerySeries] {
        if isEmpty { return later }
        var (all, rest) = ([QuerySeries](), later[...])
        all.reserveCapacity(Swift.max(count, later.count))
        for series in self {
            while let next = rest.first, next.labels < series.labels { all.append(rest.removeFirst()) }
            guard let next = rest.first, next.labels == series.labels else {
                all.append(series)
                continue
            }
            rest.removeFirst()
            let samples = SampleColumns(
                times: series.samples.times + next.samples.times, values: series.samples.values + next.samples.values)
            all.append(QuerySeries(labels: series.labels, samples: samples))
        }
        return all + rest
    }
}

extension Expression {
    /// What it yields at a step depends on the samples up to that step alone, whatever else is asked for.
    var looksBackOnly: Bool {
        switch form {
        case .number, .string: true
        case .selector(let selector): selector.looksBackOnly
        case .range(let selector, let length): selector.looksBackOnly && length.fixed != nil
        case .subquery(let subquery):
            subquery.inner.looksBackOnly && subquery.shift.looksBackOnly && subquery.range.fixed != nil
                && (subquery.step == nil || subquery.step?.fixed != nil)
        case .call(let function, let arguments): function.looksBackOnly && arguments.allSatisfy(\.looksBackOnly)
        case .aggregation(let aggregation):
            // Which ones are the first is said by all that was read.
            aggregation.operator != .limitk && aggregation.inner.looksBackOnly
                && aggregation.parameter?.looksBackOnly != false
        case .binary(let binary): binary.left.looksBackOnly && binary.right.looksBackOnly
        case .negation(let inner), .parentheses(let inner): inner.looksBackOnly
        }
    }
}

extension Selector {
    fileprivate var looksBackOnly: Bool { edges != .smoothed && shift.looksBackOnly }
}

extension TimeShift {
    fileprivate var looksBackOnly: Bool {
        guard let offset else { return anchor == nil }
        return anchor == nil && (offset.fixed ?? -1) >= 0
    }
}

extension Function {
    fileprivate var looksBackOnly: Bool {
        switch body {
        case .special(.start), .special(.end), .special(.step), .special(.range), .special(.info): false
        case .map, .mapWith, .date, .window, .special: true
        }
    }
}
