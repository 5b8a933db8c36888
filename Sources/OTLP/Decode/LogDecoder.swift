// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// `ExportLogsServiceRequest` into columns (opentelemetry/proto/logs/v1).
struct LogDecoder<Reader: FieldReader>: RequestDecoder {
    let limits: DecodeLimits
    var decoded = Decoded(batch: LogBatch())

    init(limits: DecodeLimits) { self.limits = limits }

    static var fields: (request: Fields, resource: Fields, scope: Fields) {
        (LogFields.request, LogFields.resourceLogs, LogFields.scopeLogs)
    }

    mutating func item(_ reader: inout Reader, scope: Int) throws(WireError) {
        let frame = try reader.enter()
        var row = LogBatch.Row()
        let start = decoded.batch.attributes.count
        while let field = try reader.next(LogFields.record) {
            switch field {
            case 1: row.time = try reader.fixed64()
            case 2: row.severity = UInt8(clamping: try reader.integer())
            case 3: row.severityText = try reader.text()
            case 5: (row.bodyKind, row.body) = try CommonDecoder.value(&reader)
            case 6:
                let count = decoded.batch.attributes.count - start
                try CommonDecoder.attribute(&reader, into: &decoded.batch.attributes, count: count, &row.dropped)
            case 7: row.dropped &+= UInt32(truncatingIfNeeded: try reader.integer())
            case 8: row.flags = try reader.fixed32()
            // A record with an id that names nothing belongs to no trace; it is not lost for that.
            case 9: (row.traceHigh, row.traceLow) = try reader.identifier(bytes: 16) ?? (0, 0)
            case 10: row.spanID = try reader.identifier(bytes: 8)?.low ?? 0
            case 11: row.observedTime = try reader.fixed64()
            default: row.eventName = try reader.text()
            }
        }
        try reader.leave(frame)
        decoded.batch.append(row, scope: scope)
        try limits.check(items: decoded.batch.count)
        try limits.check(parts: decoded.batch.attributes.count)
    }
}

/// The messages of logs/v1.
private enum LogFields {
    static let request = Fields(["resourceLogs": 1])
    static let resourceLogs = Fields(["resource": 1, "scopeLogs": 2])
    static let scopeLogs = Fields(["scope": 1, "logRecords": 2])
    static let record = Fields([
        "timeUnixNano": 1, "severityNumber": 2, "severityText": 3, "body": 5, "attributes": 6,
        "droppedAttributesCount": 7, "flags": 8, "traceId": 9, "spanId": 10, "observedTimeUnixNano": 11,
        "eventName": 12,
    ])
}
