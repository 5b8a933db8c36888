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

    /// Each row of the many with the one of its group, and with what is filled in where one of them is missing.
    private func matched(_ binary: Binary, _ grid: Grid, _ take: @escaping Take) throws {
        let matching = binary.matching
        let isSwapped = matching.cardinality == .oneToMany
        let (manySide, oneSide) = isSwapped ? (binary.right, binary.left) : (binary.left, binary.right)
        let (manyFill, oneFill) =
            isSwapped ? (matching.fillRight, matching.fillLeft) : (matching.fillLeft, matching.fillRight)
        let ones = try ones(binary, oneSide, grid)
        // What is filled in meets both.
        if manyFill ?? oneFill != nil, let doubled = ones.doubled.first { throw doubled.error }
        var pairs = Pairs(binary, grid, settings.semantics)
        var there: [LabelSet: [Bool]] = [:]
        try merging(
            canMeet: true,
            { collect in
                try vector(manySide, grid) { many in
                    let many = many
                    try ones.check(many)
                    let signature = matching.key(many.labels)
                    var partners = ones.groups[signature] ?? []
                    if let oneFill {
                        partners.append(Row(labels: signature, values: grid.filled(oneFill, beside: partners)))
                    }
                    for one in partners { try pairs.add(many, one, of: signature, to: collect) }
                    guard manyFill != nil else { return }
                    if there[signature] == nil { try budget.hold(bytes: grid.count + 200) }
                    grid.note(many, in: &there[signature, default: Array(repeating: false, count: grid.count)])
                }
                guard let manyFill else { return }
                for (signature, group) in ones.groups.sorted(by: { $0.key < $1.key }) {
                    let steps = there[signature]
                    let values = (0..<grid.count).map { steps?[$0] == true ? Row.absent : manyFill }
                    let many = Row(labels: signature, values: values)
                    for one in group { try pairs.add(many, one, of: signature, to: collect) }
                }
            }, take)
    }

    /// What pairs of rows yield.
    private struct Pairs {
        private let binary: Binary
        private let grid: Grid
        private let semantics: Semantics
        /// Which group, or series where many meet one, has been answered at which step.
        private var answered: [LabelSet: [Bool]] = [:]

        init(_ binary: Binary, _ grid: Grid, _ semantics: Semantics) {
            (self.binary, self.grid, self.semantics) = (binary, grid, semantics)
        }

        /// - Throws: ``EvaluationError`` where one of the steps was answered before; what `collect` throws.
        mutating func add(_ many: Row, _ one: Row, of signature: LabelSet, to collect: Take) throws {
            let isSwapped = binary.matching.cardinality == .oneToMany
            let values = zip(many.values, one.values).map { value, other in
                guard !Row.isAbsent(value), !Row.isAbsent(other) else { return Row.absent }
                return isSwapped ? binary.value(other, value, kept: other) : binary.value(value, other, kept: value)
            }
            guard values.contains(where: { !Row.isAbsent($0) }) else { return }
            let labels = binary.labels(many: many.labels, one: one.labels, semantics)
            let row = Row(labels: labels, values: values)
            try claim(row, by: binary.matching.cardinality == .oneToOne ? signature : labels)
            try collect(row)
        }

        private mutating func claim(_ row: borrowing Row, by key: LabelSet) throws(EvaluationError) {
            var steps = answered.removeValue(forKey: key) ?? Array(repeating: false, count: grid.count)
            for step in steps.indices where steps[step] && !Row.isAbsent(row.values[step]) {
                throw .invalid(
                    binary.matching.cardinality == .oneToOne
                        ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        : "multiple matches for labels: grouping labels must ensure unique matches")
            }
            grid.note(row, in: &steps)
            answered[key] = steps
        }
    }
}

extension Grid {
    /// `value` at the steps at which none of `rows` has one.
    fileprivate func filled(_ value: Double, beside rows: [Row]) -> [Double] {
        (0..<count).map { step in rows.contains { !Row.isAbsent($0.values[step]) } ? Row.absent : value }
    }

    /// Remembers the steps at which `row` has a value.
    fileprivate func note(_ row: borrowing Row, in steps: inout [Bool]) {
        for step in 0..<count where !Row.isAbsent(row.values[step]) { steps[step] = true }
    }
}

extension Binary.Matching {
    /// What series of both sides must have in common.
    fileprivate var key: (LabelSet) -> LabelSet {
        let names = names
        if isOn { return { $0.filter { names.contains($0) } } }
        return { $0.filter { $0 != LabelSet.name && !names.contains($0) } }
    }
}

extension Binary {
    /// The labels of what a pair yields.
    fileprivate func labels(many: LabelSet, one: LabelSet, _ semantics: Semantics) -> LabelSet {
        var labels = dropsName(semantics) ? many.without(LabelSet.name) : many
        if matching.cardinality == .oneToOne {
            labels = labels.filter { matching.names.contains($0) == matching.isOn }
        }
        for name in matching.include { labels = labels.with(name, one[name]) }
        return labels
    }
}
