// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A log record.
struct LogLine: Sendable {
    /// Nanoseconds since 1970.
    let time: Int64
    let text: String
    let service: String
    let level: String
    let fields: [(name: String, value: String)]

    /// The trace in which it was written.
    var trace: String? { fields.first { $0.name == "trace_id" }?.value }
    var span: String? { fields.first { $0.name == "span_id" }?.value }
}

extension ObservatoryClient {
    /// The latest records that a LogQL selector finds, the latest first.
    ///
    /// - Throws: ``ClientError``.
    func logs(_ selector: String, _ window: TimeWindow, limit: Int) async throws -> [LogLine] {
        let answer = try await get(
            "/loki/api/v1/query_range",
            [
                ("query", selector), ("start", window.nanoseconds(window.start)),
                ("end", window.nanoseconds(window.moment)), ("limit", "\(limit)"),
            ])
        let streams = answer["data"]?["result"]?.array ?? []
        return streams.flatMap { stream in
            let labels = (stream["stream"]?.members ?? []).map { ($0.name, $0.value.plain) }
            func label(_ name: String) -> String { labels.first { $0.0 == name }?.1 ?? "" }
            let hidden: Set = ["service_name", "level", "detected_level", "severity_number"]
            let fields = labels.filter { !hidden.contains($0.0) }.map { (name: $0.0, value: $0.1) }
            return (stream["values"]?.array ?? []).compactMap { value -> LogLine? in
                guard let pair = value.array, pair.count >= 2 else { return nil }
                return LogLine(
                    time: pair[0].string.flatMap { Int64($0) } ?? 0, text: pair[1].string ?? "",
                    service: label("service_name"), level: label("level"), fields: fields)
            }
        }.sorted { $0.time > $1.time }
    }

    /// How many records there are at each step, by level.
    ///
    /// - Throws: ``ClientError``.
    func logCounts(_ selector: String, _ window: TimeWindow) async throws -> [Series] {
        let step = Int(window.step)
        let answer = try await get(
            "/loki/api/v1/query_range",
            [
                ("query", "sum by (level) (count_over_time(\(selector)[\(step)s]))"),
                ("start", window.nanoseconds(window.start)), ("end", window.nanoseconds(window.end)),
                ("step", "\(step)"),
            ])
        return (answer["data"]?["result"]?.array ?? []).map { item in
            Series(
                labels: ["level": item["metric"]?["level"]?.string ?? "unknown"],
                points: (item["values"]?.array ?? []).compactMap { point in
                    guard let pair = point.array, let time = pair.first?.number, let value = pair.last?.number else {
                        return nil
                    }
                    return (time, value)
                })
        }
    }
}
