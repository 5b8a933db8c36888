// SPDX-License-Identifier: Apache-2.0

/// Writes kept spans as lines, for people and for whatever reads the process' output. Log lines go there by themselves.
public final class ConsoleSink: SignalSink {
    private let format: LogPipeline.Configuration.Format
    private let writer: LogWriter

    /// What may wait to be written.
    private static let bytesMax = 4 << 20

    public init(_ format: LogPipeline.Configuration.Format, descriptor: Int32 = 1) {
        self.format = format
        writer = LogWriter(descriptor: descriptor, bytesMax: Self.bytesMax)
    }

    public func flush() { writer.flush() }

    public func take(logs: [LogRecord], from resource: Resource) {}

    public func take(spans: [SpanRecord], from resource: Resource) {
        for span in spans { writer.write(format == .json ? Self.json(span) : Self.pretty(span)) }
    }

    private static func json(_ span: SpanRecord) -> [UInt8] {
        var facts = [
            Attribute("timestamp", .string(Time.text(span.start))), Attribute("span", .string(span.name)),
            Attribute("kind", .string("\(span.kind)")), Attribute("trace_id", .string(span.context.traceID.hex)),
            Attribute("span_id", .string(span.context.spanHex)), Attribute("duration_ns", .int(Int64(span.duration))),
        ]
        if span.parentID != 0 { facts.append(Attribute("parent_span_id", .string(Hex.text(span.parentID)))) }
        if case .error(let message) = span.status {
            facts += [Attribute("status", .string("ERROR")), Attribute("status_message", .string(message))]
        }
        if span.adjustedCount != 1 { facts.append(Attribute("adjusted_count", .double(span.adjustedCount))) }
        if !span.attributes.isEmpty { facts.append(Attribute("attributes", .map(span.attributes))) }
        return LogLine.object(facts)
    }

    /// `12:30:05.123 SPAN   3.21 ms server POST /v1/orders trace_id=...`
    private static func pretty(_ span: SpanRecord) -> [UInt8] {
        let time = Time.text(span.start).dropFirst(11).prefix(12)
        let length = Double(span.duration / 10_000) / 100
        let mark = span.isError ? " ERROR" : ""
        return Array(
            "\(time) SPAN \(length) ms \(span.kind) \(span.name)\(mark) trace_id=\(span.context.traceID.hex)".utf8)
    }
}
