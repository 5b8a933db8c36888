// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// What Loki's API answers.
enum LokiAnswers {
    static func failure(_ error: APIError) -> [UInt8] { Array((error.message + "\n").utf8) }

    private static func success(_ type: StaticString, _ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "status")
        writer.string("success")
        writer.name(plain: "data")
        writer.beginObject()
        writer.name(plain: "resultType")
        writer.string("\(type)")
        writer.name(plain: "result")
        writer.beginArray()
        write(&writer)
        writer.endArray()
        writer.name(plain: "stats")
        writer.beginObject()
        writer.endObject()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    static func vector(_ samples: [([String: String], Double)], at time: UInt64) -> [UInt8] {
        success("vector") { writer in
            for (labels, value) in samples {
                writer.beginObject()
                writer.name(plain: "metric")
                self.labels(labels, &writer)
                writer.name(plain: "value")
                pair(time, value, &writer)
                writer.endObject()
            }
        }
    }

    static func matrix(_ series: [([String: String], [(UInt64, Double)])]) -> [UInt8] {
        success("matrix") { writer in
            for (labels, points) in series {
                writer.beginObject()
                writer.name(plain: "metric")
                self.labels(labels, &writer)
                writer.name(plain: "values")
                writer.beginArray()
                for (time, value) in points { pair(time, value, &writer) }
                writer.endArray()
                writer.endObject()
            }
        }
    }

    private static func pair(_ time: UInt64, _ value: Double, _ writer: inout JSONWriter) {
        writer.beginArray()
        writer.raw(SampleText.of(Double(time / 1_000_000) / 1_000))
        writer.string(SampleText.of(value))
        writer.endArray()
    }

    private static func labels(_ labels: [String: String], _ writer: inout JSONWriter) {
        writer.beginObject()
        for (name, value) in labels.sorted(by: { $0.key < $1.key }) {
            writer.name(name)
            writer.string(value)
        }
        writer.endObject()
    }

    // MARK: Streams

    /// What is no label of the stream.
    static func metadata(of log: StoredLog) -> [String: String] {
        var metadata: [String: String] = [:]
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
        var (order, streams) = ([[String: String]](), [[String: String]: [StoredLog]]())
        for log in logs {
            var labels = [
                "service_name": log.resource["service.name"]?.text ?? "", "level": LogLevel.name(of: log.severity),
            ]
            if !isCategorized { labels.merge(metadata(of: log)) { label, _ in label } }
            if streams[labels] == nil { order.append(labels) }
            streams[labels, default: []].append(log)
        }
        return success("streams") { writer in
            for labels in order {
                writer.beginObject()
                writer.name(plain: "stream")
                self.labels(labels, &writer)
                writer.name(plain: "values")
                writer.beginArray()
                for log in streams[labels] ?? [] {
                    writer.beginArray()
                    writer.string(String(log.record.time))
                    writer.string(log.record.body)
                    if isCategorized {
                        writer.beginObject()
                        writer.name(plain: "structuredMetadata")
                        self.labels(metadata(of: log), &writer)
                        writer.endObject()
                    }
                    writer.endArray()
                }
                writer.endArray()
                writer.endObject()
            }
        }
    }

    // MARK: Discovery

    static func names(_ names: [String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "status")
        writer.string("success")
        writer.name(plain: "data")
        writer.beginArray()
        for name in names { writer.string(name) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    static func text(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    static func streamList(_ streams: Set<[String: String]>) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "status")
        writer.string("success")
        writer.name(plain: "data")
        writer.beginArray()
        for labels in streams.sorted(by: { text($0) < text($1) }) { self.labels(labels, &writer) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    static func stats(streams: Int, bytes: Int, entries: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, count) in [("streams", streams), ("chunks", streams), ("bytes", bytes), ("entries", entries)] {
            writer.name(name)
            writer.integer(Int64(count))
        }
        writer.endObject()
        return writer.bytes
    }

    static func fields(_ values: [String: Set<String>]) -> [UInt8] {
        JaegerAnswers.object("fields", values.sorted { $0.key < $1.key }) { field, writer in
            writer.beginObject()
            writer.name(plain: "label")
            writer.string(field.key)
            writer.name(plain: "type")
            let isInt = field.value.allSatisfy { Int64($0) != nil }
            let isNumber = field.value.allSatisfy { Double($0) != nil }
            writer.string(isInt ? "int" : isNumber ? "float" : "string")
            writer.name(plain: "cardinality")
            writer.integer(Int64(field.value.count))
            writer.name(plain: "parsers")
            writer.null()
            writer.endObject()
        }
    }

    static func values(_ values: [String]) -> [UInt8] {
        JaegerAnswers.object("values", values) { $1.string($0) }
    }
}
