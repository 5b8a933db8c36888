// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A line of a chart: one series of a PromQL answer.
struct Series: Sendable {
    let labels: [String: String]
    /// Seconds since 1970, and values.
    let points: [(time: Double, value: Double)]

    var last: Double? { points.last?.value }

    /// All labels but the name, as they are written in PromQL.
    var title: String {
        let rest = labels.filter { $0.key != "__name__" }.sorted { $0.key < $1.key }
        let inside = rest.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ", ")
        return (labels["__name__"] ?? "") + (inside.isEmpty ? "" : "{\(inside)}")
    }
}

/// A measurement whose trace can be opened.
struct Exemplar: Sendable {
    let time: Double
    let value: Double
    let trace: String
}

extension ObservatoryClient {
    /// A PromQL expression over a window.
    ///
    /// - Throws: ``ClientError``.
    func range(_ query: String, _ window: TimeWindow) async throws -> [Series] {
        let answer = try await get(
            "/api/v1/query_range",
            [
                ("query", query), ("start", "\(window.start)"), ("end", "\(window.end)"), ("step", "\(window.step)"),
                ("timeout", "20s"),
            ])
        return (answer["data"]?["result"]?.array ?? []).map { item in
            Series(labels: Self.labels(item["metric"]), points: (item["values"]?.array ?? []).compactMap(Self.point))
        }
    }

    /// A PromQL expression at the end of a window.
    ///
    /// - Throws: ``ClientError``.
    func instant(_ query: String, _ window: TimeWindow) async throws -> [Series] {
        let answer = try await get(
            "/api/v1/query", [("query", query), ("time", "\(window.moment)"), ("timeout", "20s")])
        switch answer["data"]?["resultType"]?.string {
        case "scalar", "string":
            return [Series(labels: [:], points: answer["data"]?["result"].flatMap(Self.point).map { [$0] } ?? [])]
        default:
            return (answer["data"]?["result"]?.array ?? []).map { item in
                let points = item["value"].flatMap(Self.point).map { [$0] } ?? []
                let many = (item["values"]?.array ?? []).compactMap(Self.point)
                return Series(labels: Self.labels(item["metric"]), points: points + many)
            }
        }
    }

    func number(_ query: String, _ window: TimeWindow) async throws -> Double? {
        try await instant(query, window).first?.last
    }

    /// - Throws: ``ClientError``.
    func exemplars(_ query: String, _ window: TimeWindow) async throws -> [Exemplar] {
        let answer = try await get(
            "/api/v1/query_exemplars", [("query", query), ("start", "\(window.start)"), ("end", "\(window.moment)")])
        return (answer["data"]?.array ?? []).flatMap { $0["exemplars"]?.array ?? [] }.compactMap { item in
            guard let trace = item["labels"]?["trace_id"]?.string, let value = item["value"]?.number,
                let time = item["timestamp"]?.number
            else { return nil }
            return Exemplar(time: time, value: value, trace: trace)
        }
    }

    private static func labels(_ json: JSON?) -> [String: String] {
        Dictionary(
            (json?.members ?? []).map { ($0.name, $0.value.string ?? "") }, uniquingKeysWith: { first, _ in first })
    }

    private static func point(_ json: JSON) -> (time: Double, value: Double)? {
        guard let pair = json.array, pair.count == 2, let time = pair[0].number, let value = pair[1].number else {
            return nil
        }
        return (time, value)
    }
}

extension JSON {
    /// A number, or a text that is one: `+Inf` and `NaN` too.
    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .decimal(let text), .string(let text): Double(text)
        default: nil
        }
    }

    /// A value as people read it.
    var plain: String {
        switch self {
        case .string(let text), .decimal(let text): text
        case .integer(let value): String(value)
        case .bool(let value): String(value)
        default: text
        }
    }
}
