// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// What Jaeger's API answers.
enum JaegerAnswers {
    /// `{"data": [...], "total": ..., "limit": 0, "offset": 0, "errors": null}`.
    static func list<Item>(_ items: [Item], _ write: (Item, inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "data")
        writer.beginArray()
        for item in items { write(item, &writer) }
        writer.endArray()
        writer.name(plain: "total")
        writer.integer(Int64(items.count))
        writer.name(plain: "limit")
        writer.integer(0)
        writer.name(plain: "offset")
        writer.integer(0)
        writer.name(plain: "errors")
        writer.null()
        writer.endObject()
        return writer.bytes
    }

    static func failure(_ error: APIError) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "data")
        writer.null()
        writer.name(plain: "total")
        writer.integer(0)
        writer.name(plain: "limit")
        writer.integer(0)
        writer.name(plain: "offset")
        writer.integer(0)
        writer.name(plain: "errors")
        writer.beginArray()
        writer.beginObject()
        writer.name(plain: "code")
        writer.integer(Int64(error.status))
        writer.name(plain: "msg")
        writer.string(error.message)
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// Of version 3.
    static func failure3(_ error: APIError) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "error")
        writer.beginObject()
        writer.name(plain: "httpCode")
        writer.integer(Int64(error.status))
        writer.name(plain: "message")
        writer.string(error.message)
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    /// An object with a list alone.
    static func object<Item>(
        _ name: StaticString, _ items: [Item], _ write: (Item, inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: name)
        writer.beginArray()
        for item in items { write(item, &writer) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    private static let kinds: [String?] = [nil, "internal", "server", "client", "producer", "consumer"]

    static func kind(_ number: UInt8) -> String? { number < kinds.count ? kinds[Int(number)] : nil }

    static func kindNumber(_ name: String) -> UInt8? { kinds.firstIndex(of: name).map(UInt8.init) }

    // MARK: A trace

    static func write(_ trace: StoredTrace, to writer: inout JSONWriter) {
        var processes: [Resource: String] = [:]
        writer.beginObject()
        writer.name(plain: "traceID")
        writer.string(trace.id.hex)
        writer.name(plain: "spans")
        writer.beginArray()
        for span in trace.spans {
            let process = processes[span.resource] ?? "p\(processes.count + 1)"
            processes[span.resource] = process
            write(span, process, to: &writer)
        }
        writer.endArray()
        writer.name(plain: "processes")
        writer.beginObject()
        for (resource, process) in processes.sorted(by: { $0.value < $1.value }) {
            writer.name(process)
            writer.beginObject()
            writer.name(plain: "serviceName")
            writer.string(resource["service.name"]?.text ?? "")
            writer.name(plain: "tags")
            tags(resource.attributes.filter { $0.name != "service.name" }, &writer)
            writer.endObject()
        }
        writer.endObject()
        writer.name(plain: "warnings")
        writer.null()
        writer.endObject()
    }

    private static func write(_ span: StoredTrace.Span, _ process: String, to writer: inout JSONWriter) {
        let record = span.record
        writer.beginObject()
        writer.name(plain: "traceID")
        writer.string(record.context.traceID.hex)
        writer.name(plain: "spanID")
        writer.string(record.context.spanHex)
        writer.name(plain: "operationName")
        writer.string(record.name)
        writer.name(plain: "references")
        writer.beginArray()
        if record.parentID != 0 {
            let parent = TraceContext(traceID: record.context.traceID, spanID: record.parentID)
            reference("CHILD_OF", parent, &writer)
        }
        for link in record.links { reference("FOLLOWS_FROM", link.context, &writer) }
        writer.endArray()
        writer.name(plain: "startTime")
        writer.integer(Int64(record.start / 1_000))
        writer.name(plain: "duration")
        writer.integer(Int64(record.duration / 1_000))
        writer.name(plain: "tags")
        tags(record.attributes + derived(span), &writer)
        writer.name(plain: "logs")
        writer.beginArray()
        for event in record.events {
            writer.beginObject()
            writer.name(plain: "timestamp")
            writer.integer(Int64(event.time / 1_000))
            writer.name(plain: "fields")
            tags([Attribute("event", .string(event.name))] + event.attributes, &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.name(plain: "processID")
        writer.string(process)
        writer.name(plain: "warnings")
        writer.null()
        writer.endObject()
    }

    /// What OpenTelemetry has in fields of their own (OpenTelemetry to Jaeger transformation).
    private static func derived(_ span: StoredTrace.Span) -> [Attribute] {
        var tags: [Attribute] = []
        if let kind = kind(UInt8(span.record.kind.rawValue)) { tags.append(Attribute("span.kind", .string(kind))) }
        switch span.record.status {
        case .unset: break
        case .ok: tags.append(Attribute("otel.status_code", .string("OK")))
        case .error(let message):
            tags += [Attribute("otel.status_code", .string("ERROR")), Attribute("error", .bool(true))]
            if !message.isEmpty { tags.append(Attribute("otel.status_description", .string(message))) }
        }
        if !span.scope.name.isEmpty { tags.append(Attribute("otel.scope.name", .string(span.scope.name))) }
        if !span.scope.version.isEmpty { tags.append(Attribute("otel.scope.version", .string(span.scope.version))) }
        if !span.record.context.state.isEmpty {
            tags.append(Attribute("w3c.tracestate", .string(span.record.context.state)))
        }
        return tags
    }

    private static func reference(_ type: String, _ context: TraceContext, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name(plain: "refType")
        writer.string(type)
        writer.name(plain: "traceID")
        writer.string(context.traceID.hex)
        writer.name(plain: "spanID")
        writer.string(context.spanHex)
        writer.endObject()
    }

    private static func tags(_ attributes: [Attribute], _ writer: inout JSONWriter) {
        writer.beginArray()
        for attribute in attributes {
            writer.beginObject()
            writer.name(plain: "key")
            writer.string(attribute.name)
            writer.name(plain: "type")
            switch attribute.value {
            case .bool(let value):
                writer.string("bool")
                writer.name(plain: "value")
                writer.bool(value)
            case .int(let value):
                writer.string("int64")
                writer.name(plain: "value")
                writer.integer(value)
            case .double(let value) where value.isFinite:
                writer.string("float64")
                writer.name(plain: "value")
                writer.raw(value.description)
            case .bytes(let bytes):
                writer.string("binary")
                writer.name(plain: "value")
                writer.string(Data(bytes).base64EncodedString())
            case .string, .array, .map, .double:
                writer.string("string")
                writer.name(plain: "value")
                writer.string(attribute.value.text)
            }
            writer.endObject()
        }
        writer.endArray()
    }
}
