// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Patterns
internal import PromQL
internal import Telemetry
internal import TelemetryStore

/// Prometheus' HTTP API over the store, as Grafana and promtool call it.
///
/// Each method answers one call on the thread of a query.
struct PrometheusAPI: Sendable {
    let store: SignalStore
    let metadata: MetadataTable
    let settings: QueryEngine.Settings
    let version: String
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    /// Points of a series that a range query may ask for.
    static let pointsMax: Int64 = 11_000
    /// Where a client names no time: all that there may be.
    private static let allTimes = Int64.min / 4...Int64.max / 4

    typealias IsCancelled = @Sendable () -> Bool

    private var engine: QueryEngine { QueryEngine(settings) }

    // MARK: Queries

    func query(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let time = try parameters.time("time") ?? now()
        return try answering {
            let query = try engine.parse(parameters.required("query"))
            return PrometheusAnswers.success(
                try engine.instant(query, at: time, on: store, isCancelled: isCancelled), at: time)
        }
    }

    func queryRange(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        guard let start = try parameters.time("start"), let end = try parameters.time("end") else {
            throw APIError.badData("invalid parameter \"start\" or \"end\": it is missing")
        }
        guard end >= start else {
            throw APIError.badData("invalid parameter \"end\": end timestamp must not be before start time")
        }
        guard let step = try parameters.duration("step"), step > 0 else {
            throw APIError.badData(
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. "
                    + "Try a positive integer")
        }
        guard (end - start) / step <= Self.pointsMax else {
            throw APIError.badData(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
            )
        }
        return try answering {
            PrometheusAnswers.success(
                try engine.range(
                    parameters.required("query"), from: start, through: end, step: step, on: store,
                    isCancelled: isCancelled))
        }
    }

    /// What a query of ours yields at each step. Milliseconds; the bounds since 1970.
    func series(
        of query: String, from start: Int64, through end: Int64, step: Int64, _ isCancelled: @escaping IsCancelled
    ) throws -> [QuerySeries] {
        try answering {
            try engine.range(query, from: start, through: end, step: step, on: store, isCancelled: isCancelled)
        }
    }

    /// Exemplars that one answer has at most.
    private static let exemplarsMax = 200

    /// A probe with odd times is answered like any other.
    func queryExemplars(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        try answering {
            let query = try engine.parse(parameters.required("query"))
            let (start, end) = (try parameters.time("start") ?? 0, try parameters.time("end") ?? .max)
            guard start <= end else { return PrometheusAnswers.exemplars([]) }
            let found = try store.exemplars.exemplars(query.selectors.map(\.matchers), start...end)
            // The latest ones, of those whose traces can be opened.
            var shown: [StoredExemplar] = []
            for exemplar in found.sorted(by: { $0.time > $1.time }) where shown.count < Self.exemplarsMax {
                if isCancelled() { throw CancellationError() }
                if try store.hasTrace(exemplar.trace) { shown.append(exemplar) }
            }
            return PrometheusAnswers.exemplars(shown.sorted { ($0.series, $0.time) < ($1.series, $1.time) })
        }
    }

    func formatQuery(_ parameters: Parameters) throws -> [UInt8] {
        try answering {
            let text = try engine.parse(parameters.required("query")).text
            return PrometheusAnswers.success { $0.string(text) }
        }
    }

    func parseQuery(_ parameters: Parameters) throws -> [UInt8] {
        try answering {
            let query = try engine.parse(parameters.required("query"))
            return PrometheusAnswers.success { QueryTree.write(query, &$0) }
        }
    }

    // MARK: Series and labels

    private func times(_ parameters: Parameters) throws(APIError) -> ClosedRange<Int64> {
        let start = try parameters.time("start") ?? Self.allTimes.lowerBound
        let end = try parameters.time("end") ?? Self.allTimes.upperBound
        guard start <= end else {
            throw .badData("invalid parameter \"end\": end timestamp must not be before start time")
        }
        return start...end
    }

    /// Calls `body` with each series that one of `match[]` chooses, or with all where there is none.
    private func forEachSeries(
        _ parameters: Parameters, _ isCancelled: IsCancelled, _ body: (LabelSet) -> Void
    ) throws {
        let times = try times(parameters)
        let selectors = try parameters.all("match").map { try engine.parseSelector($0) }
        for matchers in selectors.isEmpty ? [[]] : selectors {
            try store.series(SeriesSelection(matchers, times)) { labels in
                if isCancelled() { throw EvaluationError.cancelled }
                body(labels)
            }
        }
    }

    func series(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        guard !parameters.all("match").isEmpty else { throw APIError.badData("no match[] parameter provided") }
        return try answering {
            var found: Set<LabelSet> = []
            try forEachSeries(parameters, isCancelled) { found.insert($0) }
            return try Self.list(found.sorted(), parameters, PrometheusAnswers.labels)
        }
    }

    func labels(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        try answering {
            var names: Set<String> = []
            try forEachSeries(parameters, isCancelled) { for label in $0.labels { names.insert(label.name) } }
            return try Self.list(names.sorted(), parameters) { $1.string($0) }
        }
    }

    func labelValues(
        _ name: String, _ parameters: Parameters, _ isCancelled: @escaping IsCancelled
    ) throws -> [UInt8] {
        let name = LabelEscape.plain(name)
        return try answering {
            var values: Set<String> = []
            try forEachSeries(parameters, isCancelled) { labels in
                let value = labels[name]
                if !value.isEmpty { values.insert(value) }
            }
            return try Self.list(values.sorted(), parameters) { $1.string($0) }
        }
    }

    private static func list<Item>(
        _ items: [Item], _ parameters: Parameters, _ write: (Item, inout JSONWriter) -> Void
    ) throws -> [UInt8] {
        let limit = try parameters.limit()
        let isCut = limit > 0 && items.count > limit
        return PrometheusAnswers.success(warnings: isCut ? ["results truncated due to limit"] : []) { writer in
            writer.beginArray()
            for item in isCut ? Array(items.prefix(limit)) : items { write(item, &writer) }
            writer.endArray()
        }
    }

    func metadata(_ parameters: Parameters) throws -> [UInt8] {
        let limit = try parameters.limit()
        var known = metadata.all.sorted { $0.key < $1.key }
        if let metric = parameters["metric"] { known = known.filter { $0.key == metric } }
        if limit > 0 { known = Array(known.prefix(limit)) }
        return PrometheusAnswers.success { writer in
            writer.beginObject()
            for (name, metadata) in known {
                writer.name(name)
                writer.beginArray()
                writer.beginObject()
                for (name, value) in [("type", metadata.type), ("help", metadata.help), ("unit", metadata.unit)] {
                    writer.name(name)
                    writer.string(value)
                }
                writer.endObject()
                writer.endArray()
            }
            writer.endObject()
        }
    }

    // MARK: Federation

    /// The latest sample of each series that is chosen, as text that a Prometheus scrapes.
    func federate(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let selectors = parameters.all("match")
        guard !selectors.isEmpty else { throw APIError.badData("no match[] parameter provided") }
        return try answering {
            let now = now()
            var found: [LabelSet: (time: Int64, value: Double)] = [:]
            for selector in selectors {
                let selection = SeriesSelection(
                    try engine.parseSelector(selector), now - settings.lookBack + 1...now)
                try store.select(selection) { labels, samples in
                    if isCancelled() { throw EvaluationError.cancelled }
                    guard let time = samples.times.last, let value = samples.values.last else { return }
                    if !StaleMarker.isStale(value) { found[labels] = (time, value) }
                }
            }
            var (text, family) = ("", "")
            for (labels, sample) in found.sorted(by: { $0.key < $1.key }) {
                if labels.metricName != family {
                    family = labels.metricName
                    text += "# TYPE \(family) untyped\n"
                }
                text +=
                    "\(labels.exposition) \(SampleText.of(sample.value)) \(sample.time)\n"
            }
            return Array(text.utf8)
        }
    }

    // MARK: Errors

    private func answering<Answer>(_ body: () throws -> Answer) throws -> Answer {
        do { return try body() } catch let error as QuerySyntaxError {
            throw APIError.badData("invalid parameter \"query\": \(error)")
        } catch let error as EvaluationError {
            switch error {
            case .cancelled: throw APIError.timeout("query timed out, or its client has gone")
            case .invalid, .tooManySamples, .tooMuchMemory: throw APIError.execution(error.description)
            }
        } catch let error as Pattern.PatternError {
            throw APIError.execution(error.description)
        } catch let failure as Failure {
            throw APIError.unavailable(failure.message)
        }
    }
}

/// Names of labels that a path cannot carry (Prometheus 3, `U__` escaping).
enum LabelEscape {
    static func plain(_ name: String) -> String {
        guard name.hasPrefix("U__") else { return name }
        var (text, rest) = ("", name.dropFirst(3))
        while let character = rest.popFirst() {
            guard character == "_" else {
                text.append(character)
                continue
            }
            if rest.first == "_" {
                rest.removeFirst()
                text += "_"
            } else if let end = rest.firstIndex(of: "_"), let code = UInt32(rest[..<end], radix: 16),
                let scalar = Unicode.Scalar(code)
            {
                text.unicodeScalars.append(scalar)
                rest = rest[rest.index(after: end)...]
            } else {
                return name
            }
        }
        return text
    }
}
