// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// What a block of spans says without its attributes and identifiers.
struct SpanOutline {
    /// For each trace where its rows begin, and at last where they end.
    private(set) var traceStarts: [Int] = [0]
    private(set) var starts: [UInt64] = []
    private(set) var ends: [UInt64] = []
    private(set) var names: ValueColumn
    private(set) var kinds: [UInt8] = []
    private(set) var statuses: [UInt8] = []
    private(set) var origins: [UInt32] = []
    private(set) var shapes: [UInt32] = []
    /// The section, in which the names stand.
    let bytes: [UInt8]

    var rows: Int { starts.count }
    var traces: Int { traceStarts.count - 1 }

    func rows(of trace: Int) -> Range<Int> { traceStarts[trace]..<traceStarts[trace + 1] }

    /// - Throws: `Failure` with `corrupt`.
    init(_ sections: some RecordSections) throws {
        bytes = try sections.section(RecordBlock.Section.outline)
        names = ValueColumn(.string)
        let rows = sections.rows
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            guard rows <= buffer.count, let unit = TimeUnit(rawValue: reader.byte()) else {
                throw Failure(.corrupt, "a block of spans makes no sense")
            }
            try readTimes(&reader, rows, unit)
            names = try ValueColumn(.string, &reader)
            kinds = Array(reader.slice(rows))
            statuses = Array(reader.slice(rows))
            origins = reader.planes(rows).map { UInt32(truncatingIfNeeded: $0) }
            shapes = reader.planes(rows).map { UInt32(truncatingIfNeeded: $0) }
            guard !reader.isDamaged, names.numbers.count == rows, ends.count == rows else {
                throw Failure(.corrupt, "a block of spans ends too early")
            }
        }
    }

    private mutating func readTimes(_ reader: inout ByteReader, _ rows: Int, _ unit: TimeUnit) throws {
        let count = reader.count(max: rows)
        for _ in 0..<count { traceStarts.append(traceStarts[traceStarts.count - 1] + reader.count(max: rows)) }
        guard traceStarts.last == rows, !reader.isDamaged else {
            throw Failure(.corrupt, "a block of spans has traces that make no sense")
        }
        var (firsts, before): ([UInt64], UInt64) = ([], 0)
        for step in reader.packed(count).map(Zigzag.unfolded) {
            before = unit.time(step, after: before)
            firsts.append(before)
        }
        let filled = (0..<count).count { !self.rows(of: $0).isEmpty }
        let offsets = reader.packed(rows - filled)
        guard firsts.count == count, offsets.count == rows - filled else {
            throw Failure(.corrupt, "a block of spans ends too early")
        }
        var next = 0
        starts.reserveCapacity(rows)
        for (trace, first) in firsts.enumerated() {
            for row in self.rows(of: trace) {
                let isFirst = row == traceStarts[trace]
                starts.append(isFirst ? first : unit.time(Zigzag.unfolded(offsets[next]), after: first))
                if !isFirst { next += 1 }
            }
        }
        ends = zip(starts, reader.packed(rows)).map { unit.time(Zigzag.unfolded($1), after: $0) }
    }

    func name(of row: Int) -> ArraySlice<UInt8> { bytes[names.texts[Int(names.numbers[row])]] }
}

/// Which trace each of a block's rows belongs to, and which span it is.
struct SpanIdentifiers {
    private(set) var traceHighs: [UInt64] = []
    private(set) var traceLows: [UInt64] = []
    private(set) var spans: [UInt64] = []

    /// - Throws: `Failure` with `corrupt`.
    init(_ sections: some RecordSections, traces: Int) throws {
        let bytes = try sections.section(RecordBlock.Section.identifiers)
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            for _ in 0..<traces {
                traceHighs.append(reader.fixed64())
                traceLows.append(reader.fixed64())
            }
            for _ in 0..<sections.rows { spans.append(reader.fixed64()) }
            guard !reader.isDamaged else { throw Failure(.corrupt, "a block of spans has too few identifiers") }
        }
    }
}

/// A block of spans as a batch again.
struct SpanBlockReader {
    private var batch = SpanBatch()
    private let outline: SpanOutline
    private let identifiers: SpanIdentifiers
    private let schema: AttributeSchema
    private var attributes: AttributeSectionsReader
    private let nameBase: Int

    /// `trace` is the only one that is wanted, where it is not `nil`.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func batch(_ sections: some RecordSections, trace: TraceID? = nil) throws -> SpanBatch {
        var reader = try SpanBlockReader(sections)
        try reader.readRows(sections, trace)
        return reader.batch
    }

    private init(_ sections: some RecordSections) throws {
        outline = try SpanOutline(sections)
        identifiers = try SpanIdentifiers(sections, traces: outline.traces)
        let schemaBytes = try sections.section(RecordBlock.Section.schema)
        var bytes = schemaBytes
        var origins = BatchOrigins()
        schema = try schemaBytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let schema = try AttributeSchema(&reader, buffer)
            try OriginTable.read(reader.texts(), of: buffer, base: 0, into: &origins)
            return schema
        }
        nameBase = bytes.count
        if let last = outline.names.texts.last { bytes += outline.bytes[..<last.upperBound] }
        attributes = try AttributeSectionsReader(
            schema, sections, schemaBase: 0, into: &bytes)
        batch.bytes = bytes
        batch.origins = origins
    }

    private mutating func readRows(_ sections: some RecordSections, _ wanted: TraceID?) throws {
        let details = try sections.section(RecordBlock.Section.details)
        let base = batch.bytes.count
        batch.bytes += details
        try details.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let parents = try parents(&reader)
            let flags = (0..<outline.rows).map { _ in UInt32(truncatingIfNeeded: reader.varint()) }
            let dropped = (0..<outline.rows).map { _ in UInt32(truncatingIfNeeded: reader.varint()) }
            let states = try ValueColumn(.string, &reader)
            let messages = try ValueColumn(.string, &reader)
            func text(_ column: ValueColumn, _ row: Int) -> TextRange {
                let range = column.texts[Int(column.numbers[row])]
                return TextRange(offset: base + range.lowerBound, count: range.count)
            }
            guard !reader.isDamaged, states.numbers.count == outline.rows, messages.numbers.count == outline.rows else {
                throw Failure(.corrupt, "a block of spans ends too early")
            }
            for trace in 0..<outline.traces {
                let id = TraceID(high: identifiers.traceHighs[trace], low: identifiers.traceLows[trace])
                for place in outline.rows(of: trace) {
                    if let wanted, wanted != id {
                        try attributes.skip(Int(outline.shapes[place]))
                        try skipEventsAndLinks(&reader)
                        continue
                    }
                    var row = row(place, trace)
                    row.parentID = parents[place]
                    (row.flags, row.dropped) = (flags[place], dropped[place])
                    (row.state, row.statusMessage) = (text(states, place), text(messages, place))
                    try attributes.read(Int(outline.shapes[place]), into: &batch.attributes)
                    try readEventsAndLinks(&reader, base, row.start)
                    guard Int(outline.origins[place]) < batch.origins.scopes.count else {
                        throw Failure(.corrupt, "a span has no known sender")
                    }
                    batch.append(row, scope: Int(outline.origins[place]))
                }
            }
        }
    }

    private func row(_ place: Int, _ trace: Int) -> SpanBatch.Row {
        var row = SpanBatch.Row()
        (row.traceHigh, row.traceLow) = (identifiers.traceHighs[trace], identifiers.traceLows[trace])
        row.spanID = identifiers.spans[place]
        let name = outline.names.texts[Int(outline.names.numbers[place])]
        row.name = TextRange(offset: nameBase + name.lowerBound, count: name.count)
        (row.kind, row.status) = (outline.kinds[place], outline.statuses[place])
        (row.start, row.end) = (outline.starts[place], outline.ends[place])
        return row
    }

    private func parents(_ reader: inout ByteReader) throws -> [UInt64] {
        var parents: [UInt64] = []
        var foreign: [Int] = []
        for trace in 0..<outline.traces {
            let rows = outline.rows(of: trace)
            for place in rows {
                let code = reader.count(max: rows.count + 1)
                if code == 1 { foreign.append(place) }
                parents.append(code < 2 ? 0 : identifiers.spans[rows.lowerBound + code - 2])
            }
        }
        for place in foreign { parents[place] = reader.fixed64() }
        return parents
    }

    private mutating func skipEventsAndLinks(_ reader: inout ByteReader) throws {
        let (events, links) = (reader.count(), reader.count())
        guard events > 0 || links > 0 else { return }
        var rest = BatchOrigins()
        for _ in 0..<events {
            (_, _) = (reader.signed(), reader.text())
            try OriginTable.read(&reader, base: 0, into: &rest.scopeAttributes)
        }
        for _ in 0..<links {
            (_, _) = (reader.slice(24), reader.text())
            try OriginTable.read(&reader, base: 0, into: &rest.scopeAttributes)
        }
    }

    private mutating func readEventsAndLinks(_ reader: inout ByteReader, _ base: Int, _ start: UInt64) throws {
        let (events, links) = (reader.count(), reader.count())
        for _ in 0..<events {
            let time = start &+ UInt64(bitPattern: reader.signed())
            let name = OriginTable.range(&reader, base)
            try OriginTable.read(&reader, base: base, into: &batch.events.attributes)
            batch.events.append(time: time, name: name)
        }
        for _ in 0..<links {
            let (high, low, span) = (reader.fixed64(), reader.fixed64(), reader.fixed64())
            let state = OriginTable.range(&reader, base)
            try OriginTable.read(&reader, base: base, into: &batch.links.attributes)
            batch.links.append(traceHigh: high, traceLow: low, spanID: span, state: state)
        }
        if reader.isDamaged { throw Failure(.corrupt, "events of a span end too early") }
    }
}
