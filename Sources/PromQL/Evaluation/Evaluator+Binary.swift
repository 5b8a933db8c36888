// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

extension Binary.Operator {
    /// Between numbers; comparisons yield 0 or 1.
    func number(_ left: Double, _ right: Double) -> Double {
        switch self {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .remainder: fmod(left, right)
        case .power: pow(left, right)
        case .atan2: Foundation.atan2(left, right)
        case .equal: left == right ? 1 : 0
        case .notEqual: left != right ? 1 : 0
        case .less: left < right ? 1 : 0
        case .lessOrEqual: left <= right ? 1 : 0
        case .greater: left > right ? 1 : 0
        case .greaterOrEqual: left >= right ? 1 : 0
        case .and, .or, .unless: preconditionFailure("sets are of series")
        }
    }
}

extension Binary {
    /// The value of a pair; the mark of absence where a comparison filters it out.
    fileprivate func value(_ left: Double, _ right: Double, kept: Double) -> Double {
        let value = self.operator.number(left, right)
        guard self.operator.isComparison, !isBool else { return value }
        return value == 1 ? kept : Row.absent
    }

    /// What is computed is no longer what the name says; version 2 forgot that for `atan2`.
    fileprivate func dropsName(_ semantics: Semantics) -> Bool {
        isBool || !self.operator.isComparison && (self.operator != .atan2 || semantics == .v3)
    }
}

extension Evaluator {
    func binary(_ binary: Binary, _ grid: Grid, _ take: @escaping Take) throws {
        switch (binary.left.type, binary.right.type) {
        case (.vector, .scalar):
            let scalars = try scalars(binary.right, grid)
            try withScalar(binary, binary.left, grid, take) { binary.value($1, scalars[$0], kept: $1) }
        case (.scalar, .vector):
            let scalars = try scalars(binary.left, grid)
            try withScalar(binary, binary.right, grid, take) { binary.value(scalars[$0], $1, kept: $1) }
        default:
            if binary.operator.isSet { return try set(binary, grid, take) }
            try matched(binary, grid, take)
        }
    }

    private func withScalar(
        _ binary: Binary, _ operand: Expression, _ grid: Grid, _ take: @escaping Take,
        _ value: @escaping (Int, Double) -> Double
    ) throws {
        let produce: (@escaping Take) throws -> Void = { try vector(operand, grid, $0) }
        guard binary.dropsName(settings.semantics) else { return try produce { try take($0.mapped(value)) } }
        try withoutName(of: operand, produce) { try take($0.mapped(value)) }
    }

    // MARK: Sets

    private func set(_ binary: Binary, _ grid: Grid, _ take: @escaping Take) throws {
        let key = binary.matching.key
        var presence: [LabelSet: [Bool]] = [:]
        let note: (borrowing Row) throws -> Void = { row in
            let signature = key(row.labels)
            if presence[signature] == nil { try budget.hold(bytes: grid.count + 200) }
            row.values.withUnsafeBufferPointer { values in
                for step in values.indices where !Row.isAbsent(values[step]) {
                    presence[signature, default: Array(repeating: false, count: grid.count)][step] = true
                }
            }
        }
        if binary.operator == .or {
            // A series may come from either side, at different steps.
            return try merging(
                canMeet: true,
                { collect in
                    try vector(binary.left, grid) { row in
                        try note(row)
                        try collect(row)
                    }
                    try vector(binary.right, grid) { row in
                        guard let there = presence[key(row.labels)] else { return try collect(row) }
                        try collect(row.mapped { there[$0] ? Row.absent : $1 })
                    }
                }, take)
        }
        let keepsMatches = binary.operator == .and
        try vector(binary.right, grid) { try note($0) }
        try vector(binary.left, grid) { row in
            let there = presence[key(row.labels)]
            try take(row.mapped { (there?[$0] ?? false) == keepsMatches ? $1 : Row.absent })
        }
    }

    // MARK: Pairs

    /// The side that must have one series for each group, by group.
    private struct Ones {
        var groups: [LabelSet: [Row]] = [:]
        /// Where a group has two, and what is to be said about it. No mistake at a step at which the other side has nothing.
        var doubled: [(step: Int, error: EvaluationError)] = []

        func check(_ many: borrowing Row) throws {
            for (step, error) in doubled where !Row.isAbsent(many.values[step]) { throw error }
        }
    }

    private func ones(_ binary: Binary, _ side: Expression, _ grid: Grid) throws -> Ones {
        let key = binary.matching.key
        var ones = Ones()
        for row in try collected(side, grid) {
            let signature = key(row.labels)
            for other in ones.groups[signature] ?? [] {
                for step in 0..<grid.count where !Row.isAbsent(row.values[step]) && !Row.isAbsent(other.values[step]) {
                    guard !ones.doubled.contains(where: { $0.step == step }) else { continue }
                    let name = binary.matching.cardinality == .oneToMany ? "left" : "right"
                    let error = EvaluationError.invalid(
                        "found duplicate series for the match group \(signature) on the \(name) hand-side of the operation: "
                            + "[\(other.labels), \(row.labels)];many-to-many matching not allowed: "
                            + "matching labels must be unique on one side")
                    ones.doubled.append((step, error))
                }
            }
            ones.groups[signature, default: []].append(row)
        }
        return ones
    }

    /// Each row of the many with the one of its group.
    private func matched(_ binary: Binary, _ grid: Grid, _ take: @escaping Take) throws {
        let isSwapped = binary.matching.cardinality == .oneToMany
        let (manySide, oneSide) = isSwapped ? (binary.right, binary.left) : (binary.left, binary.right)
        let ones = try ones(binary, oneSide, grid)
        let key = binary.matching.key
        var claimed = Claims(grid)
        try merging(
            canMeet: true,
            { collect in
                try vector(manySide, grid) { many in
                    try ones.check(many)
                    let signature = key(many.labels)
                    for one in ones.groups[signature] ?? [] {
                        let labels = binary.labels(many: many.labels, one: one.labels, settings.semantics)
                        var (values, isThere) = (Array(repeating: Row.absent, count: grid.count), false)
                        for step in 0..<grid.count {
                            let (value, other) = (many.values[step], one.values[step])
                            guard !Row.isAbsent(value), !Row.isAbsent(other) else { continue }
                            values[step] =
                                isSwapped
                                ? binary.value(other, value, kept: other) : binary.value(value, other, kept: value)
                            if Row.isAbsent(values[step]) { continue }
                            isThere = true
                        }
                        guard isThere else { continue }
                        let isOneToOne = binary.matching.cardinality == .oneToOne
                        guard claimed.take(isOneToOne ? signature : labels, values) else {
                            throw EvaluationError.invalid(
                                isOneToOne
                                    ? "multiple matches for labels: many-to-one matching must be explicit "
                                        + "(group_left/group_right)"
                                    : "multiple matches for labels: grouping labels must ensure unique matches")
                        }
                        try collect(Row(labels: labels, values: values))
                    }
                }
            }, take)
    }

    /// Which group has been answered at which step.
    private struct Claims {
        private let grid: Grid
        private var steps: [LabelSet: [Bool]] = [:]

        init(_ grid: Grid) { self.grid = grid }

        /// - Returns: Whether none of the steps was taken before.
        mutating func take(_ labels: LabelSet, _ values: [Double]) -> Bool {
            var taken = steps.removeValue(forKey: labels) ?? Array(repeating: false, count: grid.count)
            defer { steps[labels] = taken }
            for (step, value) in values.enumerated() where !Row.isAbsent(value) {
                if taken[step] { return false }
                taken[step] = true
            }
            return true
        }
    }
}

extension Binary.Matching {
    /// What series of both sides must have in common.
    fileprivate var key: (LabelSet) -> LabelSet {
        if isOn {
            let names = Set(names)
            return { $0.only(names) }
        }
        let names = Set(names + [LabelSet.name])
        return { $0.without(names) }
    }
}

extension Binary {
    /// The labels of what a pair yields.
    fileprivate func labels(many: LabelSet, one: LabelSet, _ semantics: Semantics) -> LabelSet {
        var labels = dropsName(semantics) ? many.without(LabelSet.name) : many
        if matching.cardinality == .oneToOne {
            labels = matching.isOn ? labels.only(Set(matching.names)) : labels.without(Set(matching.names))
        }
        for name in matching.include { labels = labels.with(name, one[name]) }
        return labels
    }
}
