// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization
package import Telemetry

/// Keeps what a system tells of itself on one disk: samples of metrics, spans, and log records.
///
/// What ``append(_:)`` has accepted is durable when it returns. It stands in the log and, packed, in memory, until a flush puts
/// it into a part; parts are merged and, in the end, removed by age and size. One process at a time uses a folder.
package final class SignalStore: Sendable {
    package struct Settings: Sendable {
        /// How long samples are kept. Default 15 days.
        package var retention: Duration = .seconds(15 * 86_400)
        /// Bytes of parts of metrics, beyond which the oldest go. Default 10 GiB.
        package var metricBytesMax = 10 << 30
        /// The same of spans. Default 10 GiB.
        package var traceBytesMax = 10 << 30
        /// The same of log records. Default 10 GiB.
        package var logRecordBytesMax = 10 << 30
        /// Bytes of samples in the log after which they become a part; a restart reads at most four times as much. Default 24 MiB.
        package var logBytesMax = 24 << 20
        /// How long samples stay in the log at most. Default two hours.
        package var flushInterval: Duration = .seconds(7_200)
        /// The same for spans, and for log records: what they take in memory meanwhile. Default 4 MiB, some 100,000 spans.
        package var recordBytesMax = 4 << 20
        /// Default ten minutes.
        package var recordFlushInterval: Duration = .seconds(600)
        /// How long every span is kept; then ``sampling`` decides about its trace. Default one hour.
        package var hotWindow: Duration = .seconds(3_600)
        /// Which traces stay after the hot window; `nil` keeps all. Its `grace` is not looked at.
        package var sampling: TailSampling? = .init()
        /// Series that one metric may have in the head; further ones are folded into one. Default 100,000.
        package var seriesPerMetricMax = 100_000
        /// Series that one sender, as `job` names it, may have in the head. Default half a million.
        package var seriesPerSenderMax = 500_000
        /// Series that all metrics may have in the head. Default one million, about a gigabyte of memory.
        package var seriesMax = 1_000_000
        /// Where parts go that are removed by age or size. Default `nil`: they are gone.
        package var archive: Archive?
        /// How far ahead of this machine's clock a sample may be. Default ten minutes.
        package var aheadMax: Duration = .seconds(600)

        package init() {}

        func bytesMax(_ signal: Signal) -> Int {
            switch signal {
            case .metrics: metricBytesMax
            case .traces: traceBytesMax
            case .logs: logRecordBytesMax
            }
        }
    }

    struct State {
        var head = Head()
        /// Of samples, wherever they are.
        var changes = ChangeLog()
        /// What is being written into a part.
        var frozen: Head.Snapshot?
        /// The last segment of the log that ``frozen`` is in.
        var coveredSegment: UInt64 = 0
        var frozenSequence: UInt64 = 0
        var parts: [Part] = []
        var unflushed = Unflushed()
        var traces = RecordShelf(.traces)
        var logs = RecordShelf(.logs)
        /// Bytes of each segment of the log that is still needed.
        var segmentBytes: [UInt64: Int] = [:]
        var nextSequence: UInt64 = 1
        var budget = SeriesBudget()
        var overflow = Overflow()
        /// What deltas have added up to since the process began. A restart begins again at zero, as a restarted sender does.
        var sums: [[UInt8]: Double] = [:]
        var damaged: [String] = []
        /// Files of parts that others stand for, and that could not be removed.
        var leftovers: Set<String> = []
        var isClosed = false
        /// Bytes that were no whole record when the log was read, and all that were read.
        var tornBytes = 0
        var replayedBytes = 0

        init() {}

        subscript(shelf signal: Signal) -> RecordShelf {
            get { signal == .logs ? logs : traces }
            _modify { if signal == .logs { yield &logs } else { yield &traces } }
        }

        mutating func note(_ count: Int, of signal: Signal, in segment: UInt64) {
            if signal == .metrics {
                unflushed.note(count, in: segment)
            } else {
                self[shelf: signal].unflushed.note(count, in: segment)
            }
            segmentBytes[segment, default: 0] += count
        }

        /// The first segment of the log that is still needed; `nil` where none is.
        var neededSegment: UInt64? {
            [unflushed, traces.unflushed, logs.unflushed].compactMap(\.neededSegment).min()
        }
    }

    let settings: Settings
    let disk: any Disk
    let log: RecordLog
    let state: Mutex<State>
    let indexes = IndexCache()
    let logTails = LogTails()
    package let exemplars: ExemplarTable
    package let spanMetrics = SpanMetrics()
    package let serviceGraph = ServiceGraph()
    /// Only one flush or merge at a time; and what was decided about traces last.
    let upkeep = Mutex<TraceRetention?>(nil)
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    /// Opens what the disk holds.
    ///
    /// - Throws: `Failure`. A part that is damaged is no failure: it is set aside and named in ``statistics``.
    package init(
        on disk: any Disk, _ settings: Settings = Settings(),
        now: @escaping @Sendable () -> Int64 = { Int64(UnixTime.now() / 1_000_000) }
    ) throws {
        self.settings = settings
        self.disk = disk
        self.now = now
        var opened = State()
        let lastSegment = try Self.open(disk, &opened)
        exemplars = try Self.readExemplars(disk.names(), of: disk, &opened)
        opened.countSeries()
        // What the log brought counts as if it had been there for long, so that restarts do not add up.
        if opened.replayedBytes > settings.logBytesMax / 2 {
            opened.unflushed.lastFlush -= settings.flushInterval
            opened.traces.unflushed.lastFlush -= settings.flushInterval
            opened.logs.unflushed.lastFlush -= settings.flushInterval
        }
        log = RecordLog(disk, segment: lastSegment + 1)
        state = Mutex(opened)
        let thread = Thread { [log] in log.run() }
        thread.name = "telemetry-log"
        thread.start()
    }

    deinit { log.close() }

    // MARK: Opening

    /// - Returns: The last segment of the log.
    private static func open(_ disk: any Disk, _ state: inout State) throws -> UInt64 {
        let names = try disk.names()
        for name in names where name.hasSuffix(".tmp") { try disk.remove(name) }
        var (covered, lastSegment): ([Signal: UInt64], UInt64) = ([:], 0)
        for signal in Signal.allCases {
            let parts = try parts(signal, names, of: disk, &state)
            covered[signal] = parts.map(\.footer.coveredSegment).max()
            for part in parts { state.nextSequence = max(state.nextSequence, part.footer.sequence + 1) }
            lastSegment = max(lastSegment, covered[signal] ?? 0)
            if signal == .metrics {
                state.parts = parts
            } else {
                state[shelf: signal].parts = try parts.compactMap { part in
                    do { return try RecordPart(part) } catch let failure as Failure where failure.code == .corrupt {
                        try disk.rename(part.name, to: part.name + ".damaged")
                        state.damaged.append(part.name)
                        return nil
                    }
                }
            }
        }
        return max(lastSegment, try replay(names, of: disk, covered, &state))
    }

    /// Parts of a signal in the order of their rank.
    private static func parts(
        _ signal: Signal, _ names: [String], of disk: any Disk, _ state: inout State
    ) throws -> [Part] {
        var parts: [Part] = []
        for name in names where Part.signal(of: name) == signal {
            do { parts.append(try Part(name, of: disk)) } catch let failure as Failure where failure.code == .corrupt {
                try disk.rename(name, to: name + ".damaged")
                state.damaged.append(name)
            }
        }
        // Parts that were merged into another one, by a process that ended before it could remove them.
        let replaced = Set(parts.flatMap(\.footer.replaced))
        for part in parts where replaced.contains(part.footer.sequence) { try disk.remove(part.name) }
        return parts.filter { !replaced.contains($0.footer.sequence) }.sorted { $0.footer.rank < $1.footer.rank }
    }

    /// Reads what stands in no part. `covered` has for each signal the segments that its parts stand for.
    private static func replay(
        _ names: [String], of disk: any Disk, _ covered: [Signal: UInt64], _ state: inout State
    ) throws -> UInt64 {
        let segments = names.compactMap(RecordLog.segment).sorted()
        for segment in segments {
            // The numbers that series have in the segment, and those that they have now.
            var numbers: [UInt32] = []
            state.replayedBytes += try disk.open(RecordLog.name(segment)).size
            state.tornBytes += try RecordLog.replay(segment, of: disk) { record in
                let signal = try WideRecord.signal(of: record)
                guard segment > covered[signal] ?? 0 else { return }
                var weight = record.count
                if signal == .metrics {
                    try SampleRecord.read(record, &numbers, into: &state.head)
                } else {
                    let block =
                        try signal == .traces
                        ? WideRecord.read(record, SpanBatch.self) : WideRecord.read(record, LogBatch.self)
                    state[shelf: signal].head.append(block)
                    weight = block.weight
                }
                state.note(weight, of: signal, in: segment)
            }
        }
        let needed = state.neededSegment ?? .max
        for segment in segments where segment < needed { try disk.remove(RecordLog.name(segment)) }
        return segments.last ?? 0
    }

    // MARK: Writing

    /// Takes samples in.
    ///
    /// - Returns: How many were accepted, and why others were not.
    /// - Throws: `Failure`: `overloaded` where the disk does not keep up, `unavailable` where it fails. Sending the batch again
    ///   is right then: what was taken in is not there twice, save deltas, which nobody can tell from others.
    package func append(_ batch: SampleBatch) async throws -> Admission {
        // Before the lock is taken, for which others wait.
        let hashes = batch.hashes
        for _ in 0..<3 {
            let (admission, ticket, isTaken) = try state.withLock { state in
                try state.unflushed.check(max: settings.logBytesMax)
                return state.admit(batch, hashes, settings, now(), log)
            }
            guard isTaken else { continue }
            if let ticket { try await log.synced(ticket) }
            return admission
        }
        throw Failure(.unavailable, "The log of telemetry cannot be written.")
    }

    /// Takes spans in. One that is sent again is there once.
    ///
    /// - Returns: How many were accepted, and why others were not.
    /// - Throws: `Failure`: `overloaded` where the disk does not keep up, `unavailable` where it fails.
    package func append(_ spans: SpanBatch) async throws -> Admission {
        let admission = try await append(records: spans)
        // Others stand for those that their process has sampled out, and all of a batch are so or none.
        guard spans.flags.first.map({ $0 & SpanBatch.spareFlag == 0 }) ?? true else { return admission }
        spanMetrics.note(spans)
        serviceGraph.note(spans, at: now())
        return admission
    }

    /// Takes log records in, as ``append(_:)-(SpanBatch)`` takes spans. A record that is sent again is there twice: nothing tells it from another.
    ///
    /// - Returns: How many were accepted, and why others were not.
    /// - Throws: `Failure`: `overloaded` where the disk does not keep up, `unavailable` where it fails.
    package func append(_ records: LogBatch) async throws -> Admission { try await append(records: records) }

    private func append<Batch: WideRecords>(records batch: Batch) async throws -> Admission {
        let (admission, places) = Admission.of(batch, settings, now())
        // Before the lock is taken, for which others wait.
        guard let (record, block) = try WideRecord.make(batch, places) else { return admission }
        for _ in 0..<3 {
            let ticket = try state.withLock { state in
                try state[shelf: Batch.signal].unflushed.check(max: settings.recordBytesMax)
                let segment = log.segment
                guard let ticket = log.append(record, for: segment) else { return nil as UInt64? }
                state[shelf: Batch.signal].head.append(block)
                state.note(block.weight, of: Batch.signal, in: segment)
                return ticket
            }
            guard let ticket else { continue }
            try await log.synced(ticket)
            if Batch.signal == .logs { logTails.note(block.block) }
            return admission
        }
        throw Failure(.unavailable, "The log of telemetry cannot be written.")
    }

    // MARK: Ending

    /// Writes what is in memory into parts, so that the next start has nothing to read.
    ///
    /// - Throws: `Failure`. Nothing is lost: the log still has it.
    package func close() throws {
        state.withLock { $0.isClosed = true }
        defer { log.close() }
        try flush()
        try saveExemplars(isLast: true)
    }
}

extension SignalStore.State {
    /// Anew, where series were not added one by one or some were forgotten.
    mutating func countSeries() {
        budget.recount()
        var known: [[UInt8]: Double] = [:]
        for series in head.series {
            let labels = SeriesKey.labels(of: series.key)
            budget.add(labels, isOverflow: Overflow.isOwn(labels))
            known[series.key] = sums[series.key]
        }
        sums = known
    }
}

/// Indexes of parts that were asked lately.
final class IndexCache: Sendable {
    /// Series of all indexes together, at some 500 bytes each.
    private static let seriesMax = 200_000

    private let indexes = Mutex<[(name: String, index: PartIndex)]>([])

    /// - Throws: `Failure` with `corrupt`.
    func index(of part: Part) throws -> PartIndex {
        if let known = indexes.withLock({ $0.first { $0.name == part.name } }) { return known.index }
        let index = try PartIndex(part)
        indexes.withLock { indexes in
            indexes.removeAll { $0.name == part.name }
            indexes.append((part.name, index))
            var count = indexes.reduce(0) { $0 + $1.index.series.count }
            while count > Self.seriesMax, indexes.count > 1 { count -= indexes.removeFirst().index.series.count }
        }
        return index
    }

    func forget(_ names: Set<String>) { indexes.withLock { $0.removeAll { names.contains($0.name) } } }
}
