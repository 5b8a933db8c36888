// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// The same for spans and log records as for samples: from the log into parts, and of many parts one.
extension SignalStore {
    /// Puts what is in memory of a kind into a part. Only under the lock of upkeep.
    func flushRecords<Batch: WideRecords>(_: Batch.Type) throws {
        let signal = Batch.signal
        guard state.withLock({ $0[shelf: signal].frozen != nil || $0[shelf: signal].head.rows > 0 }) else { return }
        let (frozen, sequence, covered) = state.withLock { state in
            // A flush that failed left its records where they were.
            if state[shelf: signal].frozen == nil {
                state[shelf: signal].coveredSegment = log.rotate()
                state[shelf: signal].frozen = state[shelf: signal].head.seal()
                state[shelf: signal].unflushed.seal()
                state[shelf: signal].frozenSequence = state.nextSequence
                state.nextSequence += 1
            }
            let shelf = state[shelf: signal]
            return (shelf.frozen ?? [], shelf.frozenSequence, shelf.coveredSegment)
        }
        var writer = try RecordPartWriter(signal, sequence, on: disk, level: Zstandard.quick)
        var isDone = false
        defer { if !isDone { writer.abandon() } }
        var rest = frozen[...]
        while !rest.isEmpty {
            // Where much has come at once, not all of it is expanded at once.
            var weight = 0
            let slice = rest.prefix { block in
                defer { weight += block.weight }
                return weight < settings.recordBytesMax
            }
            rest = rest.dropFirst(slice.count)
            let batches = try slice.map { try Batch.read($0.block) }
            for order in Batch.order(Batch.places(batches), of: batches).blocks(of: Batch.blockRows) {
                let (block, summary) = Batch.block(order, of: batches, isIndexed: true)
                try writer.add(block, summary)
            }
        }
        let part = try writer.finish(rank: sequence, coveredSegment: covered, replacing: [], isThinned: false)
        isDone = true
        state.withLock { state in
            if let part { state[shelf: signal].remove([], adding: part) }
            state[shelf: signal].frozen = nil
            state[shelf: signal].unflushed.finish()
        }
    }

    /// Merges some parts of a day.
    ///
    /// - Returns: Whether there was anything to do.
    func mergeRecords<Batch: WideRecords>(_: Batch.Type) throws -> Bool {
        try upkeep.withLock { _ in
            let parts = state.withLock { $0[shelf: Batch.signal].parts }
            let today = now() / Self.day
            var rest = parts[...]
            while let first = rest.first {
                let day = first.part.footer.times.upperBound / Self.day
                // What is to be thinned must not wait for what is much younger.
                let isWaiting = Batch.signal == .traces && !first.isThinned && settings.sampling != nil
                let latest =
                    isWaiting
                    ? max(
                        first.part.footer.times.upperBound,
                        first.part.footer.times.lowerBound + settings.hotWindow.wholeMilliseconds) : .max
                let run = rest.prefix {
                    let end = $0.part.footer.times.upperBound
                    return end / Self.day == day && end <= latest && $0.isThinned == first.isThinned
                }
                rest = rest.dropFirst(run.count)
                guard let chosen = Self.choice(run.map(\.part), isOver: day < today) else { continue }
                let names = Set(chosen.map(\.name))
                try rewrite(
                    run.filter { names.contains($0.name) }, Batch.self,
                    level: day < today ? Zstandard.strong : Zstandard.quick, isThinned: first.isThinned)
                return true
            }
            return false
        }
    }

    /// Writes parts into one, of their units those that `isKept`. Only under the lock of upkeep.
    func rewrite<Batch: WideRecords>(
        _ chosen: [RecordPart], _: Batch.Type, level: Int32, isThinned: Bool,
        isKept: (ArraySlice<RecordPlace>, [Batch]) -> Bool = { _, _ in true }
    ) throws {
        let sequence = state.withLock { state in
            defer { state.nextSequence += 1 }
            return state.nextSequence
        }
        var writer = try RecordPartWriter(Batch.signal, sequence, on: disk, level: level)
        var isDone = false
        defer {
            if !isDone {
                writer.abandon()
                discard([Part.name(Batch.signal, sequence)])
            }
        }
        var merge = RecordMerge<Batch>(chosen) { part, body in try self.reading(part.part, body) }
        while let (order, batches) = try merge.next(isKept) {
            let (block, summary) = Batch.block(order, of: batches, isIndexed: true)
            try writer.add(block, summary)
        }
        let merged = try writer.finish(
            rank: chosen.map(\.part.footer.rank).max() ?? sequence,
            coveredSegment: chosen.map(\.part.footer.coveredSegment).max() ?? 0,
            replacing: chosen.map(\.part.footer.sequence) + leftovers(Batch.signal), isThinned: isThinned)
        isDone = true
        state.withLock { $0[shelf: Batch.signal].remove(Set(chosen.map(\.name)), adding: merged) }
        discard(chosen.map(\.name))
    }

    /// Removes files of parts that another one stands for now. What cannot be removed is named by the parts to come, too, so that
    /// no start takes it for one that is still needed.
    func discard(_ names: [String]) {
        for name in names + Array(state.withLock { $0.leftovers }) {
            let isGone = (try? disk.remove(name)) != nil
            state.withLock { state in
                if isGone { state.leftovers.remove(name) } else { state.leftovers.insert(name) }
            }
        }
    }

    /// Sequences of the parts of a signal that could not be removed.
    func leftovers(_ signal: Signal) -> [UInt64] {
        state.withLock { state in state.leftovers.filter { Part.signal(of: $0) == signal } }.compactMap(Part.sequence)
    }
}

/// Reads several parts as one, in the order of time, a block at a time. Holds a group of each part in memory.
private struct RecordMerge<Batch: WideRecords> {
    private struct Source {
        let part: RecordPart
        var nextGroup = 0
        /// Units of the group that was read last, of the batch of that number.
        var order = RecordOrder()
        var nextUnit = 0
    }

    /// Groups that are held beside those that are being read.
    private static var batchesMax: Int { 16 }

    typealias Reading = (RecordPart, () throws -> Batch) throws -> Batch

    private var sources: [Source]
    private var batches: [Batch] = []
    private let reading: Reading

    init(_ parts: [RecordPart], _ reading: @escaping Reading) {
        (sources, self.reading) = (parts.map { Source(part: $0) }, reading)
    }

    /// The next block, of the batches with it; `nil` at the end.
    mutating func next(
        _ isKept: (ArraySlice<RecordPlace>, [Batch]) -> Bool
    ) throws -> (RecordOrder, [Batch])? {
        var places: [RecordPlace] = []
        while places.count < Batch.blockRows, let source = try earliest() {
            let unit = sources[source].order[sources[source].nextUnit]
            sources[source].nextUnit += 1
            if isKept(unit, batches) { places += unit }
            // Where little is kept: a smaller block rather than many groups in memory.
            guard batches.count > sources.count + Self.batchesMax else { continue }
            if !places.isEmpty { break }
            forgetBatches()
        }
        defer { forgetBatches() }
        return places.isEmpty ? nil : (Batch.order(places, of: batches), batches)
    }

    /// The source whose next unit begins first.
    private mutating func earliest() throws -> Int? {
        var (found, time): (Int?, UInt64) = (nil, .max)
        for number in sources.indices {
            while sources[number].nextUnit == sources[number].order.count, try readGroup(number) {}
            let source = sources[number]
            guard source.nextUnit < source.order.count, let first = source.order[source.nextUnit].first else {
                continue
            }
            let start = batches[first.batch].start(of: first.row)
            if found == nil || start < time { (found, time) = (number, start) }
        }
        return found
    }

    private mutating func readGroup(_ number: Int) throws -> Bool {
        let (part, group) = (sources[number].part, sources[number].nextGroup)
        guard group < part.groups.count else { return false }
        let batch = try reading(part) { try Batch.read(part.sections(of: group)) }
        batches.append(batch)
        sources[number].order = Batch.units(of: batches, at: batches.count - 1)
        (sources[number].nextGroup, sources[number].nextUnit) = (group + 1, 0)
        return true
    }

    /// Keeps only those batches of which something is still to come.
    private mutating func forgetBatches() {
        let needed = sources.compactMap { source in
            source.nextUnit < source.order.count ? source.order[source.nextUnit].first?.batch : nil
        }
        let renumbered = Dictionary(uniqueKeysWithValues: needed.enumerated().map { ($1, $0) })
        batches = needed.map { batches[$0] }
        for number in sources.indices {
            let source = sources[number]
            var rest = RecordOrder()
            for unit in source.nextUnit..<max(source.nextUnit, source.order.count) {
                rest.append(
                    source.order[unit].map { RecordPlace(batch: renumbered[$0.batch] ?? 0, row: $0.row) })
            }
            (sources[number].order, sources[number].nextUnit) = (rest, 0)
        }
    }
}
