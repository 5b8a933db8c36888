// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What is kept of the values of a group at one step.
private protocol StepCell {
    init()
    mutating func add(_ value: Double)
    var value: Double { get }
}

extension KahanSum: StepCell {
    fileprivate var value: Double { total }
}

extension Mean: StepCell {}

extension Deviation: StepCell {
    fileprivate var value: Double { variance }
}

private struct RootCell: StepCell {
    private var deviation = Deviation()
    mutating func add(_ value: Double) { deviation.add(value) }
    var value: Double { deviation.variance.squareRoot() }
}

private struct CountCell: StepCell {
    private(set) var value = 0.0
    mutating func add(_: Double) { value += 1 }
}

private struct OneCell: StepCell {
    let value = 1.0
    mutating func add(_: Double) {}
}

private struct MinimumCell: StepCell {
    private(set) var value = Double.nan
    mutating func add(_ other: Double) { if other < value || value.isNaN { value = other } }
}

private struct MaximumCell: StepCell {
    private(set) var value = Double.nan
    mutating func add(_ other: Double) { if other > value || value.isNaN { value = other } }
}

extension Evaluator {
    func aggregate(_ aggregation: Aggregation, _ grid: Grid, _ take: @escaping Take) throws {
        switch aggregation.operator {
        case .sum: try fold(aggregation, grid, KahanSum.self, take)
        case .avg: try fold(aggregation, grid, Mean.self, take)
        case .count: try fold(aggregation, grid, CountCell.self, take)
        case .group: try fold(aggregation, grid, OneCell.self, take)
        case .min: try fold(aggregation, grid, MinimumCell.self, take)
        case .max: try fold(aggregation, grid, MaximumCell.self, take)
        case .stdvar: try fold(aggregation, grid, Deviation.self, take)
        case .stddev: try fold(aggregation, grid, RootCell.self, take)
        case .quantile: try quantiles(aggregation, grid, take)
        case .countValues: try countValues(aggregation, grid, take)
        case .topk, .bottomk, .limitk, .limitRatio: try choose(aggregation, grid, take)
        }
    }

    /// Only a cell for each group and step is held, however many series there are.
    private func fold<Cell: StepCell>(
        _ aggregation: Aggregation, _ grid: Grid, _: Cell.Type, _ take: @escaping Take
    ) throws {
        var (places, groups) = ([LabelSet: Int](), [LabelSet]())
        var (cells, isThere) = ([Cell](), [Bool]())
        try vector(aggregation.inner, grid) { row in
            let group = aggregation.grouping.group(of: row.labels)
            let first = places[group] ?? cells.count
            if first == cells.count {
                try budget.hold(bytes: grid.count * (MemoryLayout<Cell>.stride + 1) + 200)
                places[group] = first
                groups.append(group)
                cells += repeatElement(Cell(), count: grid.count)
                isThere += repeatElement(false, count: grid.count)
            }
            // By pointers, because what a closure holds is checked for other users at each access.
            cells.withUnsafeMutableBufferPointer { cells in
                isThere.withUnsafeMutableBufferPointer { isThere in
                    for (step, value) in row.values.enumerated() where !Row.isAbsent(value) {
                        cells[first + step].add(value)
                        isThere[first + step] = true
                    }
                }
            }
        }
        for (place, group) in groups.enumerated() {
            let steps = place * grid.count..<(place + 1) * grid.count
            try take(Row(labels: group, values: steps.map { isThere[$0] ? cells[$0].value : Row.absent }))
        }
    }

    /// Rows by group, in the order in which groups appear.
    private func grouped(_ aggregation: Aggregation, _ grid: Grid) throws -> [(labels: LabelSet, rows: [Row])] {
        var (places, groups) = ([LabelSet: Int](), [(labels: LabelSet, rows: [Row])]())
        for row in try collected(aggregation.inner, grid) {
            let group = aggregation.grouping.group(of: row.labels)
            if let place = places[group] {
                groups[place].rows.append(row)
            } else {
                places[group] = groups.count
                groups.append((group, [row]))
            }
        }
        return groups
    }

    private func parameters(_ aggregation: Aggregation, _ grid: Grid) throws -> [Double] {
        try aggregation.parameter.map { try scalars($0, grid) } ?? []
    }

    private func quantiles(_ aggregation: Aggregation, _ grid: Grid, _ take: @escaping Take) throws {
        let ranks = try parameters(aggregation, grid)
        for group in try grouped(aggregation, grid) {
            let values = (0..<grid.count).map { step in
                let there = group.rows.map { $0.values[step] }.filter { !Row.isAbsent($0) }
                return there.isEmpty ? Row.absent : Quantile.of(ranks[step], there)
            }
            try take(Row(labels: group.labels, values: values))
        }
    }

    private func countValues(_ aggregation: Aggregation, _ grid: Grid, _ take: @escaping Take) throws {
        guard case .string(let label) = aggregation.parameter?.bare.form,
            LabelName.isValid(label, settings.semantics)
        else { throw EvaluationError.invalid("invalid label name in count_values") }
        var grouping = aggregation.grouping
        if !grouping.isWithout { grouping.names.append(label) }
        var (places, groups) = ([LabelSet: Int](), [Row]())
        try vector(aggregation.inner, grid) { row in
            for step in 0..<grid.count where !Row.isAbsent(row.values[step]) {
                let group = grouping.group(of: row.labels.with(label, SampleText.of(row.values[step])))
                let place = places[group] ?? groups.count
                if place == groups.count {
                    try budget.hold(bytes: grid.count * 8 + 200)
                    places[group] = place
                    groups.append(Row(labels: group, values: Array(repeating: Row.absent, count: grid.count)))
                }
                let count = groups[place].values[step]
                groups[place].values[step] = Row.isAbsent(count) ? 1 : count + 1
            }
        }
        for row in groups { try take(row) }
    }

    // MARK: Some of a group

    /// At each step some rows of each group, with all their labels; at one step in the order of their values.
    private func choose(_ aggregation: Aggregation, _ grid: Grid, _ take: @escaping Take) throws {
        let parameters = try parameters(aggregation, grid)
        for group in try grouped(aggregation, grid) {
            var chosen = group.rows.map {
                Row(labels: $0.labels, values: Array(repeating: Row.absent, count: grid.count))
            }
            var order = Array(group.rows.indices)
            for step in 0..<grid.count {
                let there = group.rows.indices.filter { !Row.isAbsent(group.rows[$0].values[step]) }
                let places = try choice(aggregation.operator, parameters[step], there, group.rows, step)
                for place in places { chosen[place].values[step] = group.rows[place].values[step] }
                if grid.count == 1 { order = places }
            }
            for place in order where chosen[place].values.contains(where: { !Row.isAbsent($0) }) {
                try take(chosen[place])
            }
        }
    }

    private func choice(
        _ name: Aggregation.Operator, _ parameter: Double, _ there: [Int], _ rows: [Row], _ step: Int
    ) throws -> [Int] {
        if name == .limitRatio {
            // A share of all label values: the same series again each time, and its complement for a negative ratio.
            return there.filter { place in
                let share = Double(rows[place].labels.stableHash) / Double(UInt64.max)
                return parameter >= 0 ? share < parameter : share >= 1 + parameter
            }
        }
        guard parameter.magnitude < 9e18 else {
            throw EvaluationError.invalid("Scalar value \(SampleText.of(parameter)) overflows int64")
        }
        let count = max(0, Int(parameter))
        if name == .limitk { return Array(there.prefix(count)) }
        let sorted = there.sorted { left, right in
            let (one, other) = (rows[left].values[step], rows[right].values[step])
            if Self.precedes(one, other, descending: name == .topk) { return true }
            // Of equal ones always the same, whatever else was read.
            return !Self.precedes(other, one, descending: name == .topk) && rows[left].labels < rows[right].labels
        }
        return Array(sorted.prefix(count))
    }
}

extension Grouping {
    func group(of labels: LabelSet) -> LabelSet {
        if names.isEmpty { return isWithout ? labels.without(LabelSet.name) : .empty }
        // They are few, so that comparing is faster than hashing.
        return isWithout
            ? labels.filter { $0 != LabelSet.name && !names.contains($0) } : labels.filter { names.contains($0) }
    }
}

extension LabelSet {
    /// The same in every process (FNV-1a).
    fileprivate var stableHash: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for label in labels {
            for byte in label.name.utf8 + [0xFF] + label.value.utf8 + [0xFF] {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            }
        }
        return hash
    }
}
