// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

extension SignalStore: SeriesSource {
    /// So many series are read on several threads, where there are.
    private static let seriesOfThreadsMin = 256

    /// Where samples of one series stand.
    private struct Places {
        /// Series of parts, by the place of the part.
        var parts: [(part: Int, series: PartIndex.Series)] = []
        /// Series in memory, those that are being written into a part before those that grow.
        var memory: [Head.Series] = []
    }

    /// Series in the order in which they were found, and the parts that have some of them.
    private struct Found {
        let times: ClosedRange<Int64>
        var parts: [(Part, PartIndex)] = []
        var keys: [[UInt8]] = []
        var places: [Places] = []
        private var slots = HashSlots()

        init(_ times: ClosedRange<Int64>) { self.times = times }

        mutating func add(_ key: [UInt8], _ body: (inout Places) -> Void) {
            body(&places[number(of: key)])
        }

        private mutating func number(of key: [UInt8]) -> Int {
            let hash = key.withUnsafeBufferPointer(KeyHash.of)
            if let number = slots.find(hash, where: { keys[$0] == key }) { return Int(number) }
            keys.append(key)
            places.append(Places())
            let number = slots.add(hash)
            if slots.isFull { slots = slots.larger { keys[$0].withUnsafeBufferPointer(KeyHash.of) } }
            return Int(number)
        }
    }

    /// Reads what was found, on one thread.
    private final class Reading {
        private let store: SignalStore
        private let found: Found
        private let readers: [PartReader]

        init(_ found: Found, of store: SignalStore) {
            (self.store, self.found) = (store, found)
            readers = found.parts.map { PartReader($0, $1) }
        }

        func forEach(
            in places: Range<Int>, _ check: () throws -> Void = {}, _ body: (LabelSet, SampleColumns) throws -> Void
        ) throws {
            var samples = SampleColumns()
            for place in places {
                try check()
                samples.removeAll()
                for (part, series) in found.places[place].parts {
                    let reader = readers[part]
                    try store.reading(reader.part) { try reader.read(series, found.times, into: &samples) }
                }
                for series in found.places[place].memory { try series.read(found.times, into: &samples) }
                let wanted = samples.ordered().within(found.times)
                if !wanted.isEmpty { try body(SeriesKey.labels(of: found.keys[place]), wanted) }
            }
        }
    }

    package func select(_ selection: SeriesSelection, _ body: (LabelSet, SampleColumns) throws -> Void) throws {
        let found = try find(selection)
        try Reading(found, of: self).forEach(in: found.keys.indices, {}, body)
    }

    package func select<Made: Sendable>(
        _ selection: SeriesSelection, threads: Int, batch: Int, check: () throws -> Void,
        _ make: @escaping @Sendable (LabelSet, SampleColumns) throws -> Made, _ take: (Made) throws -> Void
    ) throws {
        let found = try find(selection)
        let count = found.keys.count
        // A thread is not worth its beginning where there is little to read.
        guard threads > 1, count >= Self.seriesOfThreadsMin else {
            return try Reading(found, of: self).forEach(in: 0..<count, check) { try take(make($0, $1)) }
        }
        try InOrder.make((count + batch - 1) / batch, threads: threads) {
            let reading = Reading(found, of: self)
            return { number, check in
                let first = number * batch
                var made: [Made] = []
                try reading.forEach(in: first..<min(first + batch, count), check) { made.append(try make($0, $1)) }
                return made
            }
        } check: {
            try check()
        } _: { made in
            for thing in made { try take(thing) }
        }
    }

    package func changes(since revision: UInt64) -> SeriesChanges {
        state.withLock { state in
            SeriesChanges(
                revision: state.changes.revision, earliest: state.changes.earliest(since: revision))
        }
    }

    package func series(_ selection: SeriesSelection, _ body: (LabelSet) throws -> Void) throws {
        for key in try find(selection).keys { try body(SeriesKey.labels(of: key)) }
    }

    /// Parts, and series in memory, as they are at one moment. What is in the head goes into a part, never back, and so nothing is
    /// missed or seen twice.
    private func find(_ selection: SeriesSelection) throws -> Found {
        var found = Found(selection.times)
        // Nothing is looked for under the lock: for it those wait who write, and whoever asks may be put aside while holding it.
        let (parts, frozen, head) = state.withLock { ($0.parts, $0.frozen, $0.head.snapshot) }
        for part in parts where part.footer.times.overlaps(selection.times) {
            let index = try reading(part) { try indexes.index(of: part) }
            let place = found.parts.count
            found.parts.append((part, index))
            for number in try index.labels.series(selection.matchers) {
                let series = index.series[Int(number)]
                guard series.chunks.contains(where: { index.chunks[$0].times.overlaps(selection.times) }) else {
                    continue
                }
                found.add(series.key) { $0.parts.append((place, series)) }
            }
        }
        for memory in [frozen, head] {
            guard let memory else { continue }
            for number in try memory.index.series(selection.matchers) {
                let series = memory.series[Int(number)]
                guard series.overlaps(selection.times) else { continue }
                found.add(series.key) { $0.memory.append(series) }
            }
        }
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
