// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// Evaluates one query: each expression hands its rows on as they come, so that only what must be held is.
struct Evaluator {
    typealias Take = (consuming Row) throws -> Void

    let source: any SeriesSource
    let settings: QueryEngine.Settings
    let budget: QueryBudget
    /// What the whole query asks for: what `@ start()`, `step()` and their like stand for.
    let query: QueryTimes

    init(
        _ source: any SeriesSource, _ settings: QueryEngine.Settings, _ query: QueryTimes,
        _ isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.source = source
        self.settings = settings
        self.query = query
        budget = QueryBudget(settings, isCancelled)
    }

    /// Rows of a vector, or the one of a scalar, which has no labels.
    func rows(_ expression: Expression, _ grid: Grid, _ take: @escaping Take) throws {
        guard expression.type == .scalar else { return try vector(expression, grid, take) }
        try budget.hold(bytes: grid.count * 8)
        try take(Row(labels: .empty, values: try scalars(expression, grid)))
    }

    func vector(_ expression: Expression, _ grid: Grid, _ take: @escaping Take) throws {
        if grid.count > 1, expression.isFixed {
            return try evaluate(expression, grid.first) { row in
                try take(Row(labels: row.labels, values: Array(repeating: row.values[0], count: grid.count)))
            }
        }
        try evaluate(expression, grid, take)
    }

    private func evaluate(_ expression: Expression, _ grid: Grid, _ take: @escaping Take) throws {
        switch expression.form {
        case .parentheses(let inner): try evaluate(inner, grid, take)
        case .selector(let selector): try select(selector, grid, take)
        case .negation(let inner):
            try withoutName(of: inner, { try vector(inner, grid, $0) }) { row in try take(row.mapped { -$1 }) }
        case .binary(let binary): try self.binary(binary, grid, take)
        case .aggregation(let aggregation): try aggregate(aggregation, grid, take)
        case .call(let function, let arguments): try call(function, arguments, grid, take)
        case .number, .string, .range, .subquery: preconditionFailure("the parser lets only vectors stand here")
        }
    }

    /// The value of a scalar at each step.
    func scalars(_ expression: Expression, _ grid: Grid) throws -> [Double] {
        try budget.hold(bytes: grid.count * 8)
        switch expression.form {
        case .number(let value): return Array(repeating: value, count: grid.count)
        case .parentheses(let inner): return try scalars(inner, grid)
        case .negation(let inner): return try scalars(inner, grid).map { -$0 }
        case .binary(let binary):
            let (left, right) = (try scalars(binary.left, grid), try scalars(binary.right, grid))
            return zip(left, right).map { binary.operator.number($0, $1) }
        case .call(let function, let arguments): return try scalars(function, arguments, grid)
        case .string, .selector, .range, .subquery, .aggregation:
            preconditionFailure("the parser lets only scalars stand here")
        }
    }

    private func scalars(_ function: Function, _ arguments: [Expression], _ grid: Grid) throws -> [Double] {
        guard case .special(let special) = function.body else { preconditionFailure("\(function.name) is no scalar") }
        switch special {
        case .time: return (0..<grid.count).map { Double(grid.time($0)) / 1_000 }
        case .pi: return Array(repeating: .pi, count: grid.count)
        case .start, .end, .step, .range:
            return Array(repeating: Double(query.milliseconds(special)) / 1_000, count: grid.count)
        case .least, .greatest:
            let pairs = zip(try scalars(arguments[0], grid), try scalars(arguments[1], grid))
            return pairs.map { special == .least ? Function.least($0, $1) : Function.greatest($0, $1) }
        case .scalar:
            var (values, counts) = (
                Array(repeating: Double.nan, count: grid.count), Array(repeating: 0, count: grid.count)
            )
            try vector(arguments[0], grid) { row in
                for (place, value) in row.values.enumerated() where !Row.isAbsent(value) {
                    counts[place] += 1
                    values[place] = counts[place] == 1 ? value : .nan
                }
            }
            return values
        default: preconditionFailure("\(function.name) is no scalar")
        }
    }

    /// Hands rows on without the metric's name. Two series that become one by that have no answer where both have a value.
    func withoutName(of argument: Expression, _ produce: (@escaping Take) throws -> Void, _ take: @escaping Take) throws
    {
        try merging(
            canMeet: !argument.hasOneName,
            { collect in
                try produce { row in
                    var row = row
                    row.labels = row.labels.without(LabelSet.name)
                    try collect(row)
                }
            }, take)
    }

    /// Hands rows on, those with the same labels as one; where none `canMeet`, none is held.
    func merging(canMeet: Bool, _ produce: (@escaping Take) throws -> Void, _ take: @escaping Take) throws {
        guard canMeet else { return try produce(take) }
        var rows = RowCollector(budget)
        try produce { try rows.add($0) }
        for row in rows.rows { try take(row) }
    }
}

extension QueryTimes {
    fileprivate func milliseconds(_ special: Function.Special) -> Int64 {
        switch special {
        case .start: bounds.lowerBound
        case .end: bounds.upperBound
        case .step: step
        default: range
        }
    }
}

extension Expression {
    /// All its series have one metric name, or none: without it they are as different as before.
    var hasOneName: Bool {
        switch form {
        case .selector(let selector), .range(let selector, _):
            selector.matchers.contains { $0.name == LabelSet.name && $0.operation == .equal }
        case .subquery(let subquery): subquery.inner.hasOneName
        case .parentheses(let inner): inner.hasOneName
        case .number, .string, .negation: true
        // Filters, functions that keep names and groupings by name are not told apart: holding their rows is right, too.
        case .call, .aggregation, .binary: false
        }
    }

    /// Looks at the same time whatever the step.
    var isFixed: Bool {
        switch form {
        case .number, .string: true
        case .selector(let selector), .range(let selector, _): selector.shift.anchor != nil
        case .subquery(let subquery): subquery.shift.anchor != nil
        case .parentheses(let inner), .negation(let inner): inner.isFixed
        case .call(let function, let arguments): !function.readsTime && arguments.allSatisfy(\.isFixed)
        case .aggregation(let aggregation): aggregation.inner.isFixed && aggregation.parameter?.isFixed != false
        case .binary(let binary): binary.left.isFixed && binary.right.isFixed
        }
    }
}
