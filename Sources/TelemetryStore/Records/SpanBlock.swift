// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Spans in columns, those of a trace together.
struct SpanBlockWriter {
    private let batches: [SpanBatch]
    private let isIndexed: Bool
    private var attributes = AttributeSectionsWriter()
    private var origins: OriginTable
    private var names = ValueColumnWriter(.string)
    private var (originNumbers, shapes) = ([UInt64](), [UInt64]())
    /// How many senders and scopes were seen.
    private var originCount = 0
    /// Facets that were seen, by the numbers of what they consist of.
    private var facets: Set<UInt64> = []
    private(set) var summary = RecordSummary()

    /// Where `isIndexed`, the summary has what can be searched for.
    init(_ batches: [SpanBatch], isIndexed: Bool) {
        (self.batches, self.isIndexed) = (batches, isIndexed)
        origins = OriginTable(batches.map(\.origins))
    }

    /// Each unit is a trace.
    mutating func write(_ order: RecordOrder) -> RecordBlock {
        let (traces, rows) = ((0..<order.count).map { order[$0] }, order.places)
        for place in rows { note(place) }
        if isIndexed { noteTerms() }
        summary.traces = Set(traces.compactMap(\.first).compactMap { batches[$0.batch].trace(of: $0.row) }).sorted()
        var schema = ByteWriter()
        attributes.write(to: &schema)
        schema.texts(origins.texts)
        let sections = [
            schema.bytes, outline(traces, rows), identifiers(traces, rows), details(traces, rows),
        ]
        return RecordBlock(rows: rows.count, sections: sections + attributes.sections(isLasting: isIndexed))
    }

    private mutating func note(_ place: RecordPlace) {
        let (batch, row) = (batches[place.batch], place.row)
        batch.bytes.withUnsafeBufferPointer { bytes in
            attributes.begin()
            attributes.add(batch.attributes, batch.attributes(of: row), in: bytes)
            shapes.append(UInt64(attributes.end()))
            let origin = origins.number(of: Int(batch.scopes[row]), in: place.batch, batch.origins, bytes)
            originNumbers.append(UInt64(origin))
            if isIndexed, Int(origin) == originCount {
                originCount += 1
                noteOrigin(batch.origins.scopes[Int(batch.scopes[row])], batch.origins, batch.bytes)
            }
            let name = names.add(text: UnsafeBufferPointer(rebasing: bytes[batch.names[row].range]))
            let facet = UInt64(origin) << 40 | UInt64(name) << 8 | UInt64(batch.kinds[row])
            if isIndexed, facets.insert(facet).inserted {
                summary.facets.insert(SpanFacet(of: row, in: batch).bytes)
            }
        }
        summary.note(batch.starts[row], batch.ends[row])
        summary.longest = max(summary.longest, batch.duration(of: row))
        if batch.statuses[row] == 2 { summary.errors += 1 }
    }

    /// What senders say of themselves can be searched for, too.
    private mutating func noteOrigin(_ scope: BatchOrigins.Scope, _ origins: BatchOrigins, _ bytes: [UInt8]) {
        summary.terms.append(Term.pair("otel.scope.name".utf8, bytes[scope.name.range]))
        let places = origins.resources[scope.resource].attributes
        for attribute in origins.resourceAttributes.list(places, in: bytes) {
            summary.terms.append(Term.pair(attribute.name.utf8, attribute.value.text.utf8))
        }
    }

    private mutating func noteTerms() {
        let names = attributes.names
        for column in attributes.columns {
            let name = Array(names.key(Int(column.name)))
            if column.kind.isText {
                for number in 0..<column.values.texts.count {
                    summary.terms.append(Term.pair(name, column.values.shown(number, column.kind)))
                }
            } else if column.kind == .int {
                for value in column.values.integers { summary.terms.append(Term.pair(name, String(value).utf8)) }
            }
        }
    }

    // MARK: Sections

    private func outline(_ traces: [ArraySlice<RecordPlace>], _ rows: [RecordPlace]) -> [UInt8] {
        let unit = TimeUnit.fitting(
            rows.lazy.flatMap { [batches[$0.batch].starts[$0.row], batches[$0.batch].ends[$0.row]] })
        var writer = ByteWriter()
        writer.byte(unit.rawValue)
        writer.count(traces.count)
        for trace in traces { writer.count(trace.count) }
        var (before, firsts): (UInt64, [Int64]) = (0, [])
        for trace in traces {
            firsts.append(unit.steps(from: before, to: start(trace)))
            before = start(trace)
        }
        writer.packed(firsts.map(Zigzag.folded))
        let starts = traces.flatMap { trace in
            let first = start(trace)
            return trace.dropFirst().map { unit.steps(from: first, to: batches[$0.batch].starts[$0.row]) }
        }
        writer.packed(starts.map(Zigzag.folded))
        let lengths = rows.map {
            unit.steps(from: batches[$0.batch].starts[$0.row], to: batches[$0.batch].ends[$0.row])
        }
        writer.packed(lengths.map(Zigzag.folded))
        writer.raw(names.bytes)
        for place in rows { writer.byte(batches[place.batch].kinds[place.row]) }
        for place in rows { writer.byte(batches[place.batch].statuses[place.row]) }
        writer.planes(originNumbers)
        writer.planes(shapes)
        return writer.bytes
    }

    private func start(_ trace: ArraySlice<RecordPlace>) -> UInt64 {
        trace.first.map { batches[$0.batch].starts[$0.row] } ?? 0
    }

    private func identifiers(_ traces: [ArraySlice<RecordPlace>], _ rows: [RecordPlace]) -> [UInt8] {
        var writer = ByteWriter()
        for trace in traces {
            guard let place = trace.first else { continue }
            writer.fixed(batches[place.batch].traceHighs[place.row])
            writer.fixed(batches[place.batch].traceLows[place.row])
        }
        for place in rows { writer.fixed(batches[place.batch].spanIDs[place.row]) }
        return writer.bytes
    }

    private func details(_ traces: [ArraySlice<RecordPlace>], _ rows: [RecordPlace]) -> [UInt8] {
        var (writer, foreign) = (ByteWriter(), ByteWriter())
        for trace in traces { parents(trace, &writer, &foreign) }
        writer.raw(foreign.bytes)
        for place in rows { writer.varint(UInt64(batches[place.batch].flags[place.row])) }
        for place in rows { writer.varint(UInt64(batches[place.batch].dropped[place.row])) }
        var (states, messages) = (ValueColumnWriter(.string), ValueColumnWriter(.string))
        for place in rows {
            let batch = batches[place.batch]
            batch.bytes.withUnsafeBufferPointer { bytes in
                states.add(text: UnsafeBufferPointer(rebasing: bytes[batch.states[place.row].range]))
                messages.add(text: UnsafeBufferPointer(rebasing: bytes[batch.statusMessages[place.row].range]))
            }
        }
        writer.raw(states.bytes)
        writer.raw(messages.bytes)
        for place in rows { eventsAndLinks(batches[place.batch], place.row, &writer) }
        return writer.bytes
    }

    /// A parent is mostly a span of the same block.
    private func parents(_ trace: ArraySlice<RecordPlace>, _ writer: inout ByteWriter, _ foreign: inout ByteWriter) {
        var known: [UInt64: Int] = [:]
        if trace.count > 8 {
            for (number, place) in trace.enumerated() { known[batches[place.batch].spanIDs[place.row]] = number }
        }
        for place in trace {
            let parent = batches[place.batch].parentIDs[place.row]
            if parent == 0 { writer.count(0); continue }
            let found =
                trace.count > 8
                ? known[parent]
                : trace.firstIndex { batches[$0.batch].spanIDs[$0.row] == parent }.map { $0 - trace.startIndex }
            if let found { writer.count(found + 2); continue }
            writer.count(1)
            foreign.fixed(parent)
        }
    }

    private func eventsAndLinks(_ batch: SpanBatch, _ row: Int, _ writer: inout ByteWriter) {
        let (events, links) = (batch.events(of: row), batch.links(of: row))
        writer.count(events.count)
        writer.count(links.count)
        guard !events.isEmpty || !links.isEmpty else { return }
        batch.bytes.withUnsafeBufferPointer { bytes in
            for event in events {
                writer.signed(Int64(bitPattern: batch.events.times[event] &- batch.starts[row]))
                writer.text(UnsafeBufferPointer(rebasing: bytes[batch.events.names[event].range]))
                OriginTable.write(batch.events.attributes, batch.events.attributes(of: event), bytes, to: &writer)
            }
            for link in links {
                writer.fixed(batch.links.traceHighs[link])
                writer.fixed(batch.links.traceLows[link])
                writer.fixed(batch.links.spanIDs[link])
                writer.text(UnsafeBufferPointer(rebasing: bytes[batch.links.states[link].range]))
                OriginTable.write(batch.links.attributes, batch.links.attributes(of: link), bytes, to: &writer)
            }
        }
    }
}

/// What a span is about: enough to list services and their operations.
struct SpanFacet: Hashable {
    let kind: UInt8
    let service: [UInt8]
    let name: [UInt8]

    init(of row: Int, in batch: SpanBatch) {
        kind = batch.kinds[row]
        service = batch.origins.service(ofScope: Int(batch.scopes[row]), in: batch.bytes)
        name = Array(batch.bytes[batch.names[row].range])
    }

    init(kind: UInt8, service: [UInt8], name: [UInt8]) {
        (self.kind, self.service, self.name) = (kind, service, name)
    }

    static let any = SpanFacet(kind: 0, service: [], name: [])

    /// The same without its name.
    var unnamed: SpanFacet { SpanFacet(kind: kind, service: service, name: []) }

    /// - Returns: `nil` for bytes that are none.
    init?(_ bytes: [UInt8]) {
        guard
            let parts = bytes.withUnsafeBufferPointer({ buffer -> (UInt8, [UInt8], [UInt8])? in
                var reader = ByteReader(buffer)
                let parts = (reader.byte(), Array(reader.text()), Array(reader.text()))
                return reader.isDamaged ? nil : parts
            })
        else { return nil }
        (kind, service, name) = parts
    }

    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.byte(kind)
        writer.text(service)
        writer.text(name)
        return writer.bytes
    }
}

extension SpanFacet {
    /// Of all rows of a block, without reading more of it than is needed.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func all(of sections: some RecordSections) throws -> Set<SpanFacet> {
        let outline = try SpanOutline(sections)
        let services = try BlockAttributes(sections, shapes: []).origins.map(\.service)
        var (seen, facets): (Set<UInt64>, Set<SpanFacet>) = ([], [])
        for row in 0..<outline.rows {
            let (origin, name) = (outline.origins[row], outline.names.numbers[row])
            guard Int(origin) < services.count else { throw Failure(.corrupt, "a span has no known sender") }
            guard seen.insert(UInt64(origin) << 40 | UInt64(name) << 8 | UInt64(outline.kinds[row])).inserted else {
                continue
            }
            facets.insert(
                SpanFacet(
                    kind: outline.kinds[row], service: services[Int(origin)], name: Array(outline.name(of: row))))
        }
        return facets
    }
}

extension SpanBatch {
    /// Nanoseconds.
    func duration(of row: Int) -> UInt64 { ends[row] > starts[row] ? ends[row] - starts[row] : 0 }
}

extension BatchOrigins {
    /// `service.name` of a scope's sender; empty where it does not say.
    func service(ofScope scope: Int, in bytes: [UInt8]) -> [UInt8] {
        for place in resources[scopes[scope].resource].attributes where resourceAttributes.kinds[place] == .string {
            if bytes[resourceAttributes.names[place].range].elementsEqual("service.name".utf8) {
                return Array(bytes[TextRange(bits: resourceAttributes.values[place]).range])
            }
        }
        return []
    }
}
