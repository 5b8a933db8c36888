// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// The times at which an expression is evaluated, in milliseconds since 1970.
struct Grid {
    let start: Int64
    let step: Int64
    let count: Int

    func time(_ place: Int) -> Int64 { start + Int64(place) * step }
    var end: Int64 { time(count - 1) }

    /// Only the first of them.
    var first: Grid { Grid(start: start, step: step, count: 1) }

    /// The values that are there, with their times.
    func samples(_ values: [Double]) -> SampleColumns {
        var samples = SampleColumns()
        for (place, value) in values.enumerated() where !Row.isAbsent(value) { samples.append(time(place), value) }
        return samples
    }
}

/// A series with its value at each step, or the mark that it has none there.
struct Row {
    var labels: LabelSet
    var values: [Double]

    /// No series has the marker of its own end as a value, and arithmetic does not make it.
    static let absent = StaleMarker.value

    /// Most values are numbers, which shows without a call to another module.
    static func isAbsent(_ value: Double) -> Bool { value.isNaN && StaleMarker.isStale(value) }

    /// With each value replaced that is there.
    consuming func mapped(_ body: (Int, Double) throws -> Double) rethrows -> Row {
        var row = self
        for place in row.values.indices where !Row.isAbsent(row.values[place]) {
            row.values[place] = try body(place, row.values[place])
        }
        return row
    }
}

/// Rows by their labels; those with the same labels are one series, which has one value at a step.
struct RowCollector {
    private(set) var rows: [Row] = []
    private var places: [LabelSet: Int] = [:]
    private let budget: QueryBudget

    init(_ budget: QueryBudget) { self.budget = budget }

    mutating func add(_ row: consuming Row) throws {
        // Filters leave series without any value.
        guard row.values.contains(where: { !Row.isAbsent($0) }) else { return }
        try budget.hold(bytes: row.values.count * 8 + 200)
        guard let place = places[row.labels] else {
            places[row.labels] = rows.count
            rows.append(row)
            return
        }
        for step in row.values.indices where !Row.isAbsent(row.values[step]) {
            guard Row.isAbsent(rows[place].values[step]) else {
                throw EvaluationError.invalid("vector cannot contain metrics with the same labelset: \(row.labels)")
            }
            rows[place].values[step] = row.values[step]
        }
    }
}

/// What one query may still use.
final class QueryBudget {
    private let samplesMax: Int
    private let bytesMax: Int
    private let isCancelled: @Sendable () -> Bool
    private var samples = 0
    private var bytes = 0

    init(_ settings: QueryEngine.Settings, _ isCancelled: @escaping @Sendable () -> Bool) {
        samplesMax = settings.samplesMax
        bytesMax = settings.bytesMax
        self.isCancelled = isCancelled
    }

    /// Called for each series.
    func read(samples count: Int) throws {
        samples += count
        if samples > samplesMax { throw EvaluationError.tooManySamples(samplesMax) }
        try look()
    }

    /// Ends a query that nobody waits for.
    func look() throws { if isCancelled() { throw EvaluationError.cancelled } }

    func hold(bytes count: Int) throws {
        bytes += count
        if bytes > bytesMax { throw EvaluationError.tooMuchMemory(bytes: bytesMax) }
    }
}
