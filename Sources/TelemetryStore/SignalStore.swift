// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization
package import Telemetry

/// Keeps what a system tells of itself on one disk: samples of metrics now, spans and log records later.
///
/// What ``append(_:)`` has accepted is durable when it returns. It stands in the log and, packed, in memory, until a flush puts
/// it into a part; parts are merged and, in the end, removed by age and size. One process at a time uses a folder.
package final class SignalStore: Sendable {
    package struct Settings: Sendable {
        /// How long samples are kept. Default 15 days.
        package var retention: Duration = .seconds(15 * 86_400)
        /// Bytes of parts, beyond which the oldest go. Default 10 GiB.
        package var bytesMax = 10 << 30
        /// Bytes of the log after which it becomes a part; a restart reads at most about that much. Default 48 MiB.
        package var logBytesMax = 48 << 20
        /// How long samples stay in the log at most. Default two hours.
        package var flushInterval: Duration = .seconds(7_200)
        /// Series that one metric may have in the head; further ones are refused. Default 100,000.
        package var seriesPerMetricMax = 100_000
        /// Series that all metrics may have in the head. Default one million, about a gigabyte of memory.
        package var seriesMax = 1_000_000
        /// How far ahead of this machine's clock a sample may be. Default ten minutes.
        package var aheadMax: Duration = .seconds(600)

        package init() {}
    }

    struct State {
        var head = Head()
        /// What is being written into a part.
        var frozen: [Head.KeyedSeries]?
        var frozenIndex = LabelIndex()
        /// The last segment of the log that ``frozen`` is in.
        var coveredSegment: UInt64 = 0
        var frozenSequence: UInt64 = 0
        var parts: [Part] = []
        var nextSequence: UInt64 = 1
        var seriesByMetric: [String: Int] = [:]
        /// What deltas have added up to since the process began. A restart begins again at zero, as a restarted sender does.
        var sums: [[UInt8]: Double] = [:]
        var damaged: [String] = []
        var isClosed = false
        /// Changes when numbers of series in memory do.
        var generation = 0
        var lastFlush: ContinuousClock.Instant
        /// Bytes that were no whole record when the log was read, and all that were read.
        var tornBytes = 0
        var replayedBytes = 0
    }

    let settings: Settings
    let disk: any Disk
    let log: RecordLog
    let state: Mutex<State>
    let indexes = IndexCache()
    /// Only one flush or merge at a time.
    let upkeep = Mutex(())
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
        var opened = State(lastFlush: ContinuousClock.now)
        let lastSegment = try Self.open(disk, &opened)
        opened.countSeries()
        // What the log brought counts as if it had been there for long, so that restarts do not add up.
        if opened.replayedBytes > settings.logBytesMax / 2 { opened.lastFlush -= settings.flushInterval }
        for part in opened.parts { opened.nextSequence = max(opened.nextSequence, part.footer.sequence + 1) }
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
        var parts: [Part] = []
        for name in names where name.hasSuffix(".part") {
            do { parts.append(try Part(name, of: disk)) } catch let failure as Failure where failure.code == .corrupt {
                try disk.rename(name, to: name + ".damaged")
                state.damaged.append(name)
            }
        }
        // Parts that were merged into another one, by a process that ended before it could remove them.
        let replaced = Set(parts.flatMap(\.footer.replaced))
        for part in parts where replaced.contains(part.footer.sequence) { try disk.remove(part.name) }
        state.parts = parts.filter { !replaced.contains($0.footer.sequence) }
            .sorted { $0.footer.rank < $1.footer.rank }
        return try replay(names, of: disk, covered: parts.map(\.footer.coveredSegment).max() ?? 0, &state)
    }

    private static func replay(
        _ names: [String], of disk: any Disk, covered: UInt64, _ state: inout State
    ) throws -> UInt64 {
        let segments = names.compactMap(RecordLog.segment).sorted()
        for segment in segments where segment <= covered { try disk.remove(RecordLog.name(segment)) }
        for segment in segments where segment > covered {
            // The numbers that series have in the segment, and those that they have now.
            var numbers: [UInt32] = []
            state.replayedBytes += try disk.open(RecordLog.name(segment)).size
            state.tornBytes += try RecordLog.replay(segment, of: disk) { record in
                try SampleRecord.read(record, &numbers, into: &state.head)
            }
        }
        return max(covered, segments.last ?? 0)
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
            guard log.segmentBytes < settings.logBytesMax * 8 else {
                throw Failure(.overloaded, "The disk does not keep up with telemetry. Send it again later.")
            }
            let (admission, ticket, isTaken) = state.withLock { $0.admit(batch, hashes, settings, now(), log) }
            guard isTaken else { continue }
            if let ticket { try await log.synced(ticket) }
            return admission
        }
        throw Failure(.unavailable, "The log of telemetry cannot be written.")
    }

    // MARK: Ending

    /// Writes what is in the head into a part, so that the next start has nothing to read.
    ///
    /// - Throws: `Failure`. Nothing is lost: the log still has it.
    package func close() throws {
        state.withLock { $0.isClosed = true }
        defer { log.close() }
        try flush()
    }
}

extension SignalStore.State {
    /// Anew, where series were not added one by one or some were forgotten.
    mutating func countSeries() {
        seriesByMetric = [:]
        var known: [[UInt8]: Double] = [:]
        for number in head.series.indices {
            let series = head.keyed(UInt32(number))
            seriesByMetric[series.metricName, default: 0] += 1
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
