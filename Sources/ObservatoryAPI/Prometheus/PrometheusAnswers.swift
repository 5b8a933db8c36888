// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import PromQL
internal import Telemetry
internal import TelemetryStore

/// Answers in the JSON of Prometheus' HTTP API.
enum PrometheusAnswers {
    /// `{"status":"success","data":…}`.
    static func success(warnings: [String] = [], _ data: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "status")
        writer.string("success")
        writer.name(plain: "data")
        data(&writer)
        if !warnings.isEmpty {
            writer.name(plain: "warnings")
            writer.beginArray()
            for warning in warnings { writer.string(warning) }
            writer.endArray()
        }
        writer.endObject()
        return writer.bytes
    }

    static func failure(_ error: APIError) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name(plain: "status")
        writer.string("error")
        writer.name(plain: "errorType")
        writer.string(error.type)
        writer.name(plain: "error")
        writer.string(error.message)
        writer.endObject()
        return writer.bytes
    }

    static func exemplars(_ exemplars: [StoredExemplar]) -> [UInt8] {
        let series = Dictionary(grouping: exemplars, by: \.series).sorted { $0.key < $1.key }
        return success { writer in
            writer.array(series) { series, writer in
                writer.object { writer in
                    writer.member("seriesLabels") { labels(series.key, &$0) }
                    writer.member("exemplars", series.value, exemplar)
                }
            }
        }
    }

    private static func exemplar(_ exemplar: StoredExemplar, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("labels") { writer in
                writer.object { writer in
                    writer.member("span_id", TraceContext(traceID: exemplar.trace, spanID: exemplar.span).spanHex)
                    writer.member("trace_id", exemplar.trace.hex)
                }
            }
            writer.member("value", SampleText.of(exemplar.value))
            writer.member("timestamp") { $0.raw(seconds(exemplar.time)) }
        }
    }

    static func success(_ value: QueryValue, at time: Int64) -> [UInt8] {
        success { writer in
            switch value {
            case .scalar(let number):
                result("scalar", &writer) { pair(time, SampleText.of(number), &$0) }
            case .string(let text):
                result("string", &writer) { pair(time, text, &$0) }
            case .vector(let samples):
                result("vector", &writer) { writer in
                    writer.beginArray()
                    for sample in samples {
                        writer.beginObject()
                        metric(sample.labels, &writer)
                        writer.name(plain: "value")
                        pair(time, SampleText.of(sample.value), &writer)
                        writer.endObject()
                    }
                    writer.endArray()
                }
            case .matrix(let series): matrix(series, &writer)
            }
        }
    }

    static func success(_ series: [QuerySeries]) -> [UInt8] { success { matrix(series, &$0) } }

    private static func result(_ type: String, _ writer: inout JSONWriter, _ body: (inout JSONWriter) -> Void) {
        writer.beginObject()
        writer.name(plain: "resultType")
        writer.string(type)
        writer.name(plain: "result")
        body(&writer)
        writer.endObject()
    }

    private static func matrix(_ series: [QuerySeries], _ writer: inout JSONWriter) {
        result("matrix", &writer) { writer in
            writer.beginArray()
            for series in series {
                writer.beginObject()
                metric(series.labels, &writer)
                writer.name(plain: "values")
                writer.beginArray()
                for place in series.samples.times.indices {
                    pair(series.samples.times[place], SampleText.of(series.samples.values[place]), &writer)
                }
                writer.endArray()
                writer.endObject()
            }
            writer.endArray()
        }
    }

    private static func metric(_ labels: LabelSet, _ writer: inout JSONWriter) {
        writer.name(plain: "metric")
        self.labels(labels, &writer)
    }

    static func labels(_ labels: LabelSet, _ writer: inout JSONWriter) {
        writer.beginObject()
        for label in labels.labels {
            writer.name(label.name)
            writer.string(label.value)
        }
        writer.endObject()
    }

    static func pair(_ time: Int64, _ value: String, _ writer: inout JSONWriter) {
        writer.beginArray()
        if time % 1_000 == 0 { writer.integer(time / 1_000) } else { writer.raw(seconds(time)) }
        writer.string(value)
        writer.endArray()
    }

    /// Milliseconds as seconds, with as many digits as it takes.
    static func seconds(_ milliseconds: Int64) -> String {
        let (whole, rest) = (milliseconds.magnitude / 1_000, milliseconds.magnitude % 1_000)
        let sign = milliseconds < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(whole)" }
        var digits = String(rest)
        digits = String(repeating: "0", count: 3 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(sign)\(whole).\(digits)"
    }
}
