// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// What a block of log records says without its texts.
struct LogOutline {
    private(set) var times: [UInt64] = []
    private(set) var observedTimes: [UInt64] = []
    private(set) var severities: [UInt8] = []
    private(set) var origins: [UInt32] = []
    private(set) var shapes: [UInt32] = []

    var rows: Int { times.count }

    /// - Throws: `Failure` with `corrupt`.
    init(_ sections: some RecordSections) throws {
        let (bytes, rows) = (try sections.section(RecordBlock.Section.outline), sections.rows)
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            guard rows <= buffer.count, let unit = TimeUnit(rawValue: reader.byte()) else {
                throw Failure(.corrupt, "a block of log records makes no sense")
            }
            var before: UInt64 = 0
            for step in reader.signedPlanes(rows) {
                before = unit.time(step, after: before)
                times.append(before)
            }
            severities = Array(reader.slice(rows))
            origins = reader.planes(rows).map { UInt32(truncatingIfNeeded: $0) }
            shapes = reader.planes(rows).map { UInt32(truncatingIfNeeded: $0) }
            observedTimes = zip(times, reader.signedPlanes(rows)).map { unit.time($1, after: $0) }
            guard !reader.isDamaged else { throw Failure(.corrupt, "a block of log records ends too early") }
        }
    }
}

/// A block of log records as a batch again.
enum LogBlockReader {
    /// - Throws: `Failure` with `corrupt`.
    static func batch(_ sections: some RecordSections) throws -> LogBatch {
        let outline = try LogOutline(sections)
        let schemaBytes = try sections.section(RecordBlock.Section.schema)
        var (batch, bytes) = (LogBatch(), schemaBytes)
        let schema = try schemaBytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let schema = try AttributeSchema(&reader, buffer)
            try OriginTable.read(reader.texts(), of: buffer, base: 0, into: &batch.origins)
            return schema
        }
        var attributes = try AttributeSectionsReader(
            schema, sections, schemaBase: 0, into: &bytes)
        let rows = try rows(outline, sections, into: &bytes)
        for (place, var row) in rows.enumerated() {
            guard Int(outline.origins[place]) < batch.origins.scopes.count else {
                throw Failure(.corrupt, "a log record has no known sender")
            }
            var isBody = true
            try attributes.read(Int(outline.shapes[place])) { name, kind, value in
                if isBody {
                    (row.bodyKind, row.body) = (kind, value)
                } else {
                    batch.attributes.append(name, kind, value)
                }
                isBody = false
            }
            batch.append(row, scope: Int(outline.origins[place]))
        }
        batch.bytes = bytes
        return batch
    }

    private static func rows(
        _ outline: LogOutline, _ sections: some RecordSections, into bytes: inout [UInt8]
    ) throws -> [LogBatch.Row] {
        var rows = (0..<outline.rows).map { place in
            var row = LogBatch.Row()
            (row.time, row.observedTime) = (outline.times[place], outline.observedTimes[place])
            row.severity = outline.severities[place]
            return row
        }
        try readIdentifiers(sections.section(RecordBlock.Section.identifiers), into: &rows)
        let details = try sections.section(RecordBlock.Section.details)
        let base = bytes.count
        bytes += details
        try details.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            for place in rows.indices {
                rows[place].flags = UInt32(truncatingIfNeeded: reader.varint())
                rows[place].dropped = UInt32(truncatingIfNeeded: reader.varint())
            }
            let texts = try ValueColumn(.string, &reader)
            let events = try ValueColumn(.string, &reader)
            if reader.isDamaged || texts.numbers.count != rows.count || events.numbers.count != rows.count {
                throw Failure(.corrupt, "a block of log records ends too early")
            }
            for place in rows.indices {
                let (text, event) = (texts.texts[Int(texts.numbers[place])], events.texts[Int(events.numbers[place])])
                rows[place].severityText = TextRange(offset: base + text.lowerBound, count: text.count)
                rows[place].eventName = TextRange(offset: base + event.lowerBound, count: event.count)
            }
        }
        return rows
    }

    private static func readIdentifiers(_ bytes: [UInt8], into rows: inout [LogBatch.Row]) throws {
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let traces = try ValueColumn(.bytes, &reader)
            guard traces.numbers.count == rows.count else {
                throw Failure(.corrupt, "a block of log records has too few identifiers")
            }
            for (place, number) in traces.numbers.enumerated() where traces.texts[Int(number)].count == 16 {
                var id = ByteReader(buffer, at: traces.texts[Int(number)].lowerBound)
                (rows[place].traceHigh, rows[place].traceLow) = (id.fixed64(), id.fixed64())
                rows[place].spanID = reader.fixed64()
            }
            if reader.isDamaged {
                throw Failure(.corrupt, "a block of log records has too few identifiers")
            }
        }
    }
}
