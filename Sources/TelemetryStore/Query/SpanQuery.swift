// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Telemetry

/// Which spans somebody looks for. All that is said must hold for one span.
package struct SpanQuery: Sendable {
    /// When the span began, in nanoseconds since 1970.
    package var times: ClosedRange<UInt64> = 0...UInt64(Int64.max)
    package var service: String?
    package var name: String?
    /// As OTLP numbers it.
    package var kind: UInt8?
    /// Whether it failed.
    package var isError: Bool?
    /// Nanoseconds.
    package var durations: ClosedRange<UInt64> = 0...UInt64.max
    /// Attributes of the span or of its sender, by how their values read: `"123"` is found whether it is a number or a text.
    package var attributes: [(name: String, value: String)] = []

    package init() {}
}

/// A span that was found.
package struct SpanMatch: Sendable {
    package let trace: TraceID
    package let span: UInt64
    /// Nanoseconds since 1970.
    package let start: UInt64
    package let end: UInt64
    package let isError: Bool
}

/// What a question asks of each block; made once for all of them.
struct SpanTest {
    let query: SpanQuery
    private let name: [UInt8]?
    private let service: [UInt8]?
    private let attributes: [(name: [UInt8], value: [UInt8])]

    init(_ query: SpanQuery) {
        self.query = query
        name = query.name.map { Array($0.utf8) }
        service = query.service.map { Array($0.utf8) }
        attributes = query.attributes.map { (Array($0.name.utf8), Array($0.value.utf8)) }
    }

    /// Milliseconds.
    var times: ClosedRange<Int64> {
        Int64(query.times.lowerBound / 1_000_000)...Int64(query.times.upperBound / 1_000_000)
    }

    /// Whether a group may have a match, as far as that is known without reading it.
    func mayMatch(_ group: RecordPart.Group, _ facets: [Bool]) -> Bool {
        group.times.overlaps(times) && group.longest >= query.durations.lowerBound
            && (query.isError != true || group.errors > 0) && group.facets.contains { facets[$0] }
    }

    func accepts(_ facet: SpanFacet) -> Bool {
        (service.map { $0 == facet.service } ?? true) && (name.map { $0 == facet.name } ?? true)
            && (query.kind.map { $0 == facet.kind } ?? true)
    }

    // MARK: Rows

    /// The rows of a block that match, and what was read to know.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func rows(_ sections: some RecordSections) throws -> (outline: SpanOutline, rows: [Int]) {
        let outline = try SpanOutline(sections)
        let accepted = name.map { name in outline.names.texts.map { outline.bytes[$0].elementsEqual(name) } }
        var rows = (0..<outline.rows).filter { row in
            let (start, end) = (outline.starts[row], outline.ends[row])
            return query.times.contains(start) && query.durations.contains(end > start ? end - start : 0)
                && (query.kind.map { $0 == outline.kinds[row] } ?? true)
                && (query.isError.map { $0 == (outline.statuses[row] == 2) } ?? true)
                && (accepted.map { $0[Int(outline.names.numbers[row])] } ?? true)
        }
        if !rows.isEmpty, service != nil || !attributes.isEmpty {
            let table = try BlockAttributes(sections, shapes: outline.shapes)
            guard outline.origins.allSatisfy({ Int($0) < table.origins.count }) else {
                throw Failure(.corrupt, "a span has no known sender")
            }
            if let service {
                let fitting = table.origins.map { $0.service == service }
                rows = rows.filter { fitting[Int(outline.origins[$0])] }
            }
            for (name, value) in attributes where !rows.isEmpty {
                let senders = table.origins.map { $0.has(name, value) }
                let own = try table.rows(having: name, value)
                rows = rows.filter { own[$0] || senders[Int(outline.origins[$0])] }
            }
        }
        return (outline, rows)
    }

    /// The spans of those rows.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func matches(_ outline: SpanOutline, _ rows: [Int], _ sections: some RecordSections) throws -> [SpanMatch] {
        guard !rows.isEmpty else { return [] }
        let identifiers = try SpanIdentifiers(sections, traces: outline.traces)
        var (found, trace): ([SpanMatch], Int) = ([], 0)
        for row in rows {
            while outline.rows(of: trace).upperBound <= row { trace += 1 }
            found.append(
                SpanMatch(
                    trace: TraceID(high: identifiers.traceHighs[trace], low: identifiers.traceLows[trace]),
                    span: identifiers.spans[row], start: outline.starts[row], end: outline.ends[row],
                    isError: outline.statuses[row] == 2))
        }
        return found
    }

    /// Terms one of which a group must have for each attribute that has terms, unless its senders have the attribute.
    var requiredTerms: [UInt64] {
        query.attributes.filter { Term.isIndexed($0.value) }.map { Term.pair($0.name.utf8, $0.value.utf8) }
    }
}
