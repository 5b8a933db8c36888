// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Traces that are looked for, and one of them.
enum Traces {
    static func page(_ visit: Visit) async throws -> Page {
        Page(
            title: "Traces", tab: .traces, controls: try await controls(visit),
            sections: [Section("found") { try await found(visit) }, Section("groups") { try await groups(visit) }])
    }

    private static let limits = [20, 50, 100, 400]

    private static func controls(_ visit: Visit) async throws -> HTML {
        let services = try await visit.client.get("/api/services")["data"]?.array?.compactMap(\.string) ?? []
        var operations: [String] = []
        if let service = visit["service"] {
            operations =
                try await visit.client.get("/api/services/\(service.pathEncoded)/operations")["data"]?.array?
                .compactMap(\.string) ?? []
        }
        func options(_ names: [String], _ chosen: String?, _ all: String) -> [(value: String, title: String)] {
            let more = chosen.map { names.contains($0) ? [] : [$0] } ?? []
            return [("", all)] + (names + more).map { ($0, $0) }
        }
        return Frame.form(
            visit,
            """
            \(Frame.select("service", "Service", visit["service"], options(services, visit["service"], "all")))
            \(Frame.select("operation", "Operation", visit["operation"], options(operations, visit["operation"], "all")))
            \(Frame.select("errors", "Outcome", visit["errors"], [("", "any"), ("1", "failed"), ("0", "not failed")]))
            \(Frame.field("min", "At least", visit["min"], hint: "250ms"))
            \(Frame.field("max", "At most", visit["max"], hint: "1.5s"))
            \(Frame.field("tags", "Attributes", visit["tags"], hint: "http.route=/v1/orders user.id=42", wide: true))
            \(Frame.select("sort", "First", visit["sort"], [("", "failed ones"), ("start", "the latest"), ("duration", "the slowest")]))
            \(Frame.field("by", "Group spans by", visit["by"], hint: "http.route"))
            \(Frame.field("of", "Measured in groups", visit["of"], hint: "the duration"))
            \(Frame.select("limit", "Traces", visit["limit"] ?? "50", limits.map { ("\($0)", "\($0)") }))
            """)
    }

    /// What is filled in, as the APIs ask it.
    static func parameters(_ visit: Visit) throws -> [(String, String)] {
        var parameters = visit.window.searched
        let names = [
            ("service", "service"), ("operation", "operation"), ("min", "minDuration"), ("max", "maxDuration"),
        ]
        for (field, name) in names {
            let isDuration = name.hasSuffix("Duration")
            visit[field].map { parameters.append((name, isDuration ? $0.filter { $0 != " " } : $0)) }
        }
        visit["errors"].map { parameters.append(("tag", $0 == "1" ? "error:true" : "error:false")) }
        // Each by itself, because one may be asked for twice.
        for (name, value) in try Tags.parse(visit["tags"] ?? "") {
            parameters.append(("tags", JSON.object([.init(name, .string(value))]).text))
        }
        return parameters
    }

    private static func found(_ visit: Visit) async throws -> HTML {
        if let id = visit["tags"]?.filter({ $0 != " " }), id.count == 32, id.allSatisfy(\.isHexDigit) {
            return "<p><a href=\"\(visit.link("traces/\(id)"))\">Open the trace \(id)</a></p>"
        }
        let limit = limits.contains(Int(visit["limit"] ?? "") ?? 0) ? visit["limit"] ?? "50" : "50"
        var traces = try await visit.client.traces(try parameters(visit) + [("limit", limit)])
        // Asked for were spans that did not fail; others of the same trace may have.
        if visit["errors"] == "0" { traces.removeAll { $0.errorCount > 0 } }
        guard !traces.isEmpty else {
            return visit["errors"] == "0"
                ? "<p class=\"empty\">Of the latest \(limit) traces that fit, \(visit.window.words), each has a span that failed.</p>"
                : "<p class=\"empty\">No trace fits, \(visit.window.words). Ask for a longer time, or for less.</p>"
        }
        let sorted = traces.sorted { left, right in
            switch visit["sort"] {
            case "duration": left.duration > right.duration
            case "start": left.start > right.start
            default: ((left.errorCount > 0 ? 1 : 0), left.start) > ((right.errorCount > 0 ? 1 : 0), right.start)
            }
        }
        let caption = "The \(traces.count) latest traces that fit"
        return
            "\(DurationDots(traces: traces, window: visit.window, visit: visit).html)\(list(sorted, visit, caption: caption))"
    }

    /// The latest ones with an error, of one service or of all.
    static func failures(_ limit: Int, of service: String? = nil, _ visit: Visit) async throws -> HTML {
        let asked = [("tag", "error:true"), ("limit", "\(limit)")] + (service.map { [("service", $0)] } ?? [])
        let traces = try await visit.client.traces(visit.window.searched + asked)
        guard !traces.isEmpty else {
            return "<h2>Failures</h2><p class=\"empty\">No trace with an error, \(visit.window.words).</p>"
        }
        return """
            <h2>Failures</h2>\(list(traces, visit, caption: "The latest traces with an error"))
            <p class="behind"><a href="\(visit.link("traces", [("service", service), ("errors", "1")]))">all</a></p>
            """
    }

    static func list(_ traces: [TraceSummary], _ visit: Visit, caption: String) -> HTML {
        let longest = Double(max(1, traces.map(\.duration).max() ?? 1))
        let rows = traces.map { trace -> HTML in
            let bar = Frame.bar(
                Double(trace.duration) / longest, hue: trace.errorCount > 0 ? "bad" : "\(Hue.of(trace.service))")
            let others = trace.services.filter { $0 != trace.service }
            let state: HTML =
                trace.errorCount > 0
                ? "<span class=\"state bad\">\(trace.errorCount) failed</span>" : "<span class=\"state ok\">ok</span>"
            return """
                <tr><th scope="row"><a href="\(visit.link("traces/\(trace.id)"))">\(trace.name)</a>\
                <small>\(Frame.dot(trace.service))\(trace.service)\(others.isEmpty ? "" : " + \(others.joined(separator: ", "))")</small></th>\
                <td>\(state)</td>\
                <td class="n">\(Quantity.seconds.text(Double(trace.duration) / 1e6))\(bar)</td>\
                <td class="n">\(trace.spanCount)</td><td class="n"><time>\(Clock.precise(microseconds: trace.start))</time></td></tr>
                """
        }
        return Frame.table(
            caption,
            [
                Frame.head("Trace"), Frame.head("Outcome"), Frame.head("Duration", isNumber: true),
                Frame.head("Spans", isNumber: true), Frame.head("Began", isNumber: true),
            ], rows)
    }

    /// What is asked for to see only the spans of a group; `nil` where that cannot be asked.
    private static func narrowing(_ name: String, _ value: String, _ visit: Visit) -> [(String, String?)]? {
        func tag(_ name: String) -> [(String, String?)] {
            [("tags", [visit["tags"], "\(name)=\(value.quoted)"].compactMap { $0 }.joined(separator: " "))]
        }
        switch name {
        case "name": return [("operation", value)]
        case "status": return value == "error" ? [("errors", "1")] : nil
        case "kind": return value == "unspecified" ? nil : tag("span.kind")
        case "service.name": return [("service", value), ("operation", nil)]
        default: return tag(name)
        }
    }

    private static func spreadTitles(_ measured: String?) -> [String] {
        measured.map { ["\($0), half at most", "90 % at most", "99 % at most", "the largest"] }
            ?? ["Half take", "90 % take", "99 % take", "Longest"]
    }

    /// Spans that fit, by the values of an attribute.
    private static func groups(_ visit: Visit) async throws -> HTML {
        guard let name = visit["by"] else { return "" }
        let measured = visit["of"].map { [("of", $0)] } ?? []
        let answer = try await visit.client.get(
            "/api/v1/span_groups", try parameters(visit) + [("by", name)] + measured)
        let groups = answer["data"]?["groups"]?.array ?? []
        let rows = groups.map { group -> HTML in
            let value = group["value"]?.string
            func spread(_ name: String) -> HTML {
                guard measured.isEmpty else {
                    return Frame.number(group["values"]?[name]?.number.map(Quantity.count.text) ?? "–")
                }
                return Frame.number(Quantity.seconds.text((group[name]?.number ?? .nan) / 1e6))
            }
            let (count, errors) = (group["count"]?.number ?? 0, group["errors"]?.number ?? 0)
            let title: HTML =
                value.map { value in
                    narrowing(name, value, visit).map { changes in
                        "<a href=\"\(visit.again(changes + [("by", nil)]))\">\(value)</a>"
                    } ?? "\(value)"
                } ?? "<i>none</i>"
            return """
                <tr><th scope="row">\(title)</th>\(Frame.number(Quantity.count.text(count)))\
                \(Frame.number(Quantity.share.text(errors / max(1, count)), isBad: errors > 0.01 * count))\
                \(spread("p50"))\(spread("p90"))\(spread("p99"))\(spread("max"))</tr>
                """
        }
        let cut: HTML =
            answer["data"]?["isComplete"]?.bool == false
            ? "<p class=\"notice\">Counted were \(answer["data"]?["spans"]?.plain ?? "") spans, not all: there are too many, or too many values. Ask for a shorter time, or for less.</p>"
            : ""
        return cut
            + Frame.table(
                "Spans that are kept and fit, by \(name), \(visit.window.words). Failed and slow traces are kept more than others.",
                [Frame.head(name)]
                    + (["Spans", "Failed"] + spreadTitles(visit["of"])).map { Frame.head($0, isNumber: true) },
                rows, empty: "No span fits.")
    }
}

/// Names and values as they are typed: `http.route=/v1/orders name="two words"`.
enum Tags {
    /// - Throws: ``ClientError`` where it is no such list.
    static func parse(_ text: String) throws -> [(name: String, value: String)] {
        var (tags, rest): ([(name: String, value: String)], Substring) = ([], text[...])
        while true {
            rest = rest.drop { $0 == " " }
            guard !rest.isEmpty else { return tags }
            guard let sign = rest.firstIndex(where: { $0 == "=" || $0 == " " }), rest[sign] == "=" else {
                throw ClientError.refused("Attributes are written as name=value, with spaces between them.")
            }
            let name = String(rest[..<sign])
            rest = rest[rest.index(after: sign)...]
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let next = rest.popFirst(), next != "\"" {
                    value.append(next == "\\" ? rest.popFirst() ?? "\\" : next)
                }
            } else {
                value = String(rest.prefix { $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            tags.append((name, value))
        }
    }
}
