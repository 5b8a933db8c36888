// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// Which traces stay once the hot window is over: tail sampling as retention, decided when all that is late has come.
///
/// The clock is that of the traces, so that what is decided late is decided as it would have been then.
struct TraceRetention {
    private var sampler: TailSampler<TraceID>
    private let configuration: TailSampler<TraceID>.Configuration
    private let origin: UInt64

    /// `origin` is the time of the first trace, in nanoseconds since 1970.
    init(_ configuration: TailSampler<TraceID>.Configuration, origin: UInt64) {
        var immediate = configuration
        immediate.grace = .zero
        (self.configuration, self.origin) = (immediate, origin)
        sampler = TailSampler(immediate, now: .zero)
    }

    /// Decides about a trace. Call it in the order in which they began.
    mutating func isKept(_ trace: TailSampler<TraceID>.Facts, start: UInt64) -> Bool {
        let now = Duration.nanoseconds(Int64(clamping: start > origin ? start - origin : 0))
        let actions = sampler.add(trace.traceID, trace, now: now) + sampler.tick(now: now)
        return actions.contains { action in
            if case .keep(let id, _, _, _) = action { id == trace.traceID } else { false }
        }
    }
}

extension SignalStore {
    /// Leaves of traces that are older than the hot window only those that are to be kept.
    func thin() throws {
        guard let configuration = settings.sampling else { return }
        try upkeep.withLock { _ in
            let end = now() - settings.hotWindow.wholeMilliseconds
            while let part = state.withLock({ state in
                state.traces.parts.first { !$0.isThinned && $0.part.footer.times.upperBound < end }
            }) {
                let others = state.withLock { state in state.traces.parts.filter { $0.name != part.name } }
                let (failed, kept) = (try failedTraces(in: others), try keptTraces(in: others, near: part))
                let exemplary = exemplars.traces
                var retention: TraceRetention?
                try rewrite([part], SpanBatch.self, level: Zstandard.quick, isThinned: true) { unit, batches in
                    guard let first = unit.first else { return false }
                    let batch = batches[first.batch]
                    let start = batch.starts[first.row]
                    if retention == nil { retention = TraceRetention(configuration, origin: start) }
                    let facts = Self.facts(unit, batches, failed, kept, exemplary)
                    return retention?.isKept(facts, start: start) == true
                }
            }
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
    private func keptTraces(in parts: [RecordPart], near part: RecordPart) throws -> Set<UInt32> {
        let times = part.part.footer.times
        let near = times.lowerBound - settings.hotWindow.wholeMilliseconds...times.upperBound
        var kept: Set<UInt32> = []
        for part in parts where part.isThinned && part.part.footer.times.overlaps(near) {
            try reading(part.part) { kept.formUnion(try part.traces()) }
        }
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
}
