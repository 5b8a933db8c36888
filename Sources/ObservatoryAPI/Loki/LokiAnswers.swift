// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// What Loki's API answers.
enum LokiAnswers {
    typealias Labels = [String: String]

    static func failure(_ error: APIError) -> [UInt8] { Array((error.message + "\n").utf8) }

    private static func success<Item>(
        _ type: String, _ items: [Item], _ write: (Item, inout JSONWriter) -> Void
    ) -> [UInt8] {
        PrometheusAnswers.success { writer in
            writer.object { writer in
                writer.member("resultType", type)
                writer.member("result", items) { item, writer in writer.object { write(item, &$0) } }
                writer.member("stats") { $0.object { _ in } }
            }
        }
    }

    static func vector(_ samples: [(Labels, Double)], at time: UInt64) -> [UInt8] {
        success("vector", samples) { sample, writer in
            writer.member("metric") { labels(sample.0, &$0) }
            writer.member("value") { pair((time, sample.1), &$0) }
        }
    }

    static func matrix(_ series: [(Labels, [(UInt64, Double)])]) -> [UInt8] {
        success("matrix", series) { series, writer in
            writer.member("metric") { labels(series.0, &$0) }
            writer.member("values", series.1, pair)
        }
    }

    private static func pair(_ point: (UInt64, Double), _ writer: inout JSONWriter) {
        PrometheusAnswers.pair(Int64(point.0 / 1_000_000), SampleText.of(point.1), &writer)
    }

    static func labels(_ labels: Labels, _ writer: inout JSONWriter) {
        writer.object { writer in
            for (name, value) in labels.sorted(by: { $0.key < $1.key }) {
                writer.name(name)
                writer.string(value)
            }
        }
    }

    // MARK: Streams

    /// What is no label of the stream.
    static func metadata(of log: StoredLog) -> Labels {
        var metadata: Labels = [:]
        for attribute in log.resource.attributes + log.record.attributes where attribute.name != "service.name" {
            metadata[attribute.name.replacing(".", with: "_")] = attribute.value.text
        }
        if !log.record.scope.isEmpty { metadata["scope_name"] = log.record.scope }
        metadata["detected_level"] = LogLevel.name(of: log.severity)
        metadata["severity_number"] = String(log.severity)
        if let trace = log.record.trace {
            metadata["trace_id"] = trace.traceID.hex
            if trace.spanID != 0 { metadata["span_id"] = trace.spanHex }
        }
        return metadata
    }

    /// Where a client does not tell labels and metadata apart, each record's metadata are labels of its stream.
    static func streams(_ logs: [StoredLog], isCategorized: Bool) -> [UInt8] {
        let (order, streams) = sorted(logs, isCategorized: isCategorized)
        return success("streams", order) { write($0, streams[$0] ?? [], isCategorized: isCategorized, &$1) }
    }

    /// A message of `tail`: what has come, and how much was left out.
    static func tail(_ logs: [StoredLog], left: Int, isCategorized: Bool, at time: UInt64) -> [UInt8] {
        let (order, streams) = sorted(logs, isCategorized: isCategorized)
        return JSONWriter.object { writer in
            writer.member("streams", order) { stream, writer in
                writer.object { write(stream, streams[stream] ?? [], isCategorized: isCategorized, &$0) }
            }
            guard left > 0 else { return }
            writer.member("dropped_entries", repeatElement(time, count: min(left, Self.droppedMax))) { time, writer in
                writer.object { writer in
                    writer.member("labels") { labels([:], &$0) }
                    writer.member("timestamp", String(time))
                }
            }
        }
    }

    /// That a message tells of.
    private static let droppedMax = 100

    private static func sorted(_ logs: [StoredLog], isCategorized: Bool) -> ([Labels], [Labels: [StoredLog]]) {
        var (order, streams) = ([Labels](), [Labels: [StoredLog]]())
        for log in logs {
            var labels = [
                "service_name": log.resource["service.name"]?.text ?? "", "level": LogLevel.name(of: log.severity),
            ]
            if !isCategorized { labels.merge(metadata(of: log)) { label, _ in label } }
            if streams[labels] == nil { order.append(labels) }
            streams[labels, default: []].append(log)
        }
        return (order, streams)
    }

    private static func write(
        _ stream: Labels, _ logs: [StoredLog], isCategorized: Bool, _ writer: inout JSONWriter
    ) {
        writer.member("stream") { labels(stream, &$0) }
        writer.member("values", logs) { log, writer in
            writer.beginArray()
            writer.string(String(log.record.time))
            writer.string(log.record.body)
            if isCategorized {
                writer.object { $0.member("structuredMetadata") { labels(metadata(of: log), &$0) } }
            }
            writer.endArray()
        }
    }

    // MARK: Discovery

    static func names(_ names: [String]) -> [UInt8] {
        PrometheusAnswers.success { $0.array(names) { $1.string($0) } }
    }

    static func streamList(_ streams: Set<Labels>) -> [UInt8] {
        PrometheusAnswers.success { $0.array(streams.sorted { text($0) < text($1) }, labels) }
    }

    /// By which streams are ordered.
    static func text(_ labels: Labels) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    static func stats(streams: Int, bytes: Int, entries: Int) -> [UInt8] {
        JSONWriter.object { writer in
            writer.member("streams", streams)
            writer.member("chunks", streams)
            writer.member("bytes", bytes)
            writer.member("entries", entries)
        }
    }

    static func fields(_ values: [String: Set<String>]) -> [UInt8] {
        JSONWriter.object { writer in
            writer.member("fields", values.sorted { $0.key < $1.key }) { field, writer in
                let isInt = field.value.allSatisfy { Int64($0) != nil }
                let isNumber = field.value.allSatisfy { Double($0) != nil }
                writer.object { writer in
                    writer.member("label", field.key)
                    writer.member("type", isInt ? "int" : isNumber ? "float" : "string")
                    writer.member("cardinality", field.value.count)
                    writer.member("parsers") { $0.null() }
                }
            }
        }
    }

    static func values(_ values: [String]) -> [UInt8] {
        JSONWriter.object { $0.member("values", values) { $1.string($0) } }
    }
}
