// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

/// A trace, as far as it is here.
package struct StoredTrace: Sendable {
    package struct Span: Sendable {
        package let record: SpanRecord
        package let resource: Resource
        /// The library that recorded it, and its version.
        package let scope: (name: String, version: String)

        package var isError: Bool { if case .error = record.status { true } else { false } }
        package var service: String { resource["service.name"]?.text ?? "" }
    }

    package let id: TraceID
    /// By when they began, each once; never empty.
    package let spans: [Span]

    /// The same with those spans alone.
    package func keeping(_ places: [Int]) -> StoredTrace { StoredTrace(id: id, spans: places.map { spans[$0] }) }
}

extension SignalStore {
    /// The spans of a trace.
    ///
    /// - Returns: `nil` where there is none.
    /// - Throws: `Failure` where the disk cannot be read.
    package func trace(_ id: TraceID) throws -> StoredTrace? {
        var spans: [StoredTrace.Span] = []
        try eachBlock(of: id) { spans += Self.spans(try SpanBlockReader.batch($0, trace: id)) }
        var seen: Set<UInt64> = []
        let ordered = spans.sorted { $0.record.start < $1.record.start }
            .filter { seen.insert($0.record.context.spanID).inserted }
        return ordered.isEmpty ? nil : StoredTrace(id: id, spans: ordered)
    }

    /// Whether any span of a trace is here.
    ///
    /// - Throws: `Failure` where the disk cannot be read.
    package func hasTrace(_ id: TraceID) throws -> Bool {
        var isFound = false
        try eachBlock(of: id) { sections in
            guard !isFound else { return }
            let identifiers = try SpanIdentifiers(sections, traces: try SpanOutline(sections).traces)
            isFound = zip(identifiers.traceHighs, identifiers.traceLows).contains { $0 == id.high && $1 == id.low }
        }
        return isFound
    }

    /// Calls `body` with each block that may have spans of a trace.
    private func eachBlock(of id: TraceID, _ body: (any RecordSections) throws -> Void) throws {
        let hash = KeyHash.ofTrace(id.high, id.low)
        let (blocks, parts) = state.withLock { state in
            ((state.traces.frozen ?? []) + state.traces.head.blocks, state.traces.parts)
        }
        for block in blocks where block.hasTrace(hash) { try body(block.block) }
        for part in parts {
            for group in try reading(part.part, { try part.groups(withTrace: hash) }) {
                try reading(part.part) { try body(part.sections(of: group)) }
            }
        }
    }

    private static func spans(_ batch: SpanBatch) -> [StoredTrace.Span] {
        (0..<batch.count).map { row in
            let scope = batch.origins.scopes[Int(batch.scopes[row])]
            return StoredTrace.Span(
                record: batch.record(row), resource: batch.resource(of: row),
                scope: (batch.bytes.text(scope.name), batch.bytes.text(scope.version)))
        }
    }

    /// Spans for which all of a query holds, the last ones first as far as that is cheap: blocks are asked from the latest on,
    /// until `limit` traces are found.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `CancellationError` once `isCancelled`.
    package func spans(
        _ query: SpanQuery, tracesMax limit: Int, isCancelled: () -> Bool = { false }
    ) throws -> [SpanMatch] {
        let test = SpanTest(query)
        var (found, traces): ([SpanMatch], Set<TraceID>) = ([], [])
        try eachFitting(test, isCancelled) { outline, rows, sections in
            let matches = try test.matches(outline, rows, sections)
            found += matches
            traces.formUnion(matches.map(\.trace))
            return traces.count < limit
        }
        return found
    }

    /// Calls `body` with the fitting rows of each block, from the latest block on, while it says to go on.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `CancellationError` once `isCancelled`.
    func eachFitting(
        _ test: SpanTest, _ isCancelled: () -> Bool,
        _ body: (SpanOutline, [Int], any RecordSections) throws -> Bool
    ) throws {
        let (blocks, parts) = state.withLock { state in
            ((state.traces.frozen ?? []) + state.traces.head.blocks, state.traces.parts)
        }
        func ask(_ sections: some RecordSections) throws -> Bool {
            if isCancelled() { throw CancellationError() }
            let (outline, rows) = try test.rows(sections)
            return try rows.isEmpty || body(outline, rows, sections)
        }
        for block in blocks.reversed() where block.times.overlaps(test.times) {
            guard try ask(block.block) else { return }
        }
        let groups = parts.flatMap { part in
            let facets = part.facets.map { SpanFacet($0).map(test.accepts) ?? true }
            return part.groups.indices.filter { test.mayMatch(part.groups[$0], facets) }.map { (part, $0) }
        }.sorted { $0.0.groups[$0.1].times.upperBound > $1.0.groups[$1.1].times.upperBound }
        let terms = test.requiredTerms
        for (part, group) in groups {
            let goesOn = try reading(part.part) {
                let filter = terms.isEmpty ? nil : try part.filter(of: group)
                guard terms.allSatisfy({ filter?.mayHave($0) ?? true }) else { return true }
                return try ask(part.sections(of: group))
            }
            guard goesOn else { return }
        }
    }

    /// Services and what they do, of which spans have come, in the order of their names.
    ///
    /// - Throws: `Failure` where the disk cannot be read.
    package func operations() throws -> [(service: String, name: String, kind: UInt8)] {
        let (blocks, parts) = state.withLock { state in
            ((state.traces.frozen ?? []) + state.traces.head.blocks, state.traces.parts)
        }
        var facets = Set(parts.flatMap { $0.facets }.compactMap { SpanFacet($0) })
        for block in blocks { facets.formUnion(try SpanFacet.all(of: block.block)) }
        return facets.map {
            (String(decoding: $0.service, as: UTF8.self), String(decoding: $0.name, as: UTF8.self), $0.kind)
        }.sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }
    }
}
