// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// Which traces stay once the hot window is over: tail sampling as retention, decided when all that is late has come.
///
/// The clock is that of the traces, so that what is decided late is decided as it would have been then.
struct TraceRetention: Sendable {
    private var sampler: TailSampler<TraceID>
    /// Nanoseconds since 1970.
    private let origin: UInt64
    private var last: UInt64
    /// Traces that were dropped from the part before, so that what of them stands in this one does not look like a new one.
    private(set) var dropped: Set<UInt32> = []
    private var droppedNow: Set<UInt32> = []

    /// `origin` is the time of the first trace, in nanoseconds since 1970.
    init(_ configuration: TailSampling, origin: UInt64) {
        var immediate = configuration
        immediate.grace = .zero
        (self.origin, last) = (origin, origin)
        sampler = TailSampler(immediate, now: .zero)
    }

    /// Milliseconds since 1970 that the first trace of a part may lie before what was decided last, for its clock to go on.
    private static let overlapMax: Int64 = 60_000

    /// Goes on with a part that begins at `start`, in milliseconds since 1970. What is older than the part before has a clock of its
    /// own, or all of it would seem to come in one moment.
    mutating func beginPart(_ configuration: TailSampling, from start: Int64, origin: UInt64) {
        let refused = droppedNow
        if Int64(last / 1_000_000) > start + Self.overlapMax {
            self = TraceRetention(configuration, origin: origin)
        }
        (dropped, droppedNow) = (refused, [])
    }

    /// Decides about a trace. Call it in the order in which they began; one that began before is taken for the present.
    mutating func isKept(_ trace: TailSampler<TraceID>.Facts, start: UInt64) -> Bool {
        last = max(last, start)
        let now = Duration.nanoseconds(Int64(clamping: last - origin))
        let hash = KeyHash.ofTrace(trace.traceID.high, trace.traceID.low)
        if !trace.isError, !trace.isChosen, dropped.contains(hash) || droppedNow.contains(hash) {
            droppedNow.insert(hash)
            return false
        }
        let actions = sampler.add(trace.traceID, trace, now: now) + sampler.tick(now: now)
        let isKept = actions.contains { action in
            if case .keep(let id, _, _, _) = action { id == trace.traceID } else { false }
        }
        if !isKept { droppedNow.insert(hash) }
        return isKept
    }
}

extension SignalStore {
    /// Leaves of the traces of a part that is older than the hot window only those that are to be kept.
    ///
    /// - Returns: Whether there was anything to do.
    func thin() throws -> Bool {
        guard let configuration = settings.sampling else { return false }
        return try upkeep.withLock { retention in
            let end = now() - settings.hotWindow.wholeMilliseconds
            let found = state.withLock { state in
                state.traces.parts.first { !$0.isThinned && $0.part.footer.times.upperBound < end }
            }
            guard let part = found else { return false }
            let times = part.part.footer.times
            // Spans that came late: they end before what is hot, as those do that this part was held for.
            let near = times.lowerBound - settings.hotWindow.wholeMilliseconds...Int64.max
            let others = state.withLock { state in
                state.traces.parts.filter { $0.name != part.name && $0.part.footer.times.overlaps(near) }
            }
            let (failed, kept) = (try failedTraces(in: others), try keptTraces(in: others))
            let exemplary = exemplars.traces
            // A clock that is wrong must not have the sampler pass through years.
            let earliest = UInt64(max(0, times.upperBound - Self.day)) * 1_000_000
            var decided = retention ?? TraceRetention(configuration, origin: earliest)
            decided.beginPart(
                configuration, from: max(times.lowerBound, times.upperBound - Self.day), origin: earliest)
            try rewrite([part], SpanBatch.self, level: Zstandard.quick, isThinned: true) { unit, batches in
                guard let first = unit.first else { return false }
                let facts = Self.facts(unit, batches, failed, kept, exemplary)
                let isSpare = unit.allSatisfy { batches[$0.batch].flags[$0.row] & SpanBatch.spareFlag != 0 }
                if isSpare, !facts.isError, !facts.isChosen { return false }
                return decided.isKept(facts, start: max(earliest, batches[first.batch].starts[first.row]))
            }
            retention = decided
            return true
        }
    }

    private static func facts(
        _ unit: ArraySlice<RecordPlace>, _ batches: [SpanBatch], _ failed: Set<TraceID>, _ kept: Set<UInt32>,
        _ exemplary: Set<TraceID>
    ) -> TailSampler<TraceID>.Facts {
        let spans = unit.map { ($0, batches[$0.batch]) }
        let (first, batch) = spans[0]
        let id = TraceID(high: batch.traceHighs[first.row], low: batch.traceLows[first.row])
        let root = spans.first { $0.1.parentIDs[$0.0.row] == 0 } ?? spans[0]
        let start = spans.map { $0.1.starts[$0.0.row] }.min() ?? 0
        let end = spans.map { $0.1.ends[$0.0.row] }.max() ?? start
        let facet = SpanFacet(of: root.0.row, in: root.1)
        return TailSampler<TraceID>.Facts(
            traceID: id, isRoot: true,
            isError: failed.contains(id) || spans.contains { $0.1.statuses[$0.0.row] == 2 },
            isChosen: exemplary.contains(id) || kept.contains(KeyHash.ofTrace(id.high, id.low))
                || spans.contains { $0.1.flags[$0.0.row] & SpanBatch.keptFlag != 0 },
            route: String(decoding: facet.service + [0] + facet.name, as: UTF8.self),
            duration: .nanoseconds(Int64(clamping: end > start ? end - start : 0)), bytes: 0)
    }

    /// Traces of which some spans were decided to be kept: what comes of them later is kept, too.
    private func keptTraces(in parts: [RecordPart]) throws -> Set<UInt32> {
        var kept: Set<UInt32> = []
        for part in parts where part.isThinned { try reading(part.part) { kept.formUnion(try part.traces()) } }
        return kept
    }

    /// Traces of which another part, or what is in memory, has a span that failed.
    private func failedTraces(in parts: [RecordPart]) throws -> Set<TraceID> {
        var failed: Set<TraceID> = []
        func note(_ sections: some RecordSections) throws {
            let outline = try SpanOutline(sections)
            guard outline.statuses.contains(2) else { return }
            let identifiers = try SpanIdentifiers(sections, traces: outline.traces)
            for trace in 0..<outline.traces where outline.rows(of: trace).contains(where: { outline.statuses[$0] == 2 })
            {
                failed.insert(TraceID(high: identifiers.traceHighs[trace], low: identifiers.traceLows[trace]))
            }
        }
        for part in parts {
            for (number, group) in part.groups.enumerated() where group.errors > 0 {
                try reading(part.part) { try note(part.sections(of: number)) }
            }
        }
        for block in state.withLock({ ($0.traces.frozen ?? []) + $0.traces.head.blocks }) { try note(block.block) }
        return failed
    }
}

extension SpanBatch {
    /// Set in a span's flags where its process decided that the trace is kept. OTLP uses the lower ten bits.
    package static let keptFlag: UInt32 = 1 << 31
    /// Set where its process has decided against the trace: it is there for the hot window, and others stand for it in totals.
    package static let spareFlag: UInt32 = 1 << 30
}
