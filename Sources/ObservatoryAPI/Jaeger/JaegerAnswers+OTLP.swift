// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// Traces as OTLP's JSON (opentelemetry/proto/trace/v1), in the envelope of Jaeger's third version.
extension JaegerAnswers {
    static func otlp(_ traces: [StoredTrace]) -> [UInt8] {
        let senders = traces.flatMap { trace in
            Dictionary(grouping: trace.spans, by: \.resource)
                .sorted { ($0.value.first?.record.start ?? 0) < ($1.value.first?.record.start ?? 0) }
        }
        return JSONWriter.object { writer in
            writer.member("result") { writer in
                writer.object {
                    $0.member("resourceSpans", senders) { sender, writer in
                        resourceSpans(sender.key, sender.value, &writer)
                    }
                }
            }
        }
    }

    private static func resourceSpans(
        _ resource: Resource, _ spans: [StoredTrace.Span], _ writer: inout JSONWriter
    ) {
        let scopes = Dictionary(grouping: spans) { "\($0.scope.name)\u{0}\($0.scope.version)" }
            .sorted { $0.key < $1.key }.map(\.value)
        writer.object { writer in
            writer.member("resource") { writer in writer.object { attributes(resource.attributes, &$0) } }
            writer.member("scopeSpans", scopes) { spans, writer in
                writer.object { writer in
                    writer.member("scope") { writer in
                        writer.object { writer in
                            text("name", spans[0].scope.name, &writer)
                            text("version", spans[0].scope.version, &writer)
                        }
                    }
                    writer.member("spans", spans) { span($0.record, &$1) }
                }
            }
        }
    }

    /// Nothing where it is empty, as protobuf's JSON has it.
    private static func text(_ name: StaticString, _ value: String, _ writer: inout JSONWriter) {
        if !value.isEmpty { writer.member(name, value) }
    }

    private static func list<Item>(
        _ name: StaticString, _ items: [Item], _ writer: inout JSONWriter, _ write: (Item, inout JSONWriter) -> Void
    ) {
        guard !items.isEmpty else { return }
        writer.member(name, items) { item, writer in writer.object { write(item, &$0) } }
    }

    private static func span(_ span: SpanRecord, _ writer: inout JSONWriter) {
        writer.object { writer in
            ids(span.context, &writer)
            text("traceState", span.context.state, &writer)
            if span.parentID != 0 {
                text(
                    "parentSpanId", TraceContext(traceID: span.context.traceID, spanID: span.parentID).spanHex, &writer)
            }
            text("name", span.name, &writer)
            writer.member("kind", span.kind.rawValue)
            text("startTimeUnixNano", String(span.start), &writer)
            text("endTimeUnixNano", String(span.end), &writer)
            attributes(span.attributes, &writer)
            list("events", span.events, &writer) { event, writer in
                text("timeUnixNano", String(event.time), &writer)
                text("name", event.name, &writer)
                attributes(event.attributes, &writer)
            }
            list("links", span.links, &writer) { link, writer in
                ids(link.context, &writer)
                attributes(link.attributes, &writer)
            }
            writer.member("status") { writer in writer.object { status(span.status, &$0) } }
        }
    }

    private static func ids(_ context: TraceContext, _ writer: inout JSONWriter) {
        writer.member("traceId", context.traceID.hex)
        writer.member("spanId", context.spanHex)
    }

    private static func status(_ status: SpanRecord.Status, _ writer: inout JSONWriter) {
        switch status {
        case .unset: break
        case .ok: writer.member("code", 1)
        case .error(let message):
            text("message", message, &writer)
            writer.member("code", 2)
        }
    }

    private static func attributes(_ attributes: [Attribute], _ writer: inout JSONWriter) {
        list("attributes", attributes, &writer, attribute)
    }

    private static func attribute(_ attribute: Attribute, _ writer: inout JSONWriter) {
        writer.member("key", attribute.name)
        writer.member("value") { writer in writer.object { value(attribute.value, &$0) } }
    }

    private static func value(_ value: AttributeValue, _ writer: inout JSONWriter) {
        switch value {
        case .string(let text): writer.member("stringValue", text)
        case .bool(let value): writer.member("boolValue") { $0.bool(value) }
        case .int(let value): writer.member("intValue", String(value))
        case .double(let value):
            writer.member("doubleValue") {
                if value.isFinite { $0.raw(value.description) } else { $0.string(SampleText.of(value)) }
            }
        case .bytes(let bytes): writer.member("bytesValue", Data(bytes).base64EncodedString())
        case .array(let values): nested("arrayValue", values, &writer) { self.value($0, &$1) }
        case .map(let members): nested("kvlistValue", members, &writer, attribute)
        }
    }

    private static func nested<Item>(
        _ name: StaticString, _ items: [Item], _ writer: inout JSONWriter, _ write: (Item, inout JSONWriter) -> Void
    ) {
        writer.member(name) { writer in
            writer.object { writer in
                writer.member("values", items) { item, writer in writer.object { write(item, &$0) } }
            }
        }
    }
}
