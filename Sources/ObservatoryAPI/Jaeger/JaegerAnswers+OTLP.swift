// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// Traces as OTLP's JSON (opentelemetry/proto/trace/v1), in the envelope of Jaeger's third version.
extension JaegerAnswers {
    static func otlp(_ traces: [StoredTrace]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "result")
        writer.beginObject()
        writer.name(plain: "resourceSpans")
        writer.beginArray()
        for trace in traces {
            for (resource, spans) in Dictionary(grouping: trace.spans, by: \.resource).sorted(by: {
                ($0.value.first?.record.start ?? 0) < ($1.value.first?.record.start ?? 0)
            }) {
                resourceSpans(resource, spans, &writer)
            }
        }
        writer.endArray()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private static func resourceSpans(
        _ resource: Resource, _ spans: [StoredTrace.Span], _ writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.name(plain: "resource")
        writer.beginObject()
        attributes(resource.attributes, &writer)
        writer.endObject()
        writer.name(plain: "scopeSpans")
        writer.beginArray()
        for (_, spans) in Dictionary(grouping: spans, by: { "\($0.scope.name)\u{0}\($0.scope.version)" })
            .sorted(by: { $0.key < $1.key })
        {
            writer.beginObject()
            writer.name(plain: "scope")
            writer.beginObject()
            text("name", spans[0].scope.name, &writer)
            text("version", spans[0].scope.version, &writer)
            writer.endObject()
            writer.name(plain: "spans")
            writer.beginArray()
            for span in spans { self.span(span.record, &writer) }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    private static func text(_ name: StaticString, _ value: String, _ writer: inout JSONWriter) {
        guard !value.isEmpty else { return }
        writer.name(plain: name)
        writer.string(value)
    }

    private static func span(_ span: SpanRecord, _ writer: inout JSONWriter) {
        writer.beginObject()
        text("traceId", span.context.traceID.hex, &writer)
        text("spanId", span.context.spanHex, &writer)
        text("traceState", span.context.state, &writer)
        if span.parentID != 0 {
            text("parentSpanId", TraceContext(traceID: span.context.traceID, spanID: span.parentID).spanHex, &writer)
        }
        text("name", span.name, &writer)
        writer.name(plain: "kind")
        writer.integer(Int64(span.kind.rawValue))
        text("startTimeUnixNano", String(span.start), &writer)
        text("endTimeUnixNano", String(span.end), &writer)
        attributes(span.attributes, &writer)
        if !span.events.isEmpty {
            writer.name(plain: "events")
            writer.beginArray()
            for event in span.events {
                writer.beginObject()
                text("timeUnixNano", String(event.time), &writer)
                text("name", event.name, &writer)
                attributes(event.attributes, &writer)
                writer.endObject()
            }
            writer.endArray()
        }
        if !span.links.isEmpty {
            writer.name(plain: "links")
            writer.beginArray()
            for link in span.links {
                writer.beginObject()
                text("traceId", link.context.traceID.hex, &writer)
                text("spanId", link.context.spanHex, &writer)
                attributes(link.attributes, &writer)
                writer.endObject()
            }
            writer.endArray()
        }
        status(span.status, &writer)
        writer.endObject()
    }

    private static func status(_ status: SpanRecord.Status, _ writer: inout JSONWriter) {
        writer.name(plain: "status")
        writer.beginObject()
        switch status {
        case .unset: break
        case .ok:
            writer.name(plain: "code")
            writer.integer(1)
        case .error(let message):
            text("message", message, &writer)
            writer.name(plain: "code")
            writer.integer(2)
        }
        writer.endObject()
    }

    private static func attributes(_ attributes: [Attribute], _ writer: inout JSONWriter) {
        guard !attributes.isEmpty else { return }
        writer.name(plain: "attributes")
        writer.beginArray()
        for attribute in attributes {
            writer.beginObject()
            writer.name(plain: "key")
            writer.string(attribute.name)
            writer.name(plain: "value")
            value(attribute.value, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private static func value(_ value: AttributeValue, _ writer: inout JSONWriter) {
        writer.beginObject()
        switch value {
        case .string(let text):
            writer.name(plain: "stringValue")
            writer.string(text)
        case .bool(let value):
            writer.name(plain: "boolValue")
            writer.bool(value)
        case .int(let value): text("intValue", String(value), &writer)
        case .double(let value):
            writer.name(plain: "doubleValue")
            if value.isFinite { writer.raw(value.description) } else { writer.string(SampleText.of(value)) }
        case .bytes(let bytes):
            writer.name(plain: "bytesValue")
            writer.string(Data(bytes).base64EncodedString())
        case .array(let values):
            writer.name(plain: "arrayValue")
            writer.beginObject()
            writer.name(plain: "values")
            writer.beginArray()
            for value in values { self.value(value, &writer) }
            writer.endArray()
            writer.endObject()
        case .map(let members):
            writer.name(plain: "kvlistValue")
            writer.beginObject()
            writer.name(plain: "values")
            writer.beginArray()
            for member in members {
                writer.beginObject()
                writer.name(plain: "key")
                writer.string(member.name)
                writer.name(plain: "value")
                self.value(member.value, &writer)
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
        }
        writer.endObject()
    }
}
