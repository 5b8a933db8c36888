// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import PromQL
internal import Telemetry
internal import TelemetryStore

/// Loki's query API, as far as Grafana's pages of logs need it.
///
/// A stream is what one service says at one level; everything else of a record is structured metadata.
struct LokiAPI: Sendable {
    let store: SignalStore
    let now: @Sendable () -> Int64

    typealias IsCancelled = @Sendable () -> Bool

    /// The names that streams are told apart by.
    static let labels = ["level", "service_name"]
    private static let limitMax = 5_000
    /// Steps of a count over time.
    private static let stepsMax = 11_000

    func query(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let time = try nanoseconds("time", parameters) ?? UInt64(now()) * 1_000_000
        switch try LogExpression(parsing: parameters.required("query")) {
        case .logs: throw APIError.badData("log queries are not supported as an instant query type")
        case .number(let number): return LokiAnswers.vector([([:], number)], at: time)
        case .count(let count, let query, let range, let labels):
            let counts = try self.count(count, query, range, labels, time...time, 1, isCancelled)
            return LokiAnswers.vector(
                counts.compactMap { labels, values in values.first.map { (labels, $0.1) } }, at: time)
        }
    }

    func queryRange(
        _ parameters: Parameters, isCategorized: Bool, _ isCancelled: @escaping IsCancelled
    ) throws -> [UInt8] {
        let times = try times(parameters)
        switch try LogExpression(parsing: parameters.required("query")) {
        case .number(let number): return LokiAnswers.matrix([([:], [(times.upperBound, number)])])
        case .logs(var query):
            // The end itself does not belong to it.
            query.times = times.lowerBound...max(times.lowerBound, times.upperBound == 0 ? 0 : times.upperBound - 1)
            query.isNewestFirst = parameters["direction"]?.lowercased() != "forward"
            let asked = try parameters.limit()
            let limit = asked == 0 ? 100 : min(asked, Self.limitMax)
            let logs = try store.logs(query, limit: limit, isCancelled: isCancelled)
            return LokiAnswers.streams(logs, isCategorized: isCategorized)
        case .count(let count, let query, let range, let labels):
            let width = times.upperBound - times.lowerBound
            let step =
                try parameters.duration("step").map { Nanoseconds.of(milliseconds: max(1, $0)) }
                ?? max(1_000_000_000, width / 250)
            guard width / step < Self.stepsMax else {
                throw APIError.badData("more than \(Self.stepsMax) points; ask with a larger step")
            }
            return LokiAnswers.matrix(try self.count(count, query, range, labels, times, step, isCancelled))
        }
    }

    /// Counts in windows of `range` milliseconds that end at each step.
    private func count(
        _ count: LogExpression.Count, _ query: LogQuery, _ range: Int64, _ labels: [String]?,
        _ times: ClosedRange<UInt64>, _ step: UInt64, _ isCancelled: @escaping IsCancelled
    ) throws -> [([String: String], [(UInt64, Double)])] {
        let window = Nanoseconds.of(milliseconds: range)
        var query = query
        // A window has its end and not its begin.
        query.times = (times.lowerBound > window ? times.lowerBound - window + 1 : 0)...times.upperBound
        var windows = LogWindows(times, step: step, window: window)
        let isBytes = count == .bytesOverTime || count == .bytesRate
        try store.eachLog(query, isCancelled: isCancelled) { batch, row in
            let stream = Self.stream(batch, row)
            let key = labels.map { names in
                Dictionary(uniqueKeysWithValues: Set(names).map { ($0, stream[$0] ?? batch.value(of: $0, row)) })
                    .filter { !$0.value.isEmpty }
            }
            try windows.add(batch.time(of: row), isBytes ? Double(batch.bodyCount(of: row)) : 1, to: key ?? stream)
        }
        let seconds = count == .rate || count == .bytesRate ? Double(range) / 1_000 : 1
        return windows.series.map { labels, points in (labels, points.map { ($0, $1 / seconds) }) }
            .sorted { LokiAnswers.text($0.0) < LokiAnswers.text($1.0) }
    }

    static func stream(_ batch: LogBatch, _ row: Int) -> [String: String] {
        ["service_name": batch.value(of: "service_name", row), "level": LogLevel.name(of: batch.severities[row])]
    }

    // MARK: Discovery

    func labelValues(_ name: String) throws -> [UInt8] {
        switch name {
        case "service_name": LokiAnswers.names(try store.logServices())
        case "level": LokiAnswers.names(["debug", "error", "fatal", "info", "trace", "unknown", "warn"])
        default: LokiAnswers.names([])
        }
    }

    /// Streams of the selectors' times and services.
    func series(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        var streams: Set<[String: String]> = []
        for selector in parameters.all("match") {
            guard case .logs(var query) = try LogExpression(parsing: selector) else {
                throw APIError.badData("match must be a selector")
            }
            query.times = try times(parameters)
            try store.eachLog(query, isCancelled: isCancelled) { streams.insert(Self.stream($0, $1)) }
        }
        return LokiAnswers.streamList(streams)
    }

    func stats(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        guard case .logs(var query) = try LogExpression(parsing: parameters.required("query")) else {
            throw APIError.badData("query must be a selector")
        }
        query.times = try times(parameters)
        var (entries, bytes, streams) = (0, 0, Set<[String: String]>())
        try store.eachLog(query, isCancelled: isCancelled) { batch, row in
            entries += 1
            bytes += batch.bodyCount(of: row)
            streams.insert(Self.stream(batch, row))
        }
        return LokiAnswers.stats(streams: streams.count, bytes: bytes, entries: entries)
    }

    /// Attributes of the latest records that match, and how many values each has.
    func detectedFields(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        LokiAnswers.fields(try values(parameters, isCancelled))
    }

    func detectedValues(of field: String, _ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws
        -> [UInt8]
    {
        LokiAnswers.values(try values(parameters, isCancelled)[field]?.sorted() ?? [])
    }

    private func values(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [String: Set<String>]
    {
        guard case .logs(var query) = try LogExpression(parsing: parameters.required("query")) else {
            throw APIError.badData("query must be a selector")
        }
        query.times = try times(parameters)
        var values: [String: Set<String>] = [:]
        for log in try store.logs(query, limit: 1_000, isCancelled: isCancelled) {
            for (name, value) in LokiAnswers.metadata(of: log) { values[name, default: []].insert(value) }
        }
        return values
    }

    // MARK: Times

    private func times(_ parameters: Parameters) throws -> ClosedRange<UInt64> {
        let end = try nanoseconds("end", parameters) ?? UInt64(now()) * 1_000_000
        let since = try parameters.duration("since").map { Nanoseconds.of(milliseconds: $0) } ?? 3_600_000_000_000
        let start = try nanoseconds("start", parameters) ?? (end > since ? end - since : 0)
        guard start <= end else { throw APIError.badData("end must not be before start") }
        return start...end
    }

    /// Loki takes nanoseconds, seconds with a fraction, and RFC 3339.
    func nanoseconds(_ name: String, _ parameters: Parameters) throws -> UInt64? {
        guard let text = parameters[name] else { return nil }
        if !text.contains("."), text.count > 10, let number = UInt64(text) { return min(number, UInt64(Int64.max)) }
        return try parameters.time(name).map { Nanoseconds.of(milliseconds: $0) }
    }
}
