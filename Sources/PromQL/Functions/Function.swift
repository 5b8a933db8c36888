// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// A function of the language: what it takes, what it yields, and how.
package struct Function: Sendable {
    package let name: String
    /// The last one may be left out, or repeated where ``isVariadic``.
    package let parameters: [ValueType]
    let required: Int
    let isVariadic: Bool
    package let result: ValueType
    let body: Body
    /// Depends on the step even where its arguments look at a fixed time.
    let readsTime: Bool

    /// How many of the parameters may be left out; -1 where the last one may be repeated.
    package var variadic: Int { isVariadic ? -1 : parameters.count - required }

    enum Body: Sendable {
        /// Each value of a vector by itself.
        case map(@Sendable (Double) -> Double)
        /// Each value with one or two scalars.
        case mapWith(@Sendable (Double, [Double]) -> Double?)
        /// Each value taken for a time; that of the step without an argument.
        case date(@Sendable (CivilTime) -> Int)
        /// The samples of each series in a range; where the range stands among the arguments.
        case window(place: Int, keepsName: Bool, WindowFunction)
        case special(Special)
    }

    enum Special: Sendable, Equatable {
        case absent, absentOverTime, scalar, vector, time, timestamp, pi, labelReplace, labelJoin, info
        case sort(descending: Bool)
        case sortByLabel(descending: Bool)
        case histogramQuantile, histogramQuantiles, histogramFraction
        /// Of the whole query.
        case start, end, step, range
        case least, greatest
        /// Of native histograms, of which the store has none.
        case nothing
    }

    init(
        _ name: String, _ parameters: [ValueType], optional: Int = 0, isVariadic: Bool = false,
        to result: ValueType = .vector, readsTime: Bool = false, _ body: Body
    ) {
        self.name = name
        self.parameters = parameters
        required = parameters.count - optional
        self.isVariadic = isVariadic
        self.result = result
        self.readsTime = readsTime
        self.body = body
    }

    /// How often the last parameter may be repeated.
    var repeatsMax: Int { if case .special(.histogramQuantiles) = body { 9 } else { 1_000 } }

    func takes(_ edges: Selector.Edges) -> Bool { edges == .asFound || Self.names(taking: edges).contains(name) }

    /// The functions that know what to do with values at the bounds of a range.
    static func names(taking edges: Selector.Edges) -> [String] {
        switch edges {
        case .asFound: names
        case .anchored: ["changes", "delta", "increase", "rate", "resets"]
        case .smoothed: ["delta", "increase", "rate"]
        }
    }

    static func named(_ name: String, _ semantics: Semantics) -> Function? {
        guard let function = table[name] else { return nil }
        // Version 3 has another name for it.
        if semantics == .v3, name == "holt_winters" { return nil }
        return semantics == .v2 && laterNames.contains(name) ? nil : function
    }

    /// The names of all functions, sorted.
    package static let names = table.keys.sorted()

    private static let table = Dictionary(
        uniqueKeysWithValues: (maths + dates + windows + others).map { ($0.name, $0) })

    /// Not in version 2.
    private static let laterNames: Set = [
        "double_exponential_smoothing", "sort_by_label", "sort_by_label_desc", "mad_over_time", "first_over_time",
        "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
        "info", "start", "end", "step", "range", "min_of", "max_of", "histogram_quantiles",
        "histogram_avg", "histogram_stddev", "histogram_stdvar",
    ]
}

/// A function over the samples of one series: its value at each step by what the range before it has; `nil` where it has none at all.
/// Scalars have a value at each step, too.
typealias WindowFunction = @Sendable (Evaluator.Ranges, Grid, Semantics, _ scalars: [[Double]]) throws -> [Double]?

/// The samples of one series in a range, and where its bounds are to have values those that stand beside them.
struct Window: ~Copyable {
    let times: UnsafeBufferPointer<Int64>
    let values: UnsafeBufferPointer<Double>
    /// Milliseconds since 1970; the bounds of the range.
    let start: Int64
    let end: Int64
    /// That of the step, which `offset` and `@` tell from `end`.
    let stepTime: Int64
    let edges: Selector.Edges
    /// No value of the whole series is below the one before it, so that a counter was never set back.
    let neverFalls: Bool
    let semantics: Semantics

    var count: Int { times.count }
}

extension Function {
    fileprivate static let maths: [Function] = [
        map("abs") { abs($0) }, map("ceil") { $0.rounded(.up) }, map("floor") { $0.rounded(.down) },
        map("exp") { exp($0) }, map("sqrt") { $0.squareRoot() }, map("ln") { log($0) }, map("log2") { log2($0) },
        map("log10") { log10($0) }, map("sgn") { $0 < 0 ? -1 : $0 > 0 ? 1 : $0 }, map("sin") { sin($0) },
        map("cos") { cos($0) }, map("tan") { tan($0) }, map("asin") { asin($0) }, map("acos") { acos($0) },
        map("atan") { atan($0) }, map("sinh") { sinh($0) }, map("cosh") { cosh($0) }, map("tanh") { tanh($0) },
        map("asinh") { asinh($0) }, map("acosh") { acosh($0) }, map("atanh") { atanh($0) },
        map("deg") { $0 * 180 / .pi }, map("rad") { $0 * .pi / 180 },
        Function("clamp", [.vector, .scalar, .scalar], .mapWith(clamp)),
        Function("clamp_max", [.vector, .scalar], .mapWith { least($1[0], $0) }),
        Function("clamp_min", [.vector, .scalar], .mapWith { greatest($1[0], $0) }),
        Function("round", [.vector, .scalar], optional: 1, .mapWith(round)),
    ]

    private static func map(_ name: String, _ body: @escaping @Sendable (Double) -> Double) -> Function {
        Function(name, [.vector], .map(body))
    }

    @Sendable
    private static func clamp(_ value: Double, _ bounds: [Double]) -> Double? {
        bounds[0] > bounds[1] ? nil : least(bounds[1], greatest(bounds[0], value))
    }

    /// By the inverse, because a tenth has no exact form.
    @Sendable
    private static func round(_ value: Double, _ to: [Double]) -> Double? {
        let inverse = 1 / (to.first ?? 1)
        return (value * inverse + 0.5).rounded(.down) / inverse
    }

    /// Not a number where one of them is not, unlike what `min` does.
    static func least(_ left: Double, _ right: Double) -> Double {
        left.isNaN || right.isNaN ? .nan : Swift.min(left, right)
    }

    static func greatest(_ left: Double, _ right: Double) -> Double {
        left.isNaN || right.isNaN ? .nan : Swift.max(left, right)
    }

    fileprivate static let dates: [Function] = [
        date("year") { $0.year }, date("month") { $0.month }, date("day_of_month") { $0.day },
        date("day_of_week") { $0.dayOfWeek }, date("day_of_year") { $0.dayOfYear },
        date("days_in_month") { $0.daysInMonth }, date("hour") { $0.hour }, date("minute") { $0.minute },
    ]

    private static func date(_ name: String, _ body: @escaping @Sendable (CivilTime) -> Int) -> Function {
        Function(name, [.vector], optional: 1, readsTime: true, .date(body))
    }

    fileprivate static let others: [Function] =
        [
            Function("absent", [.vector], .special(.absent)),
            // What is told of senders at a step is another thing than at the next.
            Function("info", [.vector, .vector], optional: 1, readsTime: true, .special(.info)),
            Function("absent_over_time", [.matrix], .special(.absentOverTime)),
            Function("scalar", [.vector], to: .scalar, .special(.scalar)),
            Function("vector", [.scalar], .special(.vector)),
            Function("time", [], to: .scalar, readsTime: true, .special(.time)),
            Function("timestamp", [.vector], readsTime: true, .special(.timestamp)),
            Function("pi", [], to: .scalar, .special(.pi)),
            Function("start", [], to: .scalar, .special(.start)), Function("end", [], to: .scalar, .special(.end)),
            Function("min_of", [.scalar, .scalar], to: .scalar, .special(.least)),
            Function("max_of", [.scalar, .scalar], to: .scalar, .special(.greatest)),
            Function("step", [], to: .scalar, .special(.step)), Function("range", [], to: .scalar, .special(.range)),
            Function("label_replace", [.vector, .string, .string, .string, .string], .special(.labelReplace)),
            Function(
                "label_join", [.vector, .string, .string, .string], optional: 1, isVariadic: true, .special(.labelJoin)),
            Function("sort", [.vector], .special(.sort(descending: false))),
            Function("sort_desc", [.vector], .special(.sort(descending: true))),
            Function("sort_by_label", [.vector, .string], isVariadic: true, .special(.sortByLabel(descending: false))),
            Function(
                "sort_by_label_desc", [.vector, .string], isVariadic: true, .special(.sortByLabel(descending: true))),
            Function("histogram_quantile", [.scalar, .vector], .special(.histogramQuantile)),
            Function(
                "histogram_quantiles", [.vector, .string, .scalar], isVariadic: true, .special(.histogramQuantiles)),
            Function("histogram_fraction", [.scalar, .scalar, .vector], .special(.histogramFraction)),
            Function("histogram_count", [.vector], .special(.nothing)),
            Function("histogram_sum", [.vector], .special(.nothing)),
            Function("histogram_avg", [.vector], .special(.nothing)),
            Function("histogram_stddev", [.vector], .special(.nothing)),
            Function("histogram_stdvar", [.vector], .special(.nothing)),
        ]
}
