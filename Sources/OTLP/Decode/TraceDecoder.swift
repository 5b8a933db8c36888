// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// `ExportTraceServiceRequest` into columns (opentelemetry/proto/trace/v1).
struct TraceDecoder<Reader: FieldReader>: RequestDecoder {
    let limits: DecodeLimits
    var decoded = Decoded(batch: SpanBatch())

    init(limits: DecodeLimits) { self.limits = limits }

    static var fields: (request: Fields, resource: Fields, scope: Fields) {
        (TraceFields.request, TraceFields.resourceSpans, TraceFields.scopeSpans)
    }

    mutating func item(_ reader: inout Reader, scope: Int) throws(WireError) {
        let frame = try reader.enter()
        var row = SpanBatch.Row()
        var isValid = true
        while let field = try reader.next(TraceFields.span) {
            switch field {
            case 1:
                guard let id = try reader.identifier(bytes: 16) else { isValid = false; continue }
                (row.traceHigh, row.traceLow) = id
            case 2:
                guard let id = try reader.identifier(bytes: 8) else { isValid = false; continue }
                row.spanID = id.low
            case 3: row.state = try reader.text()
            case 4:
                guard let id = try reader.identifier(bytes: 8) else { isValid = false; continue }
                row.parentID = id.low
            case 5: row.name = try reader.text()
            case 6: row.kind = UInt8(clamping: try reader.integer())
            case 7: row.start = try reader.fixed64()
            case 8: row.end = try reader.fixed64()
            case 9:
                let count = decoded.batch.attributes.count - (decoded.batch.attributeEnds.last ?? 0)
                try CommonDecoder.attribute(&reader, into: &decoded.batch.attributes, count: count, &row.dropped)
            case 11: try event(&reader, &row)
            case 13: try link(&reader, &row)
            case 15: try status(&reader, &row)
            // The specification uses the lower ten bits.
            case 16: row.flags = try reader.fixed32() & 0x3FF
            default: row.dropped &+= UInt32(truncatingIfNeeded: try reader.integer())
            }
        }
        try reader.leave(frame)
        try keep(row, isValid, scope: scope)
    }

    private mutating func keep(_ row: SpanBatch.Row, _ isValid: Bool, scope: Int) throws(WireError) {
        guard isValid, row.traceHigh | row.traceLow != 0, row.spanID != 0 else {
            decoded.reject("A span's trace id takes 16 bytes, its span id 8, and neither may be all zeros.")
            return decoded.batch.abandonRow()
        }
        decoded.batch.append(row, scope: scope)
        try limits.check(items: decoded.batch.count)
        try limits.check(parts: decoded.batch.parts)
    }

    private mutating func event(_ reader: inout Reader, _ row: inout SpanBatch.Row) throws(WireError) {
        let frame = try reader.enter()
        var (time, name) = (UInt64(0), TextRange.empty)
        let start = decoded.batch.events.attributes.count
        while let field = try reader.next(TraceFields.event) {
            switch field {
            case 1: time = try reader.fixed64()
            case 2: name = try reader.text()
            default:
                let count = decoded.batch.events.attributes.count - start
                try CommonDecoder.attribute(
                    &reader, into: &decoded.batch.events.attributes, count: count, &row.dropped)
            }
        }
        try reader.leave(frame)
        decoded.batch.events.append(time: time, name: name)
        try limits.check(parts: decoded.batch.parts)
    }

    private mutating func link(_ reader: inout Reader, _ row: inout SpanBatch.Row) throws(WireError) {
        let frame = try reader.enter()
        var (trace, span, state) = ((high: UInt64(0), low: UInt64(0)), UInt64(0), TextRange.empty)
        let start = decoded.batch.links.attributes.count
        while let field = try reader.next(TraceFields.link) {
            switch field {
            case 1: trace = try reader.identifier(bytes: 16) ?? (0, 0)
            case 2: span = try reader.identifier(bytes: 8)?.low ?? 0
            case 3: state = try reader.text()
            default:
                let count = decoded.batch.links.attributes.count - start
                try CommonDecoder.attribute(
                    &reader, into: &decoded.batch.links.attributes, count: count, &row.dropped)
            }
        }
        try reader.leave(frame)
        decoded.batch.links.append(traceHigh: trace.high, traceLow: trace.low, spanID: span, state: state)
        try limits.check(parts: decoded.batch.parts)
    }

    private mutating func status(_ reader: inout Reader, _ row: inout SpanBatch.Row) throws(WireError) {
        let frame = try reader.enter()
        while let field = try reader.next(TraceFields.status) {
            if field == 2 {
                row.statusMessage = try reader.text()
            } else {
                row.status = UInt8(clamping: try reader.integer())
            }
        }
        try reader.leave(frame)
    }
}

/// The messages of trace/v1.
private enum TraceFields {
    static let request = Fields(["resourceSpans": 1])
    static let resourceSpans = Fields(["resource": 1, "scopeSpans": 2])
    static let scopeSpans = Fields(["scope": 1, "spans": 2])
    static let span = Fields([
        "traceId": 1, "spanId": 2, "traceState": 3, "parentSpanId": 4, "name": 5, "kind": 6, "startTimeUnixNano": 7,
        "endTimeUnixNano": 8, "attributes": 9, "droppedAttributesCount": 10, "events": 11, "droppedEventsCount": 12,
        "links": 13, "droppedLinksCount": 14, "status": 15, "flags": 16,
    ])
    static let event = Fields(["timeUnixNano": 1, "name": 2, "attributes": 3])
    static let link = Fields(["traceId": 1, "spanId": 2, "traceState": 3, "attributes": 4])
    static let status = Fields(["message": 2, "code": 3])
}
