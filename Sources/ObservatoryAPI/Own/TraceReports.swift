// SPDX-License-Identifier: Apache-2.0

internal import Hummingbird
internal import Kernel
internal import PromQL
internal import Telemetry
internal import TelemetryStore

/// What no other API tells of traces: lists without their spans, and spans counted by any attribute. Asked as a search of Jaeger's
/// version 1 is, and answered in Prometheus' envelope.
struct TraceReports: Sendable {
    let api: JaegerAPI

    typealias IsCancelled = @Sendable () -> Bool

    /// Values of an attribute that one answer has.
    private static let groupsMax = 200

    func summaries(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let (query, limit) = try api.query(parameters)
        let traces = try api.traces(query, limit, isPartial: true, isCancelled)
        return PrometheusAnswers.success { writer in
            writer.array(traces) { trace, writer in
                let spans = Set(trace.spans.map(\.record.context.spanID))
                // The first that nobody here has called; they are in the order of time.
                let root = trace.spans.first { !spans.contains($0.record.parentID) } ?? trace.spans[0]
                let start = trace.spans.map(\.record.start).min() ?? 0
                let end = trace.spans.map(\.record.end).max() ?? start
                writer.object { writer in
                    writer.member("traceID", trace.id.hex)
                    writer.member("service", root.service)
                    writer.member("name", root.record.name)
                    writer.member("startTime", Int(start / 1_000))
                    writer.member("duration", Int((max(start, end) - start) / 1_000))
                    writer.member("spans", trace.spans.count)
                    writer.member("errors", trace.spans.count { $0.isError })
                    writer.member("services", Set(trace.spans.map(\.service)).sorted()) { $1.string($0) }
                }
            }
        }
    }

    func groups(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let (query, _) = try api.query(parameters)
        let attribute = try parameters.required("by")
        let measured = parameters["of"]
        let found = try api.store.spanGroups(query, by: attribute, of: measured, isCancelled: isCancelled)
        return PrometheusAnswers.success { writer in
            writer.object { writer in
                writer.member("by", attribute)
                if let measured { writer.member("of", measured) }
                writer.member("spans", found.spans)
                writer.member("isComplete") { $0.bool(found.isComplete) }
                writer.member("groups", found.groups.prefix(Self.groupsMax)) { group, writer in
                    writer.object { writer in
                        if let value = group.value { writer.member("value", value) }
                        writer.member("count", group.count)
                        writer.member("errors", group.errors)
                        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] as [(StaticString, Double)] {
                            writer.member(name) { $0.raw("\(group.durations.quantile(share) / 1_000)") }
                        }
                        writer.member("max") { $0.raw("\(Double(group.durations.longest) / 1_000)") }
                        if measured != nil { writer.member("values") { Self.write(group.numbers, &$0) } }
                    }
                }
            }
        }
    }

    /// Nothing but their count where there are none.
    private static func write(_ numbers: ValueSketch, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("count", numbers.count)
            guard numbers.count > 0 else { return }
            let facts: [(StaticString, Double)] = [
                ("sum", numbers.sum), ("min", numbers.least), ("p50", numbers.quantile(0.5)),
                ("p90", numbers.quantile(0.9)), ("p99", numbers.quantile(0.99)), ("max", numbers.largest),
            ]
            for (name, value) in facts { writer.member(name) { $0.raw(value.isFinite ? "\(value)" : "null") } }
        }
    }
}

extension ObservatoryServer {
    func mountReportsOfTraces(on router: Router<BasicRequestContext>) {
        let reports = TraceReports(api: JaegerAPI(store: store, now: now))
        mount("/api/v1/trace_summaries", on: router, .prometheus) {
            try reports.summaries($0.parameters, $0.isCancelled)
        }
        mount("/api/v1/span_groups", on: router, .prometheus) { try reports.groups($0.parameters, $0.isCancelled) }
        mount("/api/v1/status/storage", on: router, .prometheus) { _ in PrometheusReports.storage(store.statistics) }
    }
}
