// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization
internal import Telemetry

/// What keeps the store small: from the log into parts, of many parts one, and away with what is old.
extension SignalStore {
    /// Keeps up every second until the store is closed or gone, on a thread of low priority. `report` is told what fails, at
    /// most once a minute.
    package func beginUpkeep(report: @escaping @Sendable (any Error) -> Void) {
        everySecond("telemetry-upkeep", report) { try $0.tidyUp() }
        // By itself, because an archive may take its time, for which nothing else can wait.
        everySecond("telemetry-removal", report) { try $0.removeOld() }
    }

    private func everySecond(
        _ name: String, _ report: @escaping @Sendable (any Error) -> Void,
        _ work: @escaping @Sendable (SignalStore) throws -> Void
    ) {
        let thread = Thread { [weak self] in
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            var lastReport = ContinuousClock.now - .seconds(60)
            while let isClosed = self?.isClosed, !isClosed {
                do { if let self { try work(self) } } catch {
                    if ContinuousClock.now - lastReport >= .seconds(60) {
                        report(error)
                        lastReport = ContinuousClock.now
                    }
                }
                Thread.sleep(forTimeInterval: 1)
            }
        }
        thread.name = name
        thread.start()
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Flushes, merges and removes what is due. Call it every few seconds, on a thread that may be kept busy.
    ///
    /// - Throws: `Failure`. Nothing is lost, and the next call tries again.
    package func keepUp() throws {
        // First, because it makes room for the rest, which must not wait where there is none to be made.
        let removal = Result { try removeOld() }
        try tidyUp()
        try removal.get()
    }

    private func tidyUp() throws {
        try flushDue()
        discard([])
        // What comes meanwhile must not wait until all is merged.
        while try merge() { try flushDue() }
        while try mergeRecords(SpanBatch.self) { try flushDue() }
        while try mergeRecords(LogBatch.self) { try flushDue() }
        while try thin() { try flushDue() }
        try saveExemplars()
    }

    private func flushDue() throws {
        let (isLogLong, due) = state.withLock { state in
            (
                state.segmentBytes.values.reduce(0, +) > settings.logBytesMax * 4,
                Signal.allCases.filter { isDue($0, state) }
            )
        }
        var failures: [any Error] = []
        // What fails for one signal must not keep the others in memory.
        for signal in isLogLong ? Signal.allCases : due {
            do { try flush(signal) } catch { failures.append(error) }
        }
        if let failure = failures.first { throw failure }
    }

    private func isDue(_ signal: Signal, _ state: State) -> Bool {
        let (unflushed, isFrozen, bytesMax, interval) =
            signal == .metrics
            ? (state.unflushed, state.frozen != nil, settings.logBytesMax, settings.flushInterval)
            : (
                state[shelf: signal].unflushed, state[shelf: signal].frozen != nil, settings.recordBytesMax,
                settings.recordFlushInterval
            )
        return isFrozen || unflushed.bytes > bytesMax
            || unflushed.oldestSegment != nil && ContinuousClock.now - unflushed.lastFlush > interval
    }

    /// Puts all that is in memory into parts.
    ///
    /// - Throws: `Failure`. Nothing is lost: the log still has it.
    package func flush() throws {
        for signal in Signal.allCases { try flush(signal) }
    }

    private func flush(_ signal: Signal) throws {
        try upkeep.withLock { _ in
            switch signal {
            case .metrics: try flushMetrics()
            case .traces: try flushRecords(SpanBatch.self)
            case .logs: try flushRecords(LogBatch.self)
            }
            try removeSegments()
        }
    }

    private func flushMetrics() throws {
        let (frozen, sequence, covered) = state.withLock { state in
            // A flush that failed left its samples where they were.
            if state.frozen == nil {
                state.coveredSegment = log.rotate()
                let sealed = state.head.seal(forgettingBefore: now() - Self.idleMax)
                state.frozen = sealed
                if state.head.series.count < sealed.series.count { state.countSeries() }
                state.unflushed.seal()
                state.frozenSequence = state.nextSequence
                state.nextSequence += 1
            }
            return (state.frozen ?? Head.Snapshot(), state.frozenSequence, state.coveredSegment)
        }
        var writer = try PartWriter(sequence, on: disk)
        var isDone = false
        defer { if !isDone { writer.abandon() } }
        for series in frozen.series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            var samples = SampleColumns()
            try series.read(into: &samples)
            try writer.add(series.key, samples.ordered())
        }
        let part = try writer.finish(rank: sequence, coveredSegment: covered, replacing: [])
        isDone = true
        // All series that are let go are let go outside the lock.
        withExtendedLifetime(frozen) {
            state.withLock { state in
                if let part { state.parts.append(part) }
                state.parts.sort { $0.footer.rank < $1.footer.rank }
                state.frozen = nil
                state.unflushed.finish()
            }
        }
    }

    /// Milliseconds without a sample after which a series may be forgotten: longer than anybody pauses between two scrapes.
    private static let idleMax: Int64 = 3_600_000

    /// Removes what of the log no signal needs any more.
    private func removeSegments() throws {
        let present = log.segment
        let needed = state.withLock { state in
            let needed = state.neededSegment ?? present
            state.segmentBytes = state.segmentBytes.filter { $0.key >= needed }
            return min(needed, present)
        }
        for name in try disk.names() {
            if let segment = RecordLog.segment(of: name), segment < needed { try disk.remove(name) }
        }
    }

    // MARK: Merging

    /// Parts of one day that are merged at once, at least.
    private static let mergeMin = 4
    /// And at most, so that merging holds little memory.
    private static let mergeMax = 16
    /// Larger parts stay as they are.
    private static let mergeBytesMax = 1 << 30
    static let day: Int64 = 86_400_000

    /// Merges some parts of a day into one: those of about one size while the day lasts, all of them once it is over.
    ///
    /// - Returns: Whether there was anything to do.
    private func merge() throws -> Bool {
        try upkeep.withLock { _ in
            let parts = state.withLock { $0.parts }
            let today = now() / Self.day
            var rest = parts[...]
            // Only neighbours are merged, so that what was written later still counts.
            while let day = rest.first.map({ $0.footer.times.upperBound / Self.day }) {
                let run = rest.prefix { $0.footer.times.upperBound / Self.day == day }
                rest = rest.dropFirst(run.count)
                guard let chosen = Self.choice(Array(run), isOver: day < today) else { continue }
                try merge(chosen, level: day < today ? Zstandard.strong : Zstandard.quick)
                return true
            }
            return false
        }
    }

    /// Parts that are worth merging; `nil` where none are. `run` are neighbours by rank, of one day that may be over.
    static func choice(_ run: [Part], isOver: Bool) -> [Part]? {
        for first in run.indices {
            var (smallest, largest, total) = (Int.max, 0, 0)
            let chosen = run[first...].prefix(mergeMax).prefix { part in
                let size = max(part.size, 64 << 10)
                smallest = min(smallest, size)
                guard total + size <= mergeBytesMax, isOver || max(largest, size) <= smallest * 4 else { return false }
                (largest, total) = (max(largest, size), total + size)
                return true
            }
            // What is late must not have a whole day written again for each little part of it.
            if chosen.count >= (isOver ? 2 : mergeMin), largest <= (total - largest) * 8 { return Array(chosen) }
        }
        return nil
    }

    private func merge(_ chosen: [Part], level: Int32) throws {
        let readers = try chosen.map { part in
            try reading(part) { PartReader(part, try indexes.index(of: part)) }
        }
        let sequence = state.withLock { state in
            defer { state.nextSequence += 1 }
            return state.nextSequence
        }
        var writer = try PartWriter(sequence, on: disk, level: level)
        var isDone = false
        defer {
            if !isDone {
                writer.abandon()
                discard([Part.name(.metrics, sequence)])
            }
        }
        var places = Array(repeating: 0, count: readers.count)
        while let key = zip(readers, places).compactMap({ reader, place in
            place < reader.index.series.count ? reader.index.series[place].key : nil
        }).min(by: { $0.lexicographicallyPrecedes($1) }) {
            var samples = SampleColumns()
            for (number, reader) in readers.enumerated() where places[number] < reader.index.series.count {
                let series = reader.index.series[places[number]]
                guard series.key == key else { continue }
                try reading(reader.part) { try reader.read(series, Int64.min...Int64.max, into: &samples) }
                places[number] += 1
            }
            try writer.add(key, samples.ordered())
        }
        let covered = chosen.map(\.footer.coveredSegment).max() ?? 0
        let merged = try writer.finish(
            rank: chosen.map(\.footer.rank).max() ?? sequence, coveredSegment: covered,
            replacing: chosen.map(\.footer.sequence) + leftovers(.metrics))
        isDone = true
        remove(Set(chosen.map(\.name)), adding: merged)
        discard(chosen.map(\.name))
    }

    private func remove(_ names: Set<String>, adding part: Part? = nil) {
        state.withLock { state in
            state.parts.removeAll { names.contains($0.name) }
            // What is merged is the same as before; what is gone is no longer part of any answer.
            if let part { state.parts.append(part) } else { state.changes.note(.min) }
            state.parts.sort { $0.footer.rank < $1.footer.rank }
        }
        indexes.forget(names)
    }

    // MARK: Removing

    /// Removes parts that are wholly too old, and the oldest ones while there are too many bytes; into the archive, where there is
    /// one. What cannot be put there stays.
    ///
    /// - Throws: the first failure, once all else is done.
    func removeOld() throws {
        // What was put into an archive is there because it is old.
        guard try !disk.names().contains(Archive.mark) else { return }
        var failure: (any Error)?
        for signal in Signal.allCases {
            for part in partsThatAreOver(signal) {
                do { try putAway(part) } catch { failure = failure ?? error }
            }
        }
        if let failure { throw failure }
    }

    private func putAway(_ part: Part) throws {
        // Without the lock, for which flushes wait.
        let place: (any Disk)?
        do { place = try settings.archive?.keep(part, from: disk, of: identity()) } catch {
            // Merged meanwhile, so that there was nothing to copy.
            guard isHere(part) else { return }
            throw error
        }
        try upkeep.withLock { _ in
            // Merged meanwhile: what it had is in another part, whose turn comes.
            guard isHere(part) else {
                try place?.remove(part.name)
                return
            }
            try disk.remove(part.name)
            forget(part)
        }
    }

    private func isHere(_ part: Part) -> Bool {
        state.withLock { state in
            let parts =
                switch Part.signal(of: part.name) {
                case .traces: state.traces.parts.map(\.part)
                case .logs: state.logs.parts.map(\.part)
                case .metrics, nil: state.parts
                }
            return parts.contains { $0.name == part.name }
        }
    }

    private func partsThatAreOver(_ signal: Signal) -> [Part] {
        let oldest = now() - settings.retention.wholeMilliseconds
        let parts = state.withLock { signal == .metrics ? $0.parts : $0[shelf: signal].parts.map(\.part) }
            .sorted { $0.footer.times.upperBound < $1.footer.times.upperBound }
        var size = parts.reduce(0) { $0 + $1.size }
        return parts.prefix { part in
            defer { size -= part.size }
            return part.footer.times.upperBound < oldest || size > settings.bytesMax(signal)
        }
    }

    private func forget(_ part: Part) {
        switch Part.signal(of: part.name) {
        case .traces: state.withLock { $0.traces.remove([part.name]) }
        case .logs: state.withLock { $0.logs.remove([part.name]) }
        case .metrics, nil: remove([part.name])
        }
    }

    // MARK: Damage

    /// Reads of a part; where it is damaged, it is set aside, so that the rest can be read.
    func reading<Result>(_ part: Part, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let failure as Failure where failure.code == .corrupt {
            forget(part)
            // Another query may have found it at the same time.
            state.withLock { if !$0.damaged.contains(part.name) { $0.damaged.append(part.name) } }
            try? disk.rename(part.name, to: part.name + ".damaged")
            throw failure
        }
    }
}

extension SampleColumns {
    /// In the order of time, of two at one time the later one to come.
    func ordered() -> SampleColumns {
        let isOrdered = times.withUnsafeBufferPointer { times in
            (1..<max(1, times.count)).allSatisfy { times[$0] > times[$0 - 1] }
        }
        if isOrdered { return self }
        let order = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        var ordered = SampleColumns()
        for place in order {
            if ordered.times.last == times[place] {
                ordered.values[ordered.count - 1] = values[place]
            } else {
                ordered.append(times[place], values[place])
            }
        }
        return ordered
    }
}
