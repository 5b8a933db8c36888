// SPDX-License-Identifier: Apache-2.0

/// Writes kept spans as lines, for people and for whatever reads the process' output. The process' own log lines go there by
/// themselves; those of others by ``show(_:)``.
public final class ConsoleSink: SignalSink {
    private let format: LogPipeline.Configuration.Format
    private let bytesMax: Int
    private let writer: LogWriter

    /// `bytesMax` is what may wait to be written; what comes beyond is dropped.
    public init(_ format: LogPipeline.Configuration.Format, descriptor: Int32 = 1, bytesMax: Int = 4 << 20) {
        self.format = format
        self.bytesMax = bytesMax
        writer = LogWriter(descriptor: descriptor, bytesMax: bytesMax)
    }

    /// Whether half of what may wait waits.
    public var isBehind: Bool { writer.bytesWaiting > bytesMax / 2 }

    public func flush() { writer.flush() }

    public func take(logs: [LogRecord], from resource: Resource) {}

    public func take(spans: [SpanRecord], from resource: Resource) {
        for span in spans { writer.write(format == .json ? Self.json(span, resource) : Self.pretty(span)) }
    }

    /// Writes what others sent: a line for each span, log record and metric point.
    ///
    /// - Returns: How many of them were not written, because whoever reads the lines does not keep up.
    public func show(_ batch: SignalBatch) -> Int {
        switch batch {
        case .spans(let batch):
            show(batch.count, scope: { Int(batch.scopes[$0]) }, batch.origins, batch.bytes) { place, resource in
                format == .json ? Self.json(batch.record(place), resource) : Self.pretty(batch.record(place))
            }
        case .logs(let batch):
            show(batch.count, scope: { Int(batch.scopes[$0]) }, batch.origins, batch.bytes) { place, resource in
                let record = batch.record(place)
                guard format == .json else { return LogLine.pretty(record) }
                let sender = String(decoding: LogLine.object(resource.attributes), as: UTF8.self)
                return LogLine.json(record, nil, nil, resource: sender)
            }
        case .metrics(let batch): show(batch)
        }
    }

    private func show(_ batch: MetricBatch) -> Int {
        var left = batch.count
        for metric in batch.metrics {
            let resource = batch.origins.resource(ofScope: metric.scope, in: batch.bytes)
            for point in metric.points {
                if isBehind { return left }
                writer.write(Self.line(point, of: metric, from: resource, in: batch, format))
                left -= 1
            }
        }
        return 0
    }

    /// Looks up the sender once for all rows of a scope.
    private func show(
        _ count: Int, scope: (Int) -> Int, _ origins: BatchOrigins, _ bytes: [UInt8],
        _ line: (Int, Resource) -> [UInt8]
    ) -> Int {
        var (known, resource) = (-1, Resource([]))
        for place in 0..<count {
            if isBehind { return count - place }
            if scope(place) != known {
                known = scope(place)
                resource = origins.resource(ofScope: known, in: bytes)
            }
            writer.write(line(place, resource))
        }
        return 0
    }

    private static func line(
        _ place: Int, of metric: MetricBatch.Metric, from resource: Resource, in batch: MetricBatch,
        _ format: LogPipeline.Configuration.Format
    ) -> [UInt8] {
        let (name, unit) = (batch.bytes.text(metric.name), batch.bytes.text(metric.unit))
        let attributes = batch.attributes.list(batch.points[place].attributes, in: batch.bytes)
        let value = batch.shown(place)
        let time = Time.text(batch.points[place].time)
        guard format == .json else {
            let facts = attributes.map { " \($0.name)=\($0.value.text)" }.joined()
            return Array("\(time.dropFirst(11).prefix(12)) METRIC \(name) \(value.text) \(unit)\(facts)".utf8)
        }
        return LogLine.object([
            Attribute("timestamp", .string(time)), Attribute("metric", .string(name)),
            Attribute("unit", .string(unit)), Attribute("value", value), Attribute("attributes", .map(attributes)),
            Attribute("resource", .map(resource.attributes)),
        ])
    }

    private static func json(_ span: SpanRecord, _ resource: Resource) -> [UInt8] {
        var facts = [
            Attribute("timestamp", .string(Time.text(span.start))), Attribute("span", .string(span.name)),
            Attribute("kind", .string("\(span.kind)")), Attribute("trace_id", .string(span.context.traceID.hex)),
            Attribute("span_id", .string(span.context.spanHex)),
            Attribute("duration_ns", .int(Int64(clamping: span.duration))),
        ]
        if span.parentID != 0 { facts.append(Attribute("parent_span_id", .string(Hex.text(span.parentID)))) }
        if case .error(let message) = span.status {
            facts += [Attribute("status", .string("ERROR")), Attribute("status_message", .string(message))]
        }
        if span.adjustedCount != 1 { facts.append(Attribute("adjusted_count", .double(span.adjustedCount))) }
        if !span.attributes.isEmpty { facts.append(Attribute("attributes", .map(span.attributes))) }
        facts.append(Attribute("resource", .map(resource.attributes)))
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
