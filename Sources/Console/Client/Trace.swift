// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// A trace, in the order of its tree.
struct Trace: Sendable {
    struct Span: Sendable {
        let id: String
        let name: String
        let service: String
        let kind: String
        /// Microseconds since 1970.
        let start: Int64
        /// Microseconds.
        let duration: Int64
        let isError: Bool
        let parent: String?
        /// Other spans that it names.
        let links: [(trace: String, span: String)]
        let attributes: [(name: String, value: String)]
        let sender: [(name: String, value: String)]
        let events: [(time: Int64, fields: [(name: String, value: String)])]

        var end: Int64 { start + duration }
    }

    let id: String
    let spans: [Span]
    /// For each span those that it called, by place.
    let children: [[Int]]
    /// Spans without a parent here.
    let roots: [Int]
    /// Microseconds since 1970.
    let start: Int64
    let end: Int64
    /// What the API says of it, such as that spans are left out.
    let warning: String?

    init(id: String, spans: [Span], warning: String? = nil) {
        (self.id, self.spans, self.warning) = (id, spans, warning)
        start = spans.map(\.start).min() ?? 0
        end = spans.map(\.end).max() ?? 0
        let places = Dictionary(spans.indices.map { (spans[$0].id, $0) }, uniquingKeysWith: { first, _ in first })
        var (children, roots) = ([[Int]](repeating: [], count: spans.count), [Int]())
        for place in spans.indices.sorted(by: { spans[$0].start < spans[$1].start }) {
            if let parent = spans[place].parent.flatMap({ places[$0] }), parent != place {
                children[parent].append(place)
            } else {
                roots.append(place)
            }
        }
        // Spans that are each other's parents would never be shown.
        var seen = Set<Int>()
        var waiting = roots
        while let place = waiting.popLast() {
            if seen.insert(place).inserted { waiting += children[place] }
        }
        for place in spans.indices where seen.insert(place).inserted {
            roots.append(place)
            if let parent = spans[place].parent.flatMap({ places[$0] }) { children[parent].removeAll { $0 == place } }
            waiting = [place]
            while let next = waiting.popLast() {
                seen.insert(next)
                waiting += children[next].filter { !seen.contains($0) }
            }
        }
        (self.children, self.roots) = (children, roots)
    }

    var errorCount: Int { spans.count { $0.isError } }
    var services: [String] { Set(spans.map(\.service)).sorted() }

    /// The first one, which names the trace.
    var root: Span { spans[roots.first ?? 0] }

    /// Spans of a trace that are asked for.
    static let spansMax = 20_000

    /// Spans with how deep they stand, each below who called it.
    var rows: [(place: Int, depth: Int)] {
        var (rows, waiting) = ([(place: Int, depth: Int)](), roots.reversed().map { (place: $0, depth: 0) })
        while let row = waiting.popLast() {
            rows.append(row)
            waiting += children[row.place].reversed().map { (place: $0, depth: row.depth + 1) }
        }
        return rows
    }
}

/// What a list of traces says of each.
struct TraceSummary: Sendable {
    let id: String
    let service: String
    let name: String
    /// Microseconds since 1970.
    let start: Int64
    /// Microseconds.
    let duration: Int64
    let spanCount: Int
    let errorCount: Int
    let services: [String]
}

extension ObservatoryClient {
    /// - Throws: ``ClientError``; `notFound` where it is not, or no longer, there.
    func trace(_ id: String) async throws -> Trace {
        let answer = try await get("/api/traces/\(PercentEncoding.encode(id))", [("limit", "\(Trace.spansMax)")])
        guard let item = answer["data"]?.array?.first, let trace = Trace(jaeger: item) else {
            throw ClientError.notFound
        }
        return trace
    }

    /// The latest traces of which a span fits.
    ///
    /// - Throws: ``ClientError``.
    func traces(_ parameters: [(String, String)]) async throws -> [TraceSummary] {
        let answer = try await get("/api/v1/trace_summaries", parameters)
        return (answer["data"]?.array ?? []).map { item in
            TraceSummary(
                id: item["traceID"]?.string ?? "", service: item["service"]?.string ?? "",
                name: item["name"]?.string ?? "", start: item["startTime"]?.integer ?? 0,
                duration: item["duration"]?.integer ?? 0, spanCount: Int(item["spans"]?.integer ?? 0),
                errorCount: Int(item["errors"]?.integer ?? 0),
                services: (item["services"]?.array ?? []).compactMap(\.string))
        }
    }
}

extension Trace {
    /// As Jaeger's API writes it.
    init?(jaeger json: JSON) {
        guard let id = json["traceID"]?.string, let spans = json["spans"]?.array, !spans.isEmpty else { return nil }
        var senders: [String: (service: String, tags: [(name: String, value: String)])] = [:]
        for process in json["processes"]?.members ?? [] {
            senders[process.name] = (
                process.value["serviceName"]?.string ?? "", Self.tags(process.value["tags"])
            )
        }
        self.init(
            id: id, spans: spans.map { Span(jaeger: $0, senders[$0["processID"]?.string ?? ""], trace: id) },
            warning: json["warnings"]?.array?.first?.string)
    }

    fileprivate static func tags(_ json: JSON?) -> [(name: String, value: String)] {
        (json?.array ?? []).map { ($0["key"]?.string ?? "", $0["value"]?.plain ?? "") }.sorted { $0.name < $1.name }
    }
}

extension Trace.Span {
    fileprivate init(
        jaeger json: JSON, _ sender: (service: String, tags: [(name: String, value: String)])?, trace: String
    ) {
        let tags = Trace.tags(json["tags"])
        let references = (json["references"]?.array ?? []).map { reference in
            (
                kind: reference["refType"]?.string ?? "", trace: reference["traceID"]?.string ?? "",
                span: reference["spanID"]?.string ?? ""
            )
        }
        let parent = references.first { $0.kind == "CHILD_OF" && $0.trace == trace }?.span
        id = json["spanID"]?.string ?? ""
        name = json["operationName"]?.string ?? ""
        service = sender?.service ?? ""
        kind = tags.first { $0.name == "span.kind" }?.value ?? "internal"
        start = json["startTime"]?.integer ?? 0
        duration = json["duration"]?.integer ?? 0
        isError = tags.contains { $0.name == "error" && $0.value == "true" }
        self.parent = parent
        links = references.filter { $0.span != parent }.map { ($0.trace, $0.span) }
        attributes = tags.filter { !["span.kind", "error"].contains($0.name) }
        self.sender = sender?.tags ?? []
        events = (json["logs"]?.array ?? []).map {
            ($0["timestamp"]?.integer ?? 0, Trace.tags($0["fields"]))
        }
    }
}
