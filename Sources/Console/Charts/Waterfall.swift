// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Web

/// A trace as rows over time. Each row opens to what its span says.
struct Waterfall {
    let trace: Trace
    let path: CriticalPath
    let visit: Visit
    private let logs: [String?: [LogLine]]
    private let pieces: [Int: [CriticalPath.Piece]]

    init(_ trace: Trace, _ path: CriticalPath, logs: [LogLine], _ visit: Visit) {
        (self.trace, self.path, self.visit) = (trace, path, visit)
        self.logs = Dictionary(grouping: logs, by: \.span)
        pieces = Dictionary(grouping: path.pieces, by: \.place)
    }

    /// Rows that a page has. Of longer traces there are the first spans that failed, those that were waited for longest, and the
    /// first of the others.
    static let rowsMax = 1_500
    private static let depthMax = 16

    var html: HTML {
        let rows = shown
        let hidden = trace.spans.count - rows.count
        let more: HTML =
            hidden > 0
            ? "<p class=\"notice\">\(hidden) of \(trace.spans.count) spans are left out. Shown are those that failed, those that were waited for longest, and the first of the others.</p>"
            : ""
        return """
            \(more)<div class="waterfall" role="list"><div class="row ruler" aria-hidden="true"><span>Service and operation</span>\
            <span class="x">\(ruler)</span><span class="n">Time</span></div>\(rows.map(row))</div>
            """
    }

    private var shown: [(place: Int, depth: Int)] {
        let rows = trace.rows
        guard rows.count > Self.rowsMax else { return rows }
        let failed = rows.map(\.place).filter { trace.spans[$0].isError }.prefix(Self.rowsMax / 3)
        let waited = path.own.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key).prefix(Self.rowsMax / 3)
        var chosen = Set(failed).union(waited)
        for row in rows where chosen.count < Self.rowsMax { chosen.insert(row.place) }
        return rows.filter { chosen.contains($0.place) }
    }

    private var ruler: HTML {
        let length = Double(trace.end - trace.start)
        return HTML(pieces: [0, 0.25, 0.5, 0.75, 1].map { "<span>\(Quantity.seconds.text($0 * length / 1e6))</span>" })
    }

    private func row(_ row: (place: Int, depth: Int)) -> HTML {
        let span = trace.spans[row.place]
        let isWaited = path.own[row.place] != nil
        let error: HTML = span.isError ? "<b class=\"bad\">error</b> " : ""
        let classes = (span.isError ? " failed" : "") + (isWaited ? " waited" : "")
        return """
            <details class="span\(classes)" role="listitem" id="span-\(span.id)"><summary class="row">\
            <span class="what d\(min(row.depth, Self.depthMax))">\(Frame.dot(span.service))<span class="who">\(span.service)</span> \
            \(error)\(span.name)</span>\(bar(row.place))\
            <span class="n">\(Quantity.seconds.text(Double(span.duration) / 1e6))</span></summary>\(inside(span, row.place))</details>
            """
    }

    private func bar(_ place: Int) -> HTML {
        let (span, length) = (trace.spans[place], max(1, Double(trace.end - trace.start)))
        func x(_ time: Int64) -> String { String((Double(time - trace.start) / length * 10_000).rounded() / 10) }
        func width(_ length: Int64, _ least: Double) -> String {
            String((max(least, Double(length) / max(1, Double(trace.end - trace.start)) * 1_000) * 10).rounded() / 10)
        }
        let waited = (pieces[place] ?? []).map { piece -> HTML in
            "<rect class=\"path\" x=\"\(x(piece.start))\" y=\"9\" width=\"\(width(piece.end - piece.start, 1))\" height=\"3\"/>"
        }
        let events = span.events.map { "<path class=\"event\" d=\"M\(x($0.time)) 1v10\"/>" as HTML }
        return """
            <svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">\
            <rect class="f\(span.isError ? "bad" : String(Hue.of(span.service)))" x="\(x(span.start))" y="1" \
            width="\(width(span.duration, 2))" height="8"/>\(waited)\(events)</svg>
            """
    }

    private func inside(_ span: Trace.Span, _ place: Int) -> HTML {
        let (beginning, seconds) = (Double(span.start - trace.start) / 1e6, Quantity.seconds)
        let own = path.own[place].map {
            ", of which the trace waited \(seconds.text(Double($0) / 1e6)) for its own work" as HTML
        }
        let events = span.events.map { event -> HTML in
            let after = seconds.text(Double(event.time - span.start) / 1e6)
            return
                "<li><time>+\(after)</time> \(event.fields.map { "<span><i>\($0.name)</i> \($0.value)</span> " as HTML })</li>"
        }
        let links = span.links.map { link -> HTML in
            "<li><a href=\"\(visit.link("traces/\(link.trace.pathEncoded)"))#span-\(link.span)\">\(link.trace)</a></li>"
        }
        let lines = (logs[span.id] ?? []).map { LogRow.html($0, visit, isInTrace: true) }
        return """
            <div class="inside"><p>\(span.kind) span of \(Frame.service(span.service, visit)), began after \
            \(seconds.text(beginning))\(own ?? "").</p>
            \(Self.pairs("Attributes", span.attributes, visit, service: span.service))
            \(events.isEmpty ? "" : "<h4>Events</h4><ul class=\"events\">\(events)</ul>" as HTML)
            \(lines.isEmpty ? "" : "<h4>Log lines</h4><div class=\"lines\">\(lines)</div>" as HTML)
            \(links.isEmpty ? "" : "<h4>Links</h4><ul>\(links)</ul>" as HTML)
            \(Self.pairs("Sender", span.sender, visit, service: span.service))</div>
            """
    }

    /// Names and values, each a way to the traces that have it too.
    private static func pairs(
        _ title: String, _ pairs: [(name: String, value: String)], _ visit: Visit, service: String
    ) -> HTML {
        guard !pairs.isEmpty else { return "" }
        let rows = pairs.map { pair -> HTML in
            // What the API adds is no attribute, and cannot be asked for.
            let isDerived = ["otel.", "w3c."].contains { pair.name.hasPrefix($0) }
            guard !isDerived, !pair.name.contains(where: { " =".contains($0) }) else {
                return "<dt>\(pair.name)</dt><dd>\(pair.value)</dd>"
            }
            let address = visit.link("traces", [("service", service), ("tags", "\(pair.name)=\(pair.value.quoted)")])
            return """
                <dt>\(pair.name)</dt><dd>\(pair.value) <a class="alike" href="\(address)" \
                aria-label="Traces with this \(pair.name)">alike</a></dd>
                """
        }
        return "<h4>\(title)</h4><dl>\(rows)</dl>"
    }
}

extension String {
    /// As a value in a form's list of tags, which has spaces between them.
    var quoted: String {
        contains(where: { [" ", "\"", "\\"].contains($0) })
            ? "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\"" : self
    }
}
