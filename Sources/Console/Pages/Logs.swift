// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Log records that are looked for, as they come.
enum Logs {
    private static let levels = ["trace", "debug", "info", "warn", "error", "fatal"]
    private static let limit = 200

    static func page(_ visit: Visit) async throws -> Page {
        Page(
            title: "Logs", tab: .logs, controls: try await controls(visit),
            sections: [Section("counts") { try await counts(visit) }, Section("lines") { try await lines(visit) }])
    }

    private static func controls(_ visit: Visit) async throws -> HTML {
        let services =
            try await visit.client.get("/loki/api/v1/label/service_name/values")["data"]?.array?
            .compactMap(\.string) ?? []
        return Frame.form(
            visit,
            """
            \(Frame.field("text", "Text", visit["text"], hint: "as it stands in the line", wide: true))
            \(Frame.select("how", "Text is", visit["how"], [("", "part of the line"), ("regex", "a regular expression"), ("not", "not in the line")]))
            \(Frame.select("service", "Service", visit["service"], [("", "all")] + services.map { ($0, $0) }))
            \(Frame.select("level", "From level", visit["level"], [("", "all")] + levels.map { ($0, $0) }))
            \(Frame.field("fields", "Fields", visit["fields"], hint: "error=noAnswer user_id=42", wide: true))
            \(Frame.field("trace", "Trace", visit["trace"]))
            """)
    }

    /// What is filled in, as LogQL.
    static func selector(_ visit: Visit) throws -> String {
        var matchers = ["service_name" + (visit["service"].map { "=\($0.promQL)" } ?? "=~\".+\"")]
        if let level = visit["level"], let place = levels.firstIndex(of: level), place > 0 {
            matchers.append("level=~\"\(levels[place...].joined(separator: "|"))\"")
        }
        visit["trace"].map { matchers.append("trace_id=\($0.filter { $0 != " " }.promQL)") }
        for (name, value) in try Tags.parse(visit["fields"] ?? "") {
            matchers.append("\(name.replacing(".", with: "_"))=\(value.promQL)")
        }
        let operation = ["regex": "|~", "not": "!="][visit["how"] ?? ""] ?? "|="
        return "{\(matchers.joined(separator: ", "))}" + (visit["text"].map { " \(operation) \($0.promQL)" } ?? "")
    }

    private static func counts(_ visit: Visit) async throws -> HTML {
        let series = try await visit.client.logCounts(try selector(visit), visit.window)
        let hues = ["trace": "6", "debug": "6", "info": "0", "warn": "warn", "error": "bad", "fatal": "bad"]
        let lines = series.sorted { place($0) < place($1) }.map { series in
            let level = series.labels["level"] ?? "unknown"
            return TimeChart.Line(
                name: level, hue: hues[level] ?? "7", points: series.points, address: visit.again([("level", level)]))
        }
        return TimeChart(
            title: "Lines every \(Quantity.seconds.text(visit.window.step)), by level", window: visit.window,
            lines: lines,
            links: [("failed traces", visit.link("traces", [("service", visit["service"]), ("errors", "1")]))],
            isStacked: true
        ).html
    }

    private static func place(_ series: Series) -> Int {
        levels.firstIndex(of: series.labels["level"] ?? "") ?? -1
    }

    private static func lines(_ visit: Visit) async throws -> HTML {
        let lines = try await visit.client.logs(try selector(visit), visit.window, limit: limit)
        guard !lines.isEmpty else {
            return "<p class=\"empty\">No line fits, \(visit.window.words). Ask for a longer time, or for less.</p>"
        }
        let count: HTML =
            lines.count == limit
            ? "The latest \(limit) lines that fit" : lines.count == 1 ? "One line fits" : "\(lines.count) lines fit"
        return """
            <p class="about">\(count), \(visit.window.words), the latest first.</p>
            <div class="lines">\(lines.map { LogRow.html($0, visit, isInTrace: false) })</div>
            """
    }
}

/// A line, which opens to its fields.
enum LogRow {
    static func html(_ line: LogLine, _ visit: Visit, isInTrace: Bool) -> HTML {
        let state = ["error": "bad", "fatal": "bad", "warn": "warn"][line.level] ?? "plain"
        let fields = line.fields.map { field -> HTML in
            let address = visit.link(
                "logs", [("service", line.service), ("fields", "\(field.name)=\(field.value.quoted)")])
            return
                "<dt>\(field.name)</dt><dd>\(field.value) <a class=\"alike\" href=\"\(address)\" aria-label=\"Lines with this \(field.name)\">alike</a></dd>"
        }
        let trace: HTML =
            isInTrace
            ? ""
            : line.trace.map {
                "<p><a href=\"\(visit.link("traces/\($0)"))\(line.span.map { "#span-\($0)" } ?? "")\">Open its trace</a></p>"
            } ?? ""
        // The place keeps it open while the page is drawn again.
        return """
            <details class="line" id="line-\(String(line.time))-\(Hue.of(line.text))"><summary>\
            <time>\(Clock.precise(microseconds: line.time / 1_000))</time><span class="state \(state)">\(line.level)</span>\
            <span class="who">\(Frame.dot(line.service))\(line.service)</span><span class="text">\(line.text)</span></summary>\
            <div class="inside">\(trace)<dl>\(fields)</dl></div></details>
            """
    }
}
