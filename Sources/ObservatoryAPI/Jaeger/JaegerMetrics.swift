// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import PromQL
internal import Telemetry

/// Rates, errors and durations of spans, as Jaeger's page "Monitor" asks for them (Service Performance Monitoring).
struct JaegerMetrics: Sendable {
    let prometheus: PrometheusAPI

    typealias IsCancelled = @Sendable () -> Bool

    /// What is asked of some services, over some time.
    private struct Wish {
        let selector: String
        let groups: String
        let isByOperation: Bool
        /// Milliseconds, since 1970 where they are times.
        let (start, end, step, ratePer): (Int64, Int64, Int64, Int64)

        var rate: String { "[\(ratePer)ms]" }
        var described: String { isByOperation ? "grouped by service & operation" : "grouped by service" }
        var prefix: String { isByOperation ? "service_operation" : "service" }

        /// - Throws: `APIError` with what is missing or makes no sense.
        init(_ parameters: Parameters, now: Int64) throws(APIError) {
            let services = parameters.all("service").filter { !$0.isEmpty }
            guard !services.isEmpty else { throw .badData("parameter 'service' is required") }
            var kinds: [String] = []
            for kind in parameters.all("spanKind") {
                guard kind == "unspecified" || JaegerAnswers.kindNumber(kind) != nil else {
                    throw .badData("parameter 'spanKind' does not take '\(kind)'")
                }
                kinds.append("SPAN_KIND_" + kind.uppercased())
            }
            if kinds.isEmpty { kinds = ["SPAN_KIND_SERVER"] }
            selector = "service=~\(Self.anyOf(services)),span_kind=~\(Self.anyOf(kinds))"
            isByOperation = try Self.bool("groupByOperation", parameters)
            groups = isByOperation ? "service, span_name" : "service"
            end = try Self.milliseconds("endTs", parameters) ?? now
            start = end - (try Self.milliseconds("lookback", parameters) ?? 3_600_000)
            step = max(1, try Self.milliseconds("step", parameters) ?? 5_000)
            ratePer = max(1, try Self.milliseconds("ratePer", parameters) ?? 600_000)
            guard (end - start) / step <= PrometheusAPI.pointsMax else {
                throw .badData("parameter 'step' is so short that there would be more than 11,000 points")
            }
        }

        private static func milliseconds(_ name: String, _ parameters: Parameters) throws(APIError) -> Int64? {
            guard let text = parameters[name] else { return nil }
            // Within what times can be.
            guard let value = Int64(text), (0..<1 << 52).contains(value) else {
                throw .badData("parameter '\(name)' must be a number of milliseconds, not '\(text)'")
            }
            return value
        }

        private static func bool(_ name: String, _ parameters: Parameters) throws(APIError) -> Bool {
            switch parameters[name] {
            case nil, "0", "f", "F", "false", "FALSE", "False": false
            case "1", "t", "T", "true", "TRUE", "True": true
            case let text?: throw .badData("parameter '\(name)' must be true or false, not '\(text)'")
            }
        }

        /// A regular expression, as a text of PromQL, that each of `texts` matches and nothing else.
        private static func anyOf(_ texts: [String]) -> String {
            let patterns = texts.map { text in
                String.UnicodeScalarView(
                    text.unicodeScalars.flatMap { scalar -> [Unicode.Scalar] in
                        #"\.*+?()[]{}|^$"#.unicodeScalars.contains(scalar) ? ["\\", scalar] : [scalar]
                    })
            }
            let pattern = patterns.map(String.init).joined(separator: "|")
            return JSON.string(pattern).text
        }
    }

    /// In milliseconds.
    func latencies(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let wish = try Wish(parameters, now: prometheus.now())
        guard let text = parameters["quantile"] else { throw APIError.badData("parameter 'quantile' is required") }
        guard let quantile = Double(text), quantile > 0, quantile <= 1 else {
            throw APIError.badData("parameter 'quantile' must be above 0 and at most 1, not '\(text)'")
        }
        let buckets = "traces_spanmetrics_latency_bucket{\(wish.selector)}\(wish.rate)"
        return try family(
            wish, "latencies", "\(quantile)th quantile latency, \(wish.described)",
            "1000 * histogram_quantile(\(quantile), sum by (\(wish.groups), le) (rate(\(buckets))))", isCancelled)
    }

    func calls(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let wish = try Wish(parameters, now: prometheus.now())
        return try family(wish, "call_rate", "calls/sec, \(wish.described)", Self.rate(wish), isCancelled)
    }

    func errors(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let wish = try Wish(parameters, now: prometheus.now())
        let (all, failed) = (Self.rate(wish), Self.rate(wish, #",status_code="STATUS_CODE_ERROR""#))
        return try family(
            wish, "error_rate", "error rate, computed as a fraction of errors/sec over calls/sec, \(wish.described)",
            // Without a failure the share is zero, not unknown.
            "(\(failed) or \(all) * 0) / \(all)", isCancelled)
    }

    /// The shortest step that makes sense, in milliseconds.
    func minStep() -> [UInt8] { JaegerAnswers.value { $0.integer(1) } }

    private static func rate(_ wish: Wish, _ more: String = "") -> String {
        "sum by (\(wish.groups)) (rate(traces_spanmetrics_calls_total{\(wish.selector)\(more)}\(wish.rate)))"
    }

    private func family(
        _ wish: Wish, _ name: String, _ help: String, _ query: String, _ isCancelled: @escaping IsCancelled
    ) throws -> [UInt8] {
        let series = try prometheus.series(
            of: query, from: wish.start, through: wish.end, step: wish.step, isCancelled)
        return JSONWriter.object { writer in
            writer.member("name", "\(wish.prefix)_\(name)")
            writer.member("type", "GAUGE")
            writer.member("help", help)
            writer.member("metrics", series) { Self.write($0, to: &$1) }
        }
    }

    private static func write(_ series: QuerySeries, to writer: inout JSONWriter) {
        let labels = [("operation", "span_name"), ("service_name", "service")].filter { !series.labels[$0.1].isEmpty }
        writer.object { writer in
            writer.member("labels", labels) { label, writer in
                writer.object { writer in
                    writer.member("name", label.0)
                    writer.member("value", series.labels[label.1])
                }
            }
            // A rate of no calls has no share and no quantile.
            let points = series.samples.times.indices.filter { series.samples.values[$0].isFinite }
            writer.member("metricPoints", points) { point, writer in
                writer.object { writer in
                    writer.member("gaugeValue") { writer in
                        writer.object { writer in
                            writer.member("doubleValue") { $0.raw("\(series.samples.values[point])") }
                        }
                    }
                    writer.member(
                        "timestamp", Timestamp(milliseconds: series.samples.times[point]).rfc3339)
                }
            }
        }
    }
}
