// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// A log record as a line.
enum LogLine {
    /// A JSON object with the fields of OpenTelemetry's log data model, in snake case as its file exporters and Filebeat,
    /// Fluentd and journald readers take them. `resource` is JSON already.
    static func json(_ record: LogRecord, _ correlationID: String?, _ baggage: Baggage?, resource: String) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 512 + resource.utf8.count)
        json.beginObject()
        json.member("timestamp", Time.text(record.time))
        json.member("severity_text", record.severity.text)
        json.name(plain: "severity_number")
        json.integer(Int64(record.severity.rawValue))
        json.member("body", record.body)
        json.member("scope", record.scope)
        if let trace = record.trace {
            json.member("trace_id", trace.traceID.hex)
            json.member("span_id", trace.spanHex)
            json.member("trace_flags", trace.isSampled ? "01" : "00")
        }
        if let correlationID { json.member("correlation_id", correlationID) }
        if let baggage, !baggage.members.isEmpty {
            json.name(plain: "baggage")
            json.object(attributes(of: baggage))
        }
        if !record.attributes.isEmpty {
            json.name(plain: "attributes")
            json.object(record.attributes)
        }
        json.name(plain: "resource")
        json.raw(resource)
        json.endObject()
        return json.bytes
    }

    /// What of baggage may be written down.
    static func attributes(of baggage: Baggage) -> [Attribute] {
        baggage.members.map { member in
            let isConfidential = Redaction.isConfidential(name: member.key)
            let value = isConfidential ? Redaction.mark : Redaction.redacted(member.value) ?? member.value
            return Attribute(member.key, .string(value))
        }
    }

    /// Attributes as a JSON object.
    static func object(_ attributes: [Attribute]) -> [UInt8] {
        var json = JSONWriter()
        json.object(attributes)
        return json.bytes
    }

    /// `12:30:05.123 ERROR shop.orders: An order failed  order=ord_1 code=timed_out`
    static func pretty(_ record: LogRecord) -> [UInt8] {
        let facts = record.attributes.map { " \($0.name)=\($0.value.text)" }.joined()
        let trace = record.trace.map { " trace_id=\($0.traceID.hex)" } ?? ""
        let time = Time.text(record.time).dropFirst(11).prefix(12)
        let line =
            "\(time) \(record.severity.text) \(record.scope): \(record.body)\(facts.isEmpty ? "" : " ")\(facts)\(trace)"
        return Array(line.replacing("\n", with: "\\n").utf8)
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: StaticString, _ value: String) {
        self.name(plain: name)
        string(value)
    }

    fileprivate mutating func object(_ attributes: [Attribute]) {
        beginObject()
        for attribute in attributes {
            name(attribute.name)
            value(attribute.value)
        }
        endObject()
    }

    private mutating func value(_ value: AttributeValue) {
        switch value {
        case .string(let text): string(text)
        case .bool(let value): bool(value)
        case .int(let value): integer(value)
        // JSON has no infinity.
        case .double(let value): value.isFinite ? raw(String(value)) : string(String(value))
        case .bytes: string(value.text)
        case .array(let values):
            beginArray()
            for value in values { self.value(value) }
            endArray()
        case .map(let members): object(members)
        }
    }
}

/// RFC 3339 in UTC, with nanoseconds.
enum Time {
    /// The text of the last second that was asked for; most are asked for again.
    private static let last = Mutex<(second: UInt64, text: String)>((.max, ""))

    static func text(_ nanoseconds: UInt64) -> String {
        let (second, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var text = last.withLock { last in
            if last.second != second { last = (second, Self.text(second: second)) }
            return last.text
        }
        return text.withUTF8 { text in
            String(unsafeUninitializedCapacity: text.count + 11) { bytes in
                _ = bytes.initialize(fromContentsOf: text)
                bytes.initializeElement(at: text.count, to: UInt8(ascii: "."))
                var rest = fraction
                for place in stride(from: text.count + 9, to: text.count, by: -1) {
                    bytes.initializeElement(at: place, to: UInt8(ascii: "0") + UInt8(rest % 10))
                    rest /= 10
                }
                bytes.initializeElement(at: text.count + 10, to: UInt8(ascii: "Z"))
                return text.count + 11
            }
        }
    }

    private static func text(second: UInt64) -> String {
        var seconds = time_t(second)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let date = "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        return "\(date)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}
