// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// How often one service has called another.
package struct ServiceCall: Hashable, Sendable {
    package let caller: String
    package let callee: String
    package var count: Int
}

extension SignalStore {
    /// Calls between services, as spans show them: a span whose parent is of another service. Times are in nanoseconds since 1970.
    ///
    /// Of a trace that was sent in pieces, pieces that stand in different parts are not seen as one before those are merged.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `CancellationError` once `isCancelled`.
    package func calls(in times: ClosedRange<UInt64>, isCancelled: () -> Bool = { false }) throws -> [ServiceCall] {
        var counts: [[[UInt8]]: Int] = [:]
        let wanted = Int64(times.lowerBound / 1_000_000)...Int64(times.upperBound / 1_000_000)
        let (blocks, parts) = state.withLock { state in
            ((state.traces.frozen ?? []) + state.traces.head.blocks, state.traces.parts)
        }
        countCalls(try blocks.filter { $0.times.overlaps(wanted) }.map { try SpanBatch.read($0.block) }, times, &counts)
        for part in parts {
            for (number, group) in part.groups.enumerated() where group.times.overlaps(wanted) {
                if isCancelled() { throw CancellationError() }
                try reading(part.part) { try Self.countCalls(part.sections(of: number), times, &counts) }
            }
        }
        return counts.map { pair, count in
            ServiceCall(
                caller: String(decoding: pair[0], as: UTF8.self), callee: String(decoding: pair[1], as: UTF8.self),
                count: count)
        }.sorted { ($0.caller, $0.callee) < ($1.caller, $1.callee) }
    }

    /// In memory the spans of a trace may stand in several blocks.
    private func countCalls(_ batches: [SpanBatch], _ times: ClosedRange<UInt64>, _ counts: inout [[[UInt8]]: Int]) {
        struct Key: Hashable {
            let trace: UInt64
            let span: UInt64
        }
        var services: [Key: [UInt8]] = [:]
        for batch in batches {
            for row in 0..<batch.count {
                services[Key(trace: batch.traceLows[row], span: batch.spanIDs[row])] =
                    SpanFacet(of: row, in: batch)
                    .service
            }
        }
        for batch in batches {
            for row in 0..<batch.count where batch.parentIDs[row] != 0 && times.contains(batch.starts[row]) {
                let callee = SpanFacet(of: row, in: batch).service
                let caller = services[Key(trace: batch.traceLows[row], span: batch.parentIDs[row])]
                if let caller, caller != callee { counts[[caller, callee], default: 0] += 1 }
            }
        }
    }

    private static func countCalls(
        _ sections: some RecordSections, _ times: ClosedRange<UInt64>, _ counts: inout [[[UInt8]]: Int]
    ) throws {
        let outline = try SpanOutline(sections)
        let services = try BlockAttributes(sections, shapes: outline.shapes).origins.map(\.service)
        // Only one service: it has called nobody.
        guard Set(services).count > 1 else { return }
        let details = try sections.section(RecordBlock.Section.details)
        try details.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            for trace in 0..<outline.traces {
                let rows = outline.rows(of: trace)
                for row in rows {
                    let parent = reader.count(max: rows.count + 1) - 2
                    guard parent >= 0, times.contains(outline.starts[row]) else { continue }
                    let (caller, callee) = (Int(outline.origins[rows.lowerBound + parent]), Int(outline.origins[row]))
                    guard caller < services.count, callee < services.count else {
                        throw Failure(.corrupt, "a span has no known sender")
                    }
                    if services[caller] != services[callee] {
                        counts[[services[caller], services[callee]], default: 0] += 1
                    }
                }
            }
        }
    }
}
