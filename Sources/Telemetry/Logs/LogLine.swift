// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// A log record as a line.
enum LogLine {
    /// A JSON object with the fields of OpenTelemetry's log data model, in snake case as its file exporters and Filebeat,
    /// Fluentd and journald readers take them.
    static func json(
        _ record: LogRecord, _ correlationID: String?, _ baggage: Baggage?, resource: [UInt8]
    ) -> [UInt8] {
        var line = JSONLine()
        line.member("timestamp") { $0.time(record.time) }
        line.member("severity_text") { $0.string(record.severity.text) }
        line.member("severity_number") { $0.raw(String(record.severity.rawValue)) }
        line.member("body") { $0.string(record.body) }
        line.member("scope") { $0.string(record.scope) }
        if let trace = record.trace {
            line.member("trace_id") { $0.string(trace.traceID.hex) }
            line.member("span_id") { $0.string(trace.spanHex) }
            line.member("trace_flags") { $0.string(trace.isSampled ? "01" : "00") }
        }
        if let correlationID { line.member("correlation_id") { $0.string(correlationID) } }
        if let baggage, !baggage.members.isEmpty {
            line.member("baggage") { line in
                line.object(
                    baggage.members.map { member in
                        let isConfidential = Redaction.isConfidential(name: member.key)
                        let value = isConfidential ? Redaction.mark : Redaction.redacted(member.value) ?? member.value
                        return Attribute(member.key, .string(value))
                    })
            }
        }
        if !record.attributes.isEmpty { line.member("attributes") { $0.object(record.attributes) } }
        line.member("resource") { $0.raw(resource) }
        return line.finished()
    }

    /// Attributes as a JSON object on one line.
    static func object(_ attributes: [Attribute]) -> [UInt8] {
        var line = JSONLine()
        for attribute in attributes { line.member(attribute.name) { $0.value(attribute.value) } }
        return line.finished()
    }

    /// `12:30:05.123 ERROR shop.orders: An order failed  order=ord_1 code=timed_out`
    static func pretty(_ record: LogRecord) -> [UInt8] {
        let facts = record.attributes.map { " \($0.name)=\($0.value.text)" }.joined()
        let trace = record.trace.map { " trace_id=\($0.traceID.hex)" } ?? ""
        let time = Time.text(record.time).dropFirst(11).prefix(12)
        let line =
            "\(time) \(record.severity.text) \(record.scope): \(record.body)\(facts.isEmpty ? "" : " ")\(facts)\(trace)"
        return Array((line.replacing("\n", with: "\\n") + "\n").utf8)
    }
}

/// Writes one JSON object (RFC 8259) on one line.
private struct JSONLine {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    init() { bytes.reserveCapacity(512) }

    consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    mutating func member(_ name: String, _ write: (inout JSONLine) -> Void) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        string(name)
        bytes.append(UInt8(ascii: ":"))
        write(&self)
    }

    mutating func raw(_ text: String) { bytes += text.utf8 }
    mutating func raw(_ json: [UInt8]) { bytes += json }

    mutating func time(_ nanoseconds: UInt64) {
        bytes.append(UInt8(ascii: "\""))
        Time.write(nanoseconds, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func object(_ attributes: [Attribute]) {
        bytes.append(UInt8(ascii: "{"))
        for attribute in attributes { member(attribute.name) { $0.value(attribute.value) } }
        bytes.append(UInt8(ascii: "}"))
    }

    mutating func value(_ value: AttributeValue) {
        switch value {
        case .string(let text): string(text)
        case .bool(let value): raw(String(value))
        case .int(let value): raw(String(value))
        case .double(let value): value.isFinite ? raw(String(value)) : string(String(value))
        case .bytes: string(value.text)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (place, value) in values.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                self.value(value)
            }
            bytes.append(UInt8(ascii: "]"))
        case .map(let members): object(members)
        }
    }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        defer { bytes.append(UInt8(ascii: "\"")) }
        var text = text
        let isPlain = text.withUTF8 { utf8 in
            let isPlain = utf8.allSatisfy {
                $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != 0x7F
            }
            if isPlain { bytes.append(contentsOf: utf8) }
            return isPlain
        }
        if isPlain { return }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case 0..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                bytes += "\\u00".utf8
                if digits.count == 1 { bytes.append(UInt8(ascii: "0")) }
                bytes += digits.utf8
            default: bytes.append(byte)
            }
        }
    }
}

/// RFC 3339 in UTC, with nanoseconds.
enum Time {
    /// The text of the last second that was asked for; most are asked for again.
    private static let last = Mutex<(second: UInt64, text: [UInt8])>((.max, []))

    static func text(_ nanoseconds: UInt64) -> String {
        var bytes: [UInt8] = []
        write(nanoseconds, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ nanoseconds: UInt64, to bytes: inout [UInt8]) {
        let second = nanoseconds / 1_000_000_000
        bytes += last.withLock { last in
            if last.second != second { last = (second, text(second: second)) }
            return last.text
        }
        bytes.append(UInt8(ascii: "."))
        append(Int(nanoseconds % 1_000_000_000), digits: 9, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    private static func text(second: UInt64) -> [UInt8] {
        var seconds = time_t(second)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var bytes: [UInt8] = []
        append(Int(parts.tm_year) + 1_900, digits: 4, to: &bytes)
        for (mark, value) in [
            ("-", parts.tm_mon + 1), ("-", parts.tm_mday), ("T", parts.tm_hour), (":", parts.tm_min),
            (":", parts.tm_sec),
        ] {
            bytes += mark.utf8
            append(Int(value), digits: 2, to: &bytes)
        }
        return bytes
    }

    private static func append(_ value: Int, digits: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes += repeatElement(UInt8(ascii: "0"), count: digits)
        var rest = value
        for place in stride(from: start + digits - 1, through: start, by: -1) {
            bytes[place] += UInt8(rest % 10)
            rest /= 10
        }
    }
}
