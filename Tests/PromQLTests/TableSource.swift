// SPDX-License-Identifier: Apache-2.0

import Patterns
import Synchronization
import Telemetry

/// Series in a table, the slow and plain way.
final class TableSource: SeriesSource {
    private let table = Mutex<[LabelSet: SampleColumns]>([:])
    /// The earliest time that each change touched.
    private let touched = Mutex<[Int64]>([])
    private let handedOver = Mutex(0)

    /// Samples that were handed over so far.
    var samplesRead: Int { handedOver.withLock { $0 } }

    func changes(since revision: UInt64) -> SeriesChanges {
        touched.withLock { SeriesChanges(revision: UInt64($0.count), earliest: $0.dropFirst(Int(revision)).min()) }
    }

    func removeAll(before time: Int64) {
        table.withLock { table in
            table = table.mapValues { samples in
                let kept = samples.times.indices.filter { samples.times[$0] >= time }
                return SampleColumns(times: kept.map { samples.times[$0] }, values: kept.map { samples.values[$0] })
            }
        }
        touched.withLock { $0.append(.min) }
    }

    func add(_ labels: LabelSet, _ samples: SampleColumns) {
        guard let first = samples.times.min() else { return }
        touched.withLock { $0.append(first) }
        table.withLock { table in
            var merged = table[labels] ?? SampleColumns()
            for place in samples.times.indices { merged.append(samples.times[place], samples.values[place]) }
            let order = merged.times.indices.sorted { merged.times[$0] < merged.times[$1] }
            table[labels] = SampleColumns(
                times: order.map { merged.times[$0] }, values: order.map { merged.values[$0] })
        }
    }

    var all: [LabelSet: SampleColumns] { table.withLock { $0 } }

    func select(_ selection: SeriesSelection, _ body: (LabelSet, SampleColumns) throws -> Void) throws {
        for (labels, samples) in all where try selection.matchers.allSatisfy({ try $0.accepts(labels[$0.name]) }) {
            var inside = SampleColumns()
            for place in samples.times.indices where selection.times.contains(samples.times[place]) {
                inside.append(samples.times[place], samples.values[place])
            }
            handedOver.withLock { $0 += inside.count }
            if !inside.isEmpty { try body(labels, inside) }
        }
    }

    func series(_ selection: SeriesSelection, _ body: (LabelSet) throws -> Void) throws {
        try select(selection) { labels, _ in try body(labels) }
    }
}

extension LabelMatcher {
    fileprivate func accepts(_ text: String) throws -> Bool {
        switch operation {
        case .equal: text == value
        case .notEqual: text != value
        case .matches: try Pattern(value, .whole).matches(text)
        case .matchesNot: try !Pattern(value, .whole).matches(text)
        }
    }
}
