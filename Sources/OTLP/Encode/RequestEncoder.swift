// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// This process's signals as export requests in protobuf (opentelemetry-proto v1).
package enum RequestEncoder {
    /// The name under which all is recorded that names no library.
    private static let scope = "vitrine"

    /// `ExportTraceServiceRequest`.
    package static func spans(_ spans: [SpanRecord], from resource: Resource) -> [UInt8] {
        request(from: resource, scope: scope) { writer in
            for span in spans { writer.message(2) { Self.span(span, &$0) } }
        }
    }

    /// `ExportLogsServiceRequest`, with a scope for each logger.
    package static func logs(_ logs: [LogRecord], from resource: Resource) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { writer in
            Self.resource(resource, &writer)
            for (scope, records) in Dictionary(grouping: logs, by: \.scope).sorted(by: { $0.key < $1.key }) {
                writer.message(2) { writer in
                    writer.message(1) { $0.text(1, scope) }
                    for record in records { writer.message(2) { log(record, &$0) } }
                }
            }
        }
        return writer.bytes
    }

    /// `ExportMetricsServiceRequest`; sums and histograms are cumulative from `start`. Times in nanoseconds since 1970.
    package static func metrics(
        _ families: [MetricFamily], from resource: Resource, start: UInt64, time: UInt64
    ) -> [UInt8] {
        request(from: resource, scope: scope) { writer in
            let times = MetricEncoder(start: start, time: time)
            for family in families where !family.points.isEmpty { writer.message(2) { times.metric(family, &$0) } }
        }
    }

    private static func request(
        from resource: Resource, scope: String, _ items: (inout ProtobufWriter) -> Void
    ) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { writer in
            Self.resource(resource, &writer)
            writer.message(2) { writer in
                writer.message(1) { $0.text(1, scope) }
                items(&writer)
            }
        }
        return writer.bytes
    }

    private static func resource(_ resource: Resource, _ writer: inout ProtobufWriter) {
        writer.message(1) { attributes(resource.attributes, 1, &$0) }
    }

    // MARK: Spans

    private static func span(_ span: SpanRecord, _ writer: inout ProtobufWriter) {
        writer.identifier(1, span.context.traceID.high, span.context.traceID.low)
        writer.identifier(2, span.context.spanID)
        writer.text(3, span.context.state)
        if span.parentID != 0 { writer.identifier(4, span.parentID) }
        writer.text(5, span.name)
        writer.integer(6, UInt64(span.kind.rawValue))
        writer.fixed64(7, span.start)
        writer.fixed64(8, span.end)
        attributes(span.attributes, 9, &writer)
        if span.adjustedCount != 1 {
            attributes([Attribute("sampler.adjusted_count", .double(span.adjustedCount))], 9, &writer)
        }
        for event in span.events {
            writer.message(11) { writer in
                writer.fixed64(1, event.time)
                writer.text(2, event.name)
                attributes(event.attributes, 3, &writer)
            }
        }
        for link in span.links {
            writer.message(13) { writer in
                writer.identifier(1, link.context.traceID.high, link.context.traceID.low)
                writer.identifier(2, link.context.spanID)
                writer.text(3, link.context.state)
                attributes(link.attributes, 4, &writer)
                writer.fixed32(6, flags(link.context))
            }
        }
        switch span.status {
        case .unset: break
        case .ok: writer.message(15) { $0.integer(3, 1) }
        case .error(let message):
            writer.message(15) { writer in
                writer.text(2, message)
                writer.integer(3, 2)
            }
        }
        // Bits 8 and 9: whether it is known that the parent is remote, and whether it is.
        writer.fixed32(16, flags(span.context) | 0x100 | (span.hasRemoteParent ? 0x200 : 0))
    }

    private static func flags(_ context: TraceContext) -> UInt32 {
        (context.isSampled ? 1 : 0) | (context.isRandom ? 2 : 0)
    }

    // MARK: Logs

    private static func log(_ record: LogRecord, _ writer: inout ProtobufWriter) {
        writer.fixed64(1, record.time)
        writer.integer(2, UInt64(record.severity.rawValue))
        writer.text(3, record.severity.text)
        writer.message(5) { value(.string(record.body), &$0) }
        attributes(record.attributes, 6, &writer)
        if let trace = record.trace {
            writer.fixed32(8, flags(trace))
            writer.identifier(9, trace.traceID.high, trace.traceID.low)
            writer.identifier(10, trace.spanID)
        }
        writer.fixed64(11, record.time)
    }

    // MARK: Attributes

    static func attributes(_ attributes: [Attribute], _ field: Int, _ writer: inout ProtobufWriter) {
        for attribute in attributes {
            writer.message(field) { writer in
                writer.text(1, attribute.name)
                writer.message(2) { value(attribute.value, &$0) }
            }
        }
    }

    private static func value(_ value: AttributeValue, _ writer: inout ProtobufWriter) {
        switch value {
        // Written even where it is empty: it is a choice.
        case .string(let text): writer.data(1, text.utf8)
        case .bool(let value): writer.choice(2, value ? 1 : 0)
        case .int(let value): writer.choice(3, UInt64(bitPattern: value))
        case .double(let value): writer.number(4, value)
        case .array(let values):
            writer.message(5) { writer in
                for value in values { writer.message(1) { Self.value(value, &$0) } }
            }
        case .map(let members): writer.message(6) { attributes(members, 1, &$0) }
        case .bytes(let bytes): writer.data(7, bytes)
        }
    }
}
