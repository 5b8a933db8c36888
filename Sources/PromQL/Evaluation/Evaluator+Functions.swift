// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Patterns
internal import Telemetry

extension Evaluator {
    func call(_ function: Function, _ arguments: [Expression], _ grid: Grid, _ take: @escaping Take) throws {
        switch function.body {
        case .map(let body):
            try withoutName(of: arguments[0], { try vector(arguments[0], grid, $0) }) { row in
                try take(row.mapped { body($1) })
            }
        case .mapWith(let body):
            let scalars = try arguments.dropFirst().map { try self.scalars($0, grid) }
            try withoutName(of: arguments[0], { try vector(arguments[0], grid, $0) }) { row in
                try take(row.mapped { place, value in body(value, scalars.map { $0[place] }) ?? Row.absent })
            }
        case .date(let body):
            let part: (Int, Double) -> Double = { CivilTime($1).map { Double(body($0)) } ?? .nan }
            guard let argument = arguments.first else {
                let times = (0..<grid.count).map { Double(grid.time($0)) / 1_000 }
                return try take(Row(labels: .empty, values: times).mapped(part))
            }
            try withoutName(of: argument, { try vector(argument, grid, $0) }) { try take($0.mapped(part)) }
        case .window(let place, let keepsName, let body):
            try window(body, at: place, keepsName: keepsName, arguments, grid, take)
        case .special(let special): try call(special, arguments, grid, take)
        }
    }

    private func window(
        _ body: @escaping WindowFunction, at place: Int, keepsName: Bool, _ arguments: [Expression], _ grid: Grid,
        _ take: @escaping Take
    ) throws {
        let argument = arguments[place]
        let scalars = try arguments.filter { $0.type == .scalar }.map { try self.scalars($0, grid) }
        let produce: (@escaping Take) throws -> Void = { take in
            try windows(body, argument, scalars, grid, take)
        }
        if keepsName { try produce(take) } else { try withoutName(of: argument, produce, take) }
    }

    private func call(_ special: Function.Special, _ arguments: [Expression], _ grid: Grid, _ take: @escaping Take)
        throws
    {
        switch special {
        case .absent, .absentOverTime: try absent(arguments[0], grid, take)
        case .vector: try take(Row(labels: .empty, values: try scalars(arguments[0], grid)))
        case .timestamp: try timestamp(arguments[0], grid, take)
        case .labelReplace: try labelReplace(arguments, grid, take)
        case .labelJoin: try labelJoin(arguments, grid, take)
        case .info: try info(arguments[0], about: arguments.dropFirst().first?.selector, grid, take)
        case .sort(let descending):
            for row in try collected(arguments[0], grid).sorted(by: {
                Self.precedes($0.values[0], $1.values[0], descending: descending)
            }) { try take(row) }
        case .sortByLabel(let descending):
            let names = arguments.dropFirst().map(\.literal)
            for row in try collected(arguments[0], grid).sorted(by: {
                let (left, right) = descending ? ($1, $0) : ($0, $1)
                for name in names where left.labels[name] != right.labels[name] {
                    return NaturalOrder.precedes(left.labels[name], right.labels[name])
                }
                return left.labels < right.labels
            }) { try take(row) }
        case .histogramQuantile:
            let ranks = try scalars(arguments[0], grid)
            try histograms(arguments[1], grid, { $1.quantile(ranks[$0]) }, take)
        case .histogramQuantiles: try quantiles(arguments, grid, take)
        case .histogramFraction:
            let (lower, upper) = (try scalars(arguments[0], grid), try scalars(arguments[1], grid))
            try histograms(arguments[2], grid, { $1.fraction(lower[$0], upper[$0]) }, take)
        case .nothing: try vector(arguments[0], grid) { _ in }
        case .scalar, .time, .pi, .start, .end, .step, .range, .least, .greatest:
            preconditionFailure("scalars are evaluated by themselves")
        }
    }

    func collected(_ expression: Expression, _ grid: Grid) throws -> [Row] {
        var rows = RowCollector(budget)
        try vector(expression, grid) { try rows.add($0) }
        return rows.rows
    }

    /// What is not a number comes last, either way.
    static func precedes(_ left: Double, _ right: Double, descending: Bool) -> Bool {
        if left.isNaN || right.isNaN { return !left.isNaN && right.isNaN }
        return descending ? left > right : left < right
    }

    /// 1 at the steps at which nothing is there, with the labels that the selector asks for.
    private func absent(_ argument: Expression, _ grid: Grid, _ take: @escaping Take) throws {
        var values = Array(repeating: 1.0, count: grid.count)
        if argument.type == .matrix {
            try ranges(argument, grid) { _, ranges in
                try ranges.forEachStep(of: grid, settings.semantics) { step, _ in values[step] = Row.absent }
            }
        } else {
            try vector(argument, grid) { row in
                for (place, value) in row.values.enumerated() where !Row.isAbsent(value) { values[place] = Row.absent }
            }
        }
        guard values.contains(where: { !Row.isAbsent($0) }) else { return }
        try take(Row(labels: argument.askedLabels, values: values))
    }

    private func timestamp(_ argument: Expression, _ grid: Grid, _ take: @escaping Take) throws {
        try withoutName(
            of: argument,
            { take in
                if let selector = argument.bare.selector, selector.edges == .asFound {
                    try select(selector, grid, readsTimes: true, take)
                } else {
                    try vector(argument, grid) { row in
                        try take(row.mapped { place, _ in Double(grid.time(place)) / 1_000 })
                    }
                }
            }, take)
    }

    // MARK: Labels

    private func labelReplace(_ arguments: [Expression], _ grid: Grid, _ take: @escaping Take) throws {
        let (target, replacement) = (arguments[1].literal, arguments[2].literal)
        let (label, expression) = (arguments[3].literal, arguments[4].literal)
        let pattern: Pattern
        do { pattern = try Pattern(expression, .whole) } catch {
            throw EvaluationError.invalid("invalid regular expression in label_replace(): \(expression): \(error)")
        }
        try relabelled(arguments[0], target, "label_replace()", grid, take) { labels in
            guard let value = try pattern.expanded(replacement, for: labels[label]) else { return nil }
            return value
        }
    }

    private func labelJoin(_ arguments: [Expression], _ grid: Grid, _ take: @escaping Take) throws {
        let (target, separator) = (arguments[1].literal, arguments[2].literal)
        let names = arguments.dropFirst(3).map(\.literal)
        try relabelled(arguments[0], target, "label_join()", grid, take) { labels in
            names.map { labels[$0] }.joined(separator: separator)
        }
    }

    private func relabelled(
        _ argument: Expression, _ target: String, _ caller: String, _ grid: Grid, _ take: @escaping Take,
        _ value: @escaping (LabelSet) throws -> String?
    ) throws {
        guard LabelName.isValid(target, settings.semantics) else {
            throw EvaluationError.invalid("invalid destination label name in \(caller): \(target)")
        }
        try merging(
            canMeet: true,
            { collect in
                try vector(argument, grid) { row in
                    var row = row
                    if let value = try value(row.labels) { row.labels = row.labels.with(target, value) }
                    try collect(row)
                }
            }, take)
    }

    // MARK: Histograms

    /// A row for each rank, which a label names; a rank may be another at the next step.
    private func quantiles(_ arguments: [Expression], _ grid: Grid, _ take: @escaping Take) throws {
        let name = arguments[1].literal
        guard LabelName.isValid(name, settings.semantics) else {
            throw EvaluationError.invalid("invalid label name in histogram_quantiles(): \(name)")
        }
        var steps: [String: [Int]] = [:]
        for argument in arguments.dropFirst(2) {
            let ranks = try scalars(argument, grid)
            let isOne = ranks.allSatisfy { $0.bitPattern == ranks[0].bitPattern }
            let text = Self.rank(ranks[0])
            for (step, rank) in ranks.enumerated() { steps[isOne ? text : Self.rank(rank), default: []].append(step) }
        }
        let ranks = steps.sorted { $0.key < $1.key }
        try merging(
            canMeet: true,
            { collect in
                try histograms(arguments[0], grid) { labels, histogram in
                    for (text, steps) in ranks {
                        // Asks whether anybody still waits.
                        try budget.read(samples: 0)
                        var values = Array(repeating: Row.absent, count: grid.count)
                        let rank = Double(text) ?? .nan
                        for step in steps { values[step] = histogram(step)?.quantile(rank) ?? Row.absent }
                        try collect(Row(labels: labels.with(name, text), values: values))
                    }
                }
            }, take)
    }

    /// As OpenMetrics writes a bound: with a point or an exponent.
    private static func rank(_ value: Double) -> String {
        if value != 0, value.magnitude < 1e-4 { return "\(value)" }
        let text = SampleText.of(value)
        return value.isFinite && value == value.rounded() ? text + ".0" : text
    }

    private func histograms(
        _ argument: Expression, _ grid: Grid, _ body: @escaping (Int, ClassicHistogram) -> Double,
        _ take: @escaping Take
    ) throws {
        try merging(
            canMeet: true,
            { collect in
                try histograms(argument, grid) { labels, histogram in
                    let values = (0..<grid.count).map { step in
                        histogram(step).map { body(step, $0) } ?? Row.absent
                    }
                    try collect(Row(labels: labels, values: values))
                }
            }, take)
    }

    /// Calls `body` for each histogram with its labels, without the metric's name, and what its buckets are at a step.
    private func histograms(
        _ argument: Expression, _ grid: Grid,
        _ body: (LabelSet, (Int) -> ClassicHistogram?) throws -> Void
    ) throws {
        var (groups, order) = ([LabelSet: [(bound: Double, values: [Double])]](), [LabelSet]())
        try vector(argument, grid) { row in
            guard let bound = Double(row.labels["le"]) else { return }
            try budget.hold(bytes: grid.count * 8 + 100)
            let labels = row.labels.without("le")
            if groups[labels] == nil { order.append(labels) }
            groups[labels, default: []].append((bound, row.values))
        }
        for labels in order {
            let buckets = groups[labels] ?? []
            try body(labels.without(LabelSet.name)) { step in
                let there = buckets.filter { !Row.isAbsent($0.values[step]) }
                return there.isEmpty ? nil : ClassicHistogram(there.map { ($0.bound, $0.values[step]) })
            }
        }
    }
}

extension Expression {
    /// The text of a string.
    fileprivate var literal: String {
        if case .string(let text) = bare.form { text } else { "" }
    }

    /// The labels that a selector names with one value each.
    fileprivate var askedLabels: LabelSet {
        let selector: Selector
        switch bare.form {
        case .selector(let found), .range(let found, _): selector = found
        default: return .empty
        }
        let asked = Dictionary(grouping: selector.matchers, by: \.name)
        return LabelSet(
            asked.filter { $0.key != LabelSet.name && $0.value.count == 1 && $0.value[0].operation == .equal }
                .map { MetricLabel($0.key, $0.value[0].value) })
    }
}

enum LabelName {
    /// Version 3 takes any text, version 2 letters, digits and `_`.
    static func isValid(_ name: String, _ semantics: Semantics) -> Bool {
        guard let first = name.utf8.first else { return false }
        if semantics == .v3 { return true }
        let isDigit = first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")
        return !isDigit
            && name.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
                    || $0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z")
            }
    }
}

/// Text with numbers in it, ordered as people do: `node-2` before `node-10`.
enum NaturalOrder {
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.compare(right, options: [.numeric]) == .orderedAscending
    }
}
