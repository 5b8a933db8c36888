// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import TelemetryStore

/// Jaeger's query API: version 1 as its own pages and Grafana call it, and version 3, which speaks OTLP's JSON.
struct JaegerAPI: Sendable {
    let store: SignalStore
    let now: @Sendable () -> Int64

    typealias IsCancelled = @Sendable () -> Bool

    /// Traces that a search brings, unless it asks for another number; and at most.
    private static let (limitDefault, limitMax) = (100, 1_500)
    /// Spans that one answer has.
    private static let spansMax = 200_000
    /// The look-back of a search that does not say from when.
    private static let lookback: UInt64 = 86_400_000_000_000

    // MARK: Version 1

    func services() throws -> [UInt8] {
        let services = Set(try store.operations().map(\.service)).sorted()
        return JaegerAnswers.list(services) { $1.string($0) }
    }

    func operations(of service: String) throws -> [UInt8] {
        let names = Set(try store.operations().filter { $0.service == service }.map(\.name)).sorted()
        return JaegerAnswers.list(names) { $1.string($0) }
    }

    func operations(_ parameters: Parameters) throws -> [UInt8] {
        JaegerAnswers.list(try chosenOperations(parameters, "spanKind")) { JaegerAnswers.write($0, to: &$1) }
    }

    private func chosenOperations(
        _ parameters: Parameters, _ kindName: String
    ) throws -> [(service: String, name: String, kind: UInt8)] {
        guard let service = parameters["service"] else { throw APIError.badData("parameter 'service' is required") }
        let kind = parameters[kindName].map { $0.lowercased() }
        return try store.operations().filter { operation in
            operation.service == service && (kind.map { $0 == JaegerAnswers.kind(operation.kind) } ?? true)
        }
    }

    /// With `limit`, which is of ours, at most so many spans of it: those that failed first, and then the first ones.
    func trace(_ id: String, _ parameters: Parameters) throws -> [UInt8] {
        let (trace, limit) = (try found(id), try parameters.limit())
        guard limit > 0, trace.spans.count > limit else {
            return JaegerAnswers.list([trace]) { JaegerAnswers.write($0, to: &$1) }
        }
        let failed = trace.spans.indices.filter { trace.spans[$0].isError }.prefix(limit)
        var chosen = Set(failed)
        for place in trace.spans.indices where chosen.count < limit { chosen.insert(place) }
        let (part, leftOut) = (trace.keeping(chosen.sorted()), trace.spans.count - limit)
        return JaegerAnswers.list([part]) { JaegerAnswers.write($0, leftOut: leftOut, to: &$1) }
    }

    private func found(_ text: String) throws -> StoredTrace {
        guard let id = TraceID(jaeger: text) else { throw APIError.badData("'\(text)' is not a trace id") }
        guard let trace = try store.trace(id) else { throw APIError.notFound("trace not found") }
        return trace
    }

    func search(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        if !parameters.all("traceID").isEmpty {
            let ids = Set(parameters.all("traceID").prefix(Self.limitMax).compactMap { TraceID(jaeger: $0) })
            let traces = try whole(ids.sorted { ($0.high, $0.low) < ($1.high, $1.low) }, isCancelled)
            return JaegerAnswers.list(traces) { JaegerAnswers.write($0, to: &$1) }
        }
        let (query, limit) = try query(parameters)
        return JaegerAnswers.list(try traces(query, limit, isCancelled)) { JaegerAnswers.write($0, to: &$1) }
    }

    /// What a search of version 1 asks for, and how many traces of it.
    func query(_ parameters: Parameters) throws -> (SpanQuery, limit: Int) {
        var (query, limit) = (SpanQuery(), Self.limitDefault)
        query.service = parameters["service"]
        query.name = parameters["operation"].flatMap { $0 == "all" ? nil : $0 }
        query.times = times(try microseconds("start", parameters), try microseconds("end", parameters))
        query.durations = try durations(parameters, "minDuration", "maxDuration")
        if let text = parameters["limit"] {
            guard let number = Int(text), number >= 0 else {
                throw APIError.badData("parameter 'limit' must be a number")
            }
            limit = number
        }
        for pair in parameters.all("tag") {
            let parts = pair.unicodeScalars.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                .map(String.init)
            guard parts.count == 2 else { throw APIError.badData("parameter 'tag' must be 'key:value', not '\(pair)'") }
            query.require(parts[0], parts[1])
        }
        for text in parameters.all("tags") where !text.isEmpty {
            guard let members = try? JSON.parse(Array(text.utf8)), case .object(let tags) = members else {
                throw APIError.badData("parameter 'tags' must be a JSON object of texts")
            }
            for tag in tags { query.require(tag.name, tag.value.plainText) }
        }
        return (query, limit)
    }

    /// Whole traces, the latest first.
    ///
    /// Where there are too many spans, it is an error, or those traces are the answer that have been read.
    func traces(
        _ query: SpanQuery, _ limit: Int, isPartial: Bool = false, _ isCancelled: IsCancelled
    ) throws -> [StoredTrace] {
        let limit = min(limit == 0 ? Self.limitDefault : limit, Self.limitMax)
        var latest: [TraceID: UInt64] = [:]
        for match in try store.spans(query, tracesMax: limit, isCancelled: isCancelled) {
            latest[match.trace] = max(latest[match.trace] ?? 0, match.start)
        }
        let ids = latest.sorted { ($0.value, $0.key.low) > ($1.value, $1.key.low) }.prefix(limit).map(\.key)
        return try whole(ids, isPartial: isPartial, isCancelled)
    }

    private func whole(
        _ ids: [TraceID], isPartial: Bool = false, _ isCancelled: IsCancelled
    ) throws -> [StoredTrace] {
        var (traces, spans): ([StoredTrace], Int) = ([], 0)
        for id in ids {
            if isCancelled() { throw CancellationError() }
            guard let trace = try store.trace(id) else { continue }
            traces.append(trace)
            spans += trace.spans.count
            guard spans <= Self.spansMax else {
                if isPartial { break }
                throw APIError.execution("more than \(Self.spansMax) spans; ask for fewer traces with 'limit'")
            }
        }
        return traces
    }

    func dependencies(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        let end = try microseconds("endTs", parameters) ?? UInt64(now()) * 1_000_000
        let lookback = try parameters["lookback"].map { text in
            guard let milliseconds = UInt64(text) else {
                throw APIError.badData("parameter 'lookback' must be a number")
            }
            return Nanoseconds.of(milliseconds, 1_000_000)
        }
        let times = (end > lookback ?? Self.lookback ? end - (lookback ?? Self.lookback) : 0)...end
        return JaegerAnswers.list(try store.calls(in: times, isCancelled: isCancelled)) { call, writer in
            writer.object { writer in
                writer.member("parent", call.caller)
                writer.member("child", call.callee)
                writer.member("callCount", call.count)
            }
        }
    }

    // MARK: Version 3

    func services3() throws -> [UInt8] {
        let services = Set(try store.operations().map(\.service)).sorted()
        return JSONWriter.object { $0.member("services", services) { $1.string($0) } }
    }

    func operations3(_ parameters: Parameters) throws -> [UInt8] {
        let operations = try chosenOperations(parameters, "span_kind")
        return JSONWriter.object { $0.member("operations", operations) { JaegerAnswers.write($0, to: &$1) } }
    }

    func trace3(_ id: String) throws -> [UInt8] { JaegerAnswers.otlp([try found(id)]) }

    func search3(_ parameters: Parameters, _ isCancelled: @escaping IsCancelled) throws -> [UInt8] {
        func text(_ name: String) -> String? { parameters["query.\(name)"] ?? parameters["query.\(name.snakeCase)"] }
        var query = SpanQuery()
        query.service = text("serviceName")
        query.name = text("operationName")
        func time(_ name: String) throws -> UInt64? {
            guard let text = text(name) else { return nil }
            for style in [Date.ISO8601FormatStyle(includingFractionalSeconds: true), .iso8601] {
                if let date = try? style.parse(text) {
                    return UInt64(min(max(0, date.timeIntervalSince1970) * 1e9, 9e18))
                }
            }
            throw APIError.badData("malformed parameter query.\(name)")
        }
        query.times = times(try time("startTimeMin"), try time("startTimeMax"))
        query.durations = try durations(
            parameters, "query.\(parameters["query.durationMin"] == nil ? "duration_min" : "durationMin")",
            "query.\(parameters["query.durationMax"] == nil ? "duration_max" : "durationMax")")
        if let text = text("attributes"), case .object(let tags)? = try? JSON.parse(Array(text.utf8)) {
            for tag in tags { query.require(tag.name, tag.value.plainText) }
        }
        let limit = Int(text("searchDepth") ?? text("numTraces") ?? "") ?? Self.limitDefault
        let traces = try traces(query, max(0, limit), isCancelled)
        guard !traces.isEmpty else { throw APIError.notFound("no traces found") }
        return JaegerAnswers.otlp(traces)
    }

    // MARK: Parameters

    private func times(_ start: UInt64?, _ end: UInt64?) -> ClosedRange<UInt64> {
        let end = end ?? UInt64(now()) * 1_000_000 + 60_000_000_000
        let start = start ?? (end > Self.lookback ? end - Self.lookback : 0)
        return min(start, end)...end
    }

    /// Nanoseconds. Jaeger sends microseconds, Grafana at some places milliseconds: the size tells them apart.
    private func microseconds(_ name: String, _ parameters: Parameters) throws -> UInt64? {
        guard let text = parameters[name] else { return nil }
        guard let number = UInt64(text) else { throw APIError.badData("parameter '\(name)' must be a number") }
        switch number {
        // Until the year 5138 in milliseconds, from 1973 on in microseconds.
        case ..<100_000_000_000_000: return Nanoseconds.of(number, 1_000_000)
        case ..<100_000_000_000_000_000: return Nanoseconds.of(number, 1_000)
        default: return Nanoseconds.of(number, 1)
        }
    }

    private func durations(_ parameters: Parameters, _ least: String, _ most: String) throws -> ClosedRange<UInt64> {
        func nanoseconds(_ name: String) throws -> UInt64? {
            guard let text = parameters[name], text != "0" else { return nil }
            guard let duration = GoDuration.nanoseconds(text) else {
                throw APIError.badData("cannot parse \(name): '\(text)' is not a duration such as 1.2ms")
            }
            return duration == 0 ? nil : duration
        }
        let (least, most) = (try nanoseconds(least) ?? 0, try nanoseconds(most) ?? .max)
        guard least <= most else { throw APIError.badData("'maxDuration' should be greater than 'minDuration'") }
        return least...most
    }
}

/// Times of requests, of which nobody knows that they are reasonable: what is beyond 2262 is its end.
enum Nanoseconds {
    static func of(_ count: UInt64, _ unit: UInt64) -> UInt64 {
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: unit)
        return isTooLarge ? UInt64(Int64.max) : min(product, UInt64(Int64.max))
    }

    /// What is before 1970 is its begin.
    static func of(milliseconds: Int64) -> UInt64 { of(UInt64(max(0, milliseconds)), 1_000_000) }
}

/// Durations as Go writes them, such as `1m30s` or `1.2ms`.
enum GoDuration {
    private static let units: [(String, Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9),
    ]

    static func nanoseconds(_ text: String) -> UInt64? {
        var (rest, sum) = (text[...], 0.0)
        while !rest.isEmpty {
            let number = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let factor = units.first(where: { $0.0 == unit })?.1 else { return nil }
            sum += value * factor
        }
        return text.isEmpty || sum >= 9e18 ? nil : UInt64(sum)
    }
}

extension SpanQuery {
    /// A tag as Jaeger means it: some are not attributes but what the span is.
    mutating func require(_ name: String, _ value: String) {
        switch (name, value.lowercased()) {
        case ("error", "true"), ("otel.status_code", "error"): isError = true
        case ("error", "false"): isError = false
        case ("span.kind", let kind): self.kind = JaegerAnswers.kindNumber(kind) ?? .max
        default: attributes.append((name, value))
        }
    }
}

extension TraceID {
    /// 32 hexadecimal digits, or fewer where zeros were left off; or 16 bytes in base64.
    init?(jaeger text: String) {
        if text.count <= 32, !text.isEmpty, text.allSatisfy(\.isHexDigit) {
            self.init(
                high: text.count > 16 ? UInt64(text.dropLast(16), radix: 16) ?? 0 : 0,
                low: UInt64(text.suffix(16), radix: 16) ?? 0)
        } else if let data = Data(base64Encoded: text), data.count == 16 {
            func word(_ bytes: Data.SubSequence) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
            self.init(high: word(data.prefix(8)), low: word(data.suffix(8)))
        } else {
            return nil
        }
    }
}

extension JSON {
    fileprivate var plainText: String {
        switch self {
        case .string(let text), .decimal(let text): text
        case .integer(let number): String(number)
        case .bool(let value): String(value)
        case .null, .array, .object: ""
        }
    }
}

extension String {
    /// `startTimeMin` as `start_time_min`.
    fileprivate var snakeCase: String { map { $0.isUppercase ? "_" + $0.lowercased() : String($0) }.joined() }
}
