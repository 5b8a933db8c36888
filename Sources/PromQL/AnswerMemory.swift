// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import Telemetry

/// Answers over ranges, each as far as no sample has changed since: a dashboard asks the same again and again, a little later
/// each time, and only what is new is evaluated. Those that have not been asked for the longest time go first.
package final class AnswerMemory: Sendable {
    private struct Question: Hashable {
        /// Byte by byte: texts that read the same are not always the same query.
        let text: [UInt8]
        let step: Int64
        /// Where its steps stand.
        let phase: Int64
    }

    private struct Answer {
        let grid: Grid
        let series: [QuerySeries]
        /// The source's, before it was evaluated.
        let revision: UInt64
        let bytes: Int
        var askedAt: UInt64 = 0

        init(_ question: Question, _ grid: Grid, _ series: [QuerySeries], _ revision: UInt64) {
            (self.grid, self.series, self.revision) = (grid, series, revision)
            bytes = series.reduce(400 + question.text.count) { $0 + $1.bytes }
        }

        /// How many steps of `grid` from its first on are answered, where nothing at or after `earliest` may be used.
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

    private static let countMax = 1_000
    private static let textMax = 4_096

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
        guard text.utf8.count <= Self.textMax else { return try evaluate(grid) }
        let phase = (grid.start % grid.step + grid.step) % grid.step
        let question = Question(text: Array(text.utf8), step: grid.step, phase: phase)
        let known = state.withLock { state in
            state.asked += 1
            state.answers[question]?.askedAt = state.asked
            return state.answers[question]
        }
        // Before anything is read, so that what comes meanwhile counts as a change.
        let changes = source.changes(since: known?.revision ?? 0)
        let count = known?.steps(of: grid, before: changes.earliest) ?? 0
        guard let known, count > 0 else {
            let series = try evaluate(grid)
            remember([Answer(question, grid, series, changes.revision)], for: question)
            return series
        }
        let valid = known.series.within(known.grid.start...grid.time(count - 1))
        guard count < grid.count else { return valid.within(grid.start...grid.end) }
        let whole = valid.followed(
            by: try evaluate(Grid(start: grid.time(count), step: grid.step, count: grid.count - count)))
        let series = whole.within(grid.start...grid.end)
        // Who asks for more time than this does it a little later, too: what is remembered keeps its length.
        let start = min(grid.start, known.grid.start + max(0, grid.end - known.grid.end))
        let longer = Grid(start: start, step: grid.step, count: Int((grid.end - start) / grid.step) + 1)
        remember(
            [
                Answer(question, longer, whole.within(start...grid.end), changes.revision),
                Answer(question, grid, series, changes.revision),
            ], for: question)
        return series
    }

    /// Remembers the first that is not too large.
    private func remember(_ choices: [Answer], for question: Question) {
        guard let answer = choices.first(where: { $0.bytes <= bytesMax / 4 }) else { return }
        // What goes is let go without the lock, for which others wait.
        let gone = state.withLock { state in
            var gone = [state.answers[question]].compactMap(\.self)
            state.bytes += answer.bytes - gone.reduce(0) { $0 + $1.bytes }
            state.answers[question] = answer
            state.answers[question]?.askedAt = state.asked
            while state.bytes > bytesMax || state.answers.count > Self.countMax,
                let oldest = state.answers.min(by: { $0.value.askedAt < $1.value.askedAt })
            {
                state.answers[oldest.key] = nil
                state.bytes -= oldest.value.bytes
                gone.append(oldest.value)
            }
            return gone
        }
        _ = gone
    }
}

extension QuerySeries {
    /// About as many as it takes.
    fileprivate var bytes: Int {
        labels.labels.reduce(200 + samples.count * 16) { $0 + 32 + $1.name.utf8.count + $1.value.utf8.count }
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
