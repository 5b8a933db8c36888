// SPDX-License-Identifier: Apache-2.0

internal import Web

/// One trace: who waited for whom, what failed, and what was written meanwhile.
enum TracePage {
    static func page(_ visit: Visit) async throws -> Page {
        let trace: Trace
        do {
            trace = try await visit.client.trace(visit.subject)
        } catch ClientError.notFound {
            let words: HTML = """
                <p class="notice" role="alert">The trace \(visit.subject) is not here. It may not have come yet, or it was sampled away: \
                an hour after they came only traces that failed, that were slow or rare, and a share of the others are kept.</p>
                """
            return Page(title: "Trace", tab: .traces, sections: [Section("trace") { words }], isLive: false)
        }
        let logs = await logs(trace, visit)
        let path = CriticalPath(trace)
        let waterfall = Waterfall(trace, path, logs: logs.lines, visit)
        let spans = Set(trace.spans.map(\.id))
        let unplaced = logs.lines.filter { !spans.contains($0.span ?? "") }
        var below: HTML = trace.warning.map { "<p class=\"notice\">\($0)</p>" } ?? ""
        if let fault = logs.fault {
            below += "<p class=\"notice\" role=\"alert\">Log lines cannot be shown. \(fault)</p>"
        }
        if !logs.lines.isEmpty {
            below += """
                <h2>Log lines</h2><p class="about">Lines of this trace: \(logs.lines.count). Each also stands in its span\
                \(unplaced.isEmpty ? "" : ", but \(unplaced.count) whose spans are not here").</p>
                <div class="lines">\(logs.lines.reversed().map { LogRow.html($0, visit, isInTrace: true) })</div>
                """
        }
        return Page(
            title: trace.root.name, tab: .traces,
            sections: [
                Section("about") { about(trace, path, visit) }, Section("spans") { waterfall.html },
                Section("lines") { [below] in below },
            ], isLive: false)
    }

    /// Written around the time of the trace; that there is no answer about them is no reason not to show it.
    private static func logs(_ trace: Trace, _ visit: Visit) async -> (lines: [LogLine], fault: String?) {
        let (start, end) = (Double(trace.start) / 1e6 - 60, Double(trace.end) / 1e6 + 60)
        let window = TimeWindow(nil, from: "\(start)", to: "\(end)", now: end)
        do {
            return (try await visit.client.logs("{trace_id=\(trace.id.promQL)}", window, limit: 500), nil)
        } catch {
            return ([], error.words)
        }
    }

    private static func about(_ trace: Trace, _ path: CriticalPath, _ visit: Visit) -> HTML {
        let seconds = Quantity.seconds
        let length = Double(max(1, trace.end - trace.start))
        let failed = trace.spans.filter(\.isError).sorted { $0.start < $1.start }
        let errors = failed.prefix(12).map { span -> HTML in
            let said =
                span.events.flatMap(\.fields).first { $0.name == "exception.message" }?.value
                ?? span.attributes.first { ["otel.status_description", "error.type"].contains($0.name) }?.value
            return
                "<li><a href=\"#span-\(span.id)\">\(span.name)</a> <small>\(span.service)</small>\(said.map { ": \($0)" } ?? "")</li>"
        }
        let own = path.own.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(6).map { place, time -> HTML in
            let span = trace.spans[place]
            return """
                <li><a href="#span-\(span.id)">\(span.name)</a> <small>\(span.service)</small> \(seconds.text(Double(time) / 1e6)), \
                \(Quantity.share.text(Double(time) / length))</li>
                """
        }
        let more: HTML = failed.count > 12 ? "<li>and \(failed.count - 12) more</li>" : ""
        return """
            <p class="about">\(trace.services.map { "\(Frame.service($0, visit)) " as HTML })· began \(Clock.date(Double(trace.start) / 1e6)) UTC · took \
            <b>\(seconds.text(length / 1e6))</b> · \(trace.spans.count) spans · \
            \(failed.isEmpty ? "none failed" : "<b class=\"bad\">\(failed.count) failed</b>" as HTML) · <code>\(trace.id)</code></p>
            <div class="columns">\(failed.isEmpty ? "" : "<div><h2>What failed</h2><ol>\(errors)\(more)</ol></div>" as HTML)\
            <div><h2>What it waited for</h2><ol>\(own)</ol></div></div>
            """
    }
}
