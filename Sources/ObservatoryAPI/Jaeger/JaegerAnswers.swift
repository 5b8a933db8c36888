// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// What Jaeger's API answers.
enum JaegerAnswers {
    /// `{"data": [...], "total": ..., "limit": 0, "offset": 0, "errors": null}`.
    static func list<Item>(_ items: [Item], _ write: (Item, inout JSONWriter) -> Void) -> [UInt8] {
        envelope(total: items.count) {
            $0.array(items, write)
        } errors: {
            $0.null()
        }
    }

    /// The same with one value.
    static func value(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        envelope(total: 0, data: write) { $0.null() }
    }

    static func failure(_ error: APIError) -> [UInt8] {
        envelope(total: 0) {
            $0.null()
        } errors: { writer in
            writer.array([error]) { error, writer in
                writer.object { writer in
                    writer.member("code", error.status)
                    writer.member("msg", error.message)
                }
            }
        }
    }

    private static func envelope(
        total: Int, data: (inout JSONWriter) -> Void, errors: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        JSONWriter.object { writer in
            writer.member("data", data)
            writer.member("total", total)
            writer.member("limit", 0)
            writer.member("offset", 0)
            writer.member("errors", errors)
        }
    }

    /// Of version 3.
    static func failure3(_ error: APIError) -> [UInt8] {
        JSONWriter.object { writer in
            writer.member("error") { writer in
                writer.object { writer in
                    writer.member("httpCode", error.status)
                    writer.member("message", error.message)
                }
            }
        }
    }

    static func write(_ operation: (service: String, name: String, kind: UInt8), to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", operation.name)
            writer.member("spanKind", kind(operation.kind) ?? "")
        }
    }

    private static let kinds: [String?] = [nil, "internal", "server", "client", "producer", "consumer"]

    static func kind(_ number: UInt8) -> String? { number < kinds.count ? kinds[Int(number)] : nil }

    static func kindNumber(_ name: String) -> UInt8? { kinds.firstIndex(of: name).map(UInt8.init) }

    // MARK: A trace

    /// `leftOut` is how many of its spans are not in it.
    static func write(_ trace: StoredTrace, leftOut: Int = 0, to writer: inout JSONWriter) {
        var processes: [Resource: String] = [:]
        for span in trace.spans where processes[span.resource] == nil {
            processes[span.resource] = "p\(processes.count + 1)"
        }
        writer.object { writer in
            writer.member("traceID", trace.id.hex)
            writer.member("spans", trace.spans) { span, writer in
                write(span, processes[span.resource] ?? "", to: &writer)
            }
            writer.member("processes") { writer in
                writer.object { writer in
                    for (resource, process) in processes.sorted(by: { $0.value < $1.value }) {
                        writer.name(process)
                        write(resource, to: &writer)
                    }
                }
            }
            writer.member("warnings") { writer in
                guard leftOut > 0 else { return writer.null() }
                writer.array(["\(leftOut) spans are left out; those that failed are here, and the first of the others"])
                {
                    $1.string($0)
                }
            }
        }
    }

    private static func write(_ process: Resource, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("serviceName", process["service.name"]?.text ?? "")
            writer.member("tags", process.attributes.filter { $0.name != "service.name" }, tag)
        }
    }

    private static func write(_ span: StoredTrace.Span, _ process: String, to writer: inout JSONWriter) {
        let record = span.record
        writer.object { writer in
            writer.member("traceID", record.context.traceID.hex)
            writer.member("spanID", record.context.spanHex)
            writer.member("operationName", record.name)
            writer.member("references", references(of: record)) { reference, writer in
                writer.object { writer in
                    writer.member("refType", reference.type)
                    writer.member("traceID", reference.context.traceID.hex)
                    writer.member("spanID", reference.context.spanHex)
                }
            }
            writer.member("startTime", Int(record.start / 1_000))
            writer.member("duration", Int(record.duration / 1_000))
            writer.member("tags", record.attributes + derived(span), tag)
            writer.member("logs", record.events) { event, writer in
                writer.object { writer in
                    writer.member("timestamp", Int(event.time / 1_000))
                    writer.member("fields", [Attribute("event", .string(event.name))] + event.attributes, tag)
                }
            }
            writer.member("processID", process)
            writer.member("warnings") { $0.null() }
        }
    }

    private static func references(of span: SpanRecord) -> [(type: String, context: TraceContext)] {
        let parent = TraceContext(traceID: span.context.traceID, spanID: span.parentID)
        return (span.parentID == 0 ? [] : [("CHILD_OF", parent)])
            + span.links.map { ("FOLLOWS_FROM", $0.context) }
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

    private static func tag(_ attribute: Attribute, _ writer: inout JSONWriter) {
        func typed(_ type: String, _ value: (inout JSONWriter) -> Void) {
            writer.object { writer in
                writer.member("key", attribute.name)
                writer.member("type", type)
                writer.member("value", value)
            }
        }
        switch attribute.value {
        case .bool(let value): typed("bool") { $0.bool(value) }
        case .int(let value): typed("int64") { $0.integer(value) }
        case .double(let value) where value.isFinite: typed("float64") { $0.raw(value.description) }
        case .bytes(let bytes): typed("binary") { $0.string(Data(bytes).base64EncodedString()) }
        case .string, .array, .map, .double: typed("string") { $0.string(attribute.value.text) }
        }
    }
}
