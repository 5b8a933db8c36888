// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Log records in columns. What a record says is the first of its attributes, with an empty name.
struct LogBlockWriter {
    private let batches: [LogBatch]
    private let isIndexed: Bool
    private var attributes = AttributeSectionsWriter()
    private var origins: OriginTable
    private var (originNumbers, shapes) = ([UInt64](), [UInt64]())
    /// How many senders and scopes were seen.
    private var originCount = 0
    private(set) var summary = RecordSummary()

    /// Where `isIndexed`, the summary has what can be searched for.
    init(_ batches: [LogBatch], isIndexed: Bool) {
        (self.batches, self.isIndexed) = (batches, isIndexed)
        origins = OriginTable(batches.map(\.origins))
    }

    mutating func write(_ order: RecordOrder) -> RecordBlock {
        let rows = order.places
        for place in rows { note(place) }
        if isIndexed { noteTerms() }
        summary.traces = Set(rows.compactMap { batches[$0.batch].trace(of: $0.row) }).sorted()
        var schema = ByteWriter()
        attributes.write(to: &schema)
        schema.texts(origins.texts)
        let sections = [schema.bytes, outline(rows), identifiers(rows), details(rows)]
        return RecordBlock(rows: rows.count, sections: sections + attributes.sections(isLasting: isIndexed))
    }

    private mutating func note(_ place: RecordPlace) {
        let (batch, row) = (batches[place.batch], place.row)
        batch.bytes.withUnsafeBufferPointer { bytes in
            attributes.begin()
            attributes.add(
                UnsafeBufferPointer(rebasing: bytes[0..<0]), batch.bodyKinds[row], batch.bodies[row], in: bytes)
            attributes.add(batch.attributes, batch.attributes(of: row), in: bytes)
            shapes.append(UInt64(attributes.end()))
            let origin = origins.number(of: Int(batch.scopes[row]), in: place.batch, batch.origins, bytes)
            originNumbers.append(UInt64(origin))
            if isIndexed, Int(origin) == originCount {
                originCount += 1
                summary.facets.insert(batch.origins.service(ofScope: Int(batch.scopes[row]), in: batch.bytes))
            }
        }
        summary.note(batch.time(of: row), batch.time(of: row))
        if batch.severities[row] >= 17 { summary.errors += 1 }
    }

    private mutating func noteTerms() {
        var fragments = Fragments()
        for column in attributes.columns {
            let isBody = attributes.names.key(Int(column.name)).isEmpty
            if column.kind.isText {
                for number in 0..<column.values.texts.count {
                    let text = column.values.shown(number, column.kind)
                    Words.each(of: text) { summary.terms.append(Term.word($0)) }
                    if isBody { fragments.eachNew(in: text) { summary.terms.append(Term.fragment($0)) } }
                }
            } else if column.kind == .bool {
                let both = "true false".utf8
                Words.each(of: both) { summary.terms.append(Term.word($0)) }
                if isBody { fragments.eachNew(in: both) { summary.terms.append(Term.fragment($0)) } }
            } else if column.kind == .double {
                for text in column.values.fractions {
                    Words.each(of: text.utf8) { summary.terms.append(Term.word($0)) }
                }
            } else if column.kind == .int {
                for value in column.values.integers { summary.terms.append(Term.word(String(value).utf8)) }
            }
        }
    }

    // MARK: Sections

    private func outline(_ rows: [RecordPlace]) -> [UInt8] {
        let unit = TimeUnit.fitting(
            rows.lazy.flatMap { [batches[$0.batch].times[$0.row], batches[$0.batch].observedTimes[$0.row]] })
        var writer = ByteWriter()
        writer.byte(unit.rawValue)
        var (before, steps): (UInt64, [Int64]) = (0, [])
        for place in rows {
            let time = batches[place.batch].times[place.row]
            steps.append(unit.steps(from: before, to: time))
            before = time
        }
        writer.planes(steps.map(Zigzag.folded))
        for place in rows { writer.byte(batches[place.batch].severities[place.row]) }
        writer.planes(originNumbers)
        writer.planes(shapes)
        let delays = rows.map {
            unit.steps(from: batches[$0.batch].times[$0.row], to: batches[$0.batch].observedTimes[$0.row])
        }
        writer.planes(delays.map(Zigzag.folded))
        return writer.bytes
    }

    /// Traces as texts, each once, and the spans of those that have one.
    private func identifiers(_ rows: [RecordPlace]) -> [UInt8] {
        var (writer, traces) = (ByteWriter(), ValueColumnWriter(.bytes))
        for place in rows {
            let batch = batches[place.batch]
            var id = ByteWriter()
            if batch.traceHighs[place.row] | batch.traceLows[place.row] != 0 {
                id.fixed(batch.traceHighs[place.row])
                id.fixed(batch.traceLows[place.row])
            }
            _ = id.bytes.withUnsafeBufferPointer { traces.add(text: $0) }
        }
        writer.raw(traces.bytes)
        for place in rows where batches[place.batch].hasTrace(place.row) {
            writer.fixed(batches[place.batch].spanIDs[place.row])
        }
        return writer.bytes
    }

    private func details(_ rows: [RecordPlace]) -> [UInt8] {
        var writer = ByteWriter()
        var (texts, events) = (ValueColumnWriter(.string), ValueColumnWriter(.string))
        for place in rows {
            let batch = batches[place.batch]
            writer.varint(UInt64(batch.flags[place.row]))
            writer.varint(UInt64(batch.dropped[place.row]))
            batch.bytes.withUnsafeBufferPointer { bytes in
                texts.add(text: UnsafeBufferPointer(rebasing: bytes[batch.severityTexts[place.row].range]))
                events.add(text: UnsafeBufferPointer(rebasing: bytes[batch.eventNames[place.row].range]))
            }
        }
        writer.raw(texts.bytes)
        writer.raw(events.bytes)
        return writer.bytes
    }
}

extension LogBatch {
    func hasTrace(_ row: Int) -> Bool { traceHighs[row] | traceLows[row] != 0 }

    /// Bytes of what a record says.
    package func bodyCount(of row: Int) -> Int {
        switch bodyKinds[row] {
        case .empty: 0
        case .string, .bytes, .json: Int(TextRange(bits: bodies[row]).count)
        case .bool, .int, .double: 8
        }
    }

    /// When it happened, or at least was seen. Nanoseconds since 1970.
    package func time(of row: Int) -> UInt64 { times[row] == 0 ? observedTimes[row] : times[row] }
}
