// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Answers queries in Prometheus' language over any source of samples.
///
/// A query runs on the thread that asks, for as long as its limits let it, and on others that read for it where its settings say
/// so; ask on a thread that may be kept busy.
package struct QueryEngine: Sendable {
    package struct Settings: Sendable {
        package var semantics = Semantics.v3
        /// How old the latest sample of a series may be. Default five minutes.
        package var lookBack: Int64 = 300_000
        /// The step of a subquery that names none, in milliseconds. Default one minute.
        package var subqueryStep: Int64 = 60_000
        /// Threads that read for one query. Default one, that which asks.
        package var threads = 1
        /// Samples that a query may read. Default 50 million, about two seconds of one core.
        package var samplesMax = 50_000_000
        /// Where answers over ranges are remembered. Default nowhere.
        package var memory: AnswerMemory?
        /// Memory that a query may hold, in bytes. Default 256 MiB.
        package var bytesMax = 256 << 20

        package init() {}
    }

    /// Times and durations beyond this are refused, so that no sum of them overflows: 285,000 years.
    package static let secondsMax = 9e12

    package let settings: Settings

    package init(_ settings: Settings = Settings()) { self.settings = settings }

    /// - Throws: ``QuerySyntaxError``.
    package func parse(_ query: String) throws(QuerySyntaxError) -> Expression {
        var parser = try Parser(query, settings.semantics)
        return try parser.parse()
    }

    /// A duration such as `1h30m`, in milliseconds; `nil` where it is none.
    package static func milliseconds(of text: String) -> Int64? { Lexer.milliseconds(text) }

    /// What `match[]` holds.
    ///
    /// - Throws: ``QuerySyntaxError``.
    package func parseSelector(_ text: String) throws(QuerySyntaxError) -> [LabelMatcher] {
        var parser = try Parser(text, settings.semantics)
        return try parser.parseSelector()
    }

    /// The value of `query` at one time, in milliseconds since 1970. Throws ``EvaluationError``, and what `source` throws.
    ///
    /// `isCancelled` is asked now and then; once it says so the query ends.
    package func instant(
        _ query: Expression, at time: Int64, on source: any SeriesSource,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> QueryValue {
        if case .string(let text) = query.bare.form { return .string(text) }
        let grid = Grid(start: time, step: 1, count: 1)
        let evaluator = Evaluator(source, settings, QueryTimes(bounds: time...time, step: 0), isCancelled)
        switch query.type {
        case .scalar: return .scalar(try evaluator.scalars(query, grid)[0])
        case .string: throw EvaluationError.invalid("a string must stand alone")
        case .matrix: return .matrix(try evaluator.samples(query, grid))
        case .vector:
            var rows = RowCollector(evaluator.budget)
            try evaluator.vector(query, grid) { try rows.add($0) }
            return .vector(rows.rows.map { VectorSample(labels: $0.labels, value: $0.values[0]) })
        }
    }

    /// The values of `query` at each step from `start` to `end`, as a matrix that is sorted by labels. Throws as
    /// ``instant(_:at:on:isCancelled:)`` does.
    ///
    /// Times are in milliseconds, those of the bounds since 1970; the step is above zero.
    package func range(
        _ query: Expression, from start: Int64, through end: Int64, step: Int64, on source: any SeriesSource,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> [QuerySeries] {
        guard query.type == .scalar || query.type == .vector else {
            throw EvaluationError.invalid(
                "invalid expression type \"\(query.type.words)\" for range query, must be scalar or instant vector")
        }
        let grid = Grid(start: start, step: step, count: Int((end - start) / step) + 1)
        let evaluator = Evaluator(source, settings, QueryTimes(bounds: start...end, step: step), isCancelled)
        var rows = RowCollector(evaluator.budget)
        try evaluator.rows(query, grid) { try rows.add($0) }
        return rows.rows.sorted { $0.labels < $1.labels }.map {
            QuerySeries(labels: $0.labels, samples: grid.samples($0.values))
        }
    }

    /// The same of a query that is yet to be parsed; what is remembered of its last answer is not evaluated again. Throws
    /// ``QuerySyntaxError``, too.
    package func range(
        _ text: String, from start: Int64, through end: Int64, step: Int64, on source: any SeriesSource,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> [QuerySeries] {
        let query = try parse(text)
        func evaluate(_ grid: Grid) throws -> [QuerySeries] {
            try range(query, from: grid.start, through: grid.end, step: step, on: source, isCancelled: isCancelled)
        }
        let grid = Grid(start: start, step: step, count: Int((end - start) / step) + 1)
        guard let memory = settings.memory, query.looksBackOnly else { return try evaluate(grid) }
        return try memory.answer(text, grid, on: source, evaluate)
    }
}

extension Expression {
    /// Without the parentheses around it.
    var bare: Expression {
        if case .parentheses(let inner) = form { inner.bare } else { self }
    }
}

/// What a query yields at one time.
package enum QueryValue: Sendable {
    case scalar(Double)
    case string(String)
    case vector([VectorSample])
    case matrix([QuerySeries])
}

package struct VectorSample: Sendable {
    package let labels: LabelSet
    package let value: Double
}

package struct QuerySeries: Sendable {
    package let labels: LabelSet
    package let samples: SampleColumns
}

/// Why a query that was understood has no answer.
package enum EvaluationError: Error, Equatable, CustomStringConvertible {
    /// The data does not allow what was asked.
    case invalid(String)
    case tooManySamples(Int)
    case tooMuchMemory(bytes: Int)
    case cancelled

    package var description: String {
        switch self {
        case .invalid(let why): why
        case .tooManySamples(let most):
            "query processing would load too many samples into memory (at most \(most)); ask for fewer series or less time"
        case .tooMuchMemory(let most):
            "query would hold more than \(most >> 20) MiB; ask for fewer series, less time or a longer step"
        case .cancelled: "query was canceled"
        }
    }
}
