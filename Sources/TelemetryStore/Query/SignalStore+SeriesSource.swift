// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

extension SignalStore: SeriesSource {
    /// Where samples of one series stand.
    private struct Places {
        /// Series of parts, by the place of their reader.
        var parts: [(reader: Int, series: PartIndex.Series)] = []
        /// Series in memory, those that are being written into a part before those that grow.
        var memory: [Head.Series] = []
    }

    /// Series in the order in which they were found, and the readers of parts that have some of them.
    private struct Found {
        var readers: [PartReader] = []
        var keys: [[UInt8]] = []
        var places: [Places] = []
        private var numbers: [[UInt8]: Int] = [:]

        mutating func add(_ key: [UInt8], _ body: (inout Places) -> Void) {
            let number = numbers[key] ?? keys.count
            if number == keys.count {
                numbers[key] = number
                keys.append(key)
                places.append(Places())
            }
            body(&places[number])
        }
    }

    package func select(_ selection: SeriesSelection, _ body: (LabelSet, SampleColumns) throws -> Void) throws {
        let found = try find(selection)
        var samples = SampleColumns()
        for (key, places) in zip(found.keys, found.places) {
            samples.removeAll()
            for (reader, series) in places.parts {
                let reader = found.readers[reader]
                try reading(reader.part) { try reader.read(series, selection.times, into: &samples) }
            }
            for series in places.memory { try series.read(selection.times, into: &samples) }
            let wanted = samples.ordered().within(selection.times)
            if !wanted.isEmpty { try body(SeriesKey.labels(of: key), wanted) }
        }
    }

    package func series(_ selection: SeriesSelection, _ body: (LabelSet) throws -> Void) throws {
        for key in try find(selection).keys { try body(SeriesKey.labels(of: key)) }
    }

    /// Parts, and series in memory, as they are at one moment; frozen series first. What is in the head goes into a part, never
    /// back, and so nothing is missed or seen twice.
    private func inMemory(_ selection: SeriesSelection) throws -> ([Part], [Head.Series]) {
        // Nothing is looked for under the lock: for it those wait who write, and whoever asks may be put aside while holding it.
        let (parts, frozen, head) = state.withLock { ($0.parts, $0.frozen, $0.head.snapshot) }
        let series = try (frozen?.series(selection.matchers) ?? []) + head.series(selection.matchers)
        return (
            parts.filter { $0.footer.times.overlaps(selection.times) }, series.filter { $0.overlaps(selection.times) }
        )
    }

    private func find(_ selection: SeriesSelection) throws -> Found {
        var found = Found()
        let (parts, memory) = try inMemory(selection)
        for part in parts {
            let index = try reading(part) { try indexes.index(of: part) }
            let reader = found.readers.count
            found.readers.append(PartReader(part, index))
            for number in try index.labels.series(selection.matchers) {
                let series = index.series[Int(number)]
                guard series.chunks.contains(where: { index.chunks[$0].times.overlaps(selection.times) }) else {
                    continue
                }
                found.add(series.key) { $0.parts.append((reader, series)) }
            }
        }
        for series in memory { found.add(series.key) { $0.memory.append(series) } }
        return found
    }
}

extension Head.Series {
    fileprivate func overlaps(_ range: ClosedRange<Int64>) -> Bool {
        if chunks.contains(where: { $0.times.overlaps(range) }) { return true }
        guard let first = open.times.first, let last = open.times.last else { return false }
        return first <= range.upperBound && last >= range.lowerBound
    }
}

extension SampleColumns {
    fileprivate func within(_ range: ClosedRange<Int64>) -> SampleColumns {
        guard let first = times.first, let last = times.last else { return self }
        if range.contains(first), range.contains(last) { return self }
        let low = times.firstPlace { $0 >= range.lowerBound }
        let high = max(low, times.firstPlace { $0 > range.upperBound })
        return SampleColumns(times: Array(times[low..<high]), values: Array(values[low..<high]))
    }
}

extension [Int64] {
    /// Where `test` begins to hold, by halves.
    fileprivate func firstPlace(where test: (Int64) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if test(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
