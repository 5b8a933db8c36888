// SPDX-License-Identifier: Apache-2.0

internal import Web

/// All services of which spans come: how they do, and who calls whom.
enum Services {
    static func page(_ visit: Visit) async throws -> Page {
        let found = try await incoming(visit)
        return Page(
            title: "Services", tab: .services,
            sections: [Section("list") { list(found, visit) }, Section("map") { try await map(found, visit) }])
    }

    typealias Found = [(labels: [String: String], red: RED)]

    /// What comes to each service.
    static func incoming(_ visit: Visit) async throws -> Found {
        try await RED.each(
            ["service"], counter: SpanSeries.calls(), failed: SpanSeries.failed(), buckets: SpanSeries.buckets(), visit)
    }

    static func list(_ found: Found, _ visit: Visit) -> HTML {
        let rows = found.map { labels, red -> HTML in
            let name = labels["service"] ?? ""
            return "<tr><th scope=\"row\">\(Frame.service(name, visit))</th>\(red.cells(visit.window))</tr>"
        }
        return Frame.table(
            "What comes to each service, \(visit.window.words)", [Frame.head("Service")] + RED.heads, rows,
            empty: "No spans in this time. Services send them by OTLP: <code>OTEL_EXPORTER_OTLP_ENDPOINT</code>.")
    }

    // MARK: Map

    private static func map(_ found: Found, _ visit: Visit) async throws -> HTML {
        let (client, window) = (visit.client, visit.window)
        let by = "sum by (client, server, connection_type)"
        async let all = client.range("\(by) (rate(traces_service_graph_request_total[\(window.rate)]))", window)
        async let failed = client.range(
            "\(by) (rate(traces_service_graph_request_failed_total[\(window.rate)]))", window)
        let failures = Dictionary(try await failed.map { ($0.labels, $0.points) }, uniquingKeysWith: { $1 })
        let edges = try await all.map { series in
            let red = RED(steps: window.steps, rates: series.points, errors: failures[series.labels] ?? [])
            return ServiceMap.Edge(
                caller: series.labels["client"] ?? "", callee: series.labels["server"] ?? "", rate: red.rate,
                errors: red.errorShare)
        }.filter { $0.rate > 0 }.sorted { ($0.caller, $0.callee) < ($1.caller, $1.callee) }
        var nodes = found.map { labels, red in
            ServiceMap.Node(
                name: labels["service"] ?? "", rate: red.rate, errors: red.errorShare,
                address: visit.link("services/\((labels["service"] ?? "").pathEncoded)"))
        }
        let known = Set(nodes.map(\.name))
        let others = Set(edges.flatMap { [$0.caller, $0.callee] }).subtracting(known)
        nodes += others.sorted().map { ServiceMap.Node(name: $0) }
        guard !nodes.isEmpty else { return "" }
        return """
            <h2>Who calls whom</h2><p class="about">Means over the \(window.words), of all spans before sampling. Thicker is more; red is where more than 1 % fail.</p>
            \(ServiceMap(nodes: nodes, edges: edges).html)
            """
    }

    // MARK: One of them

    static func one(_ visit: Visit) -> Page {
        let service = visit.subject
        return Page(
            title: service, tab: .services,
            sections: [
                Section("charts") { try await charts(service, visit) },
                Section("operations") { try await operations(service, visit) },
                Section("failures") { try await Traces.failures(10, of: service, visit) },
            ])
    }

    private static func charts(_ service: String, _ visit: Visit) async throws -> HTML {
        let (client, window, chosen) = (visit.client, visit.window, SpanSeries.incoming(of: service))
        async let rates = client.range(
            "sum by (status_code) (rate(\(SpanSeries.calls(chosen))[\(window.rate)]))", window)
        async let durations = Overview.quantiles("traces_spanmetrics_latency_bucket", "{\(chosen)}", visit)
        let lines = try await rates.map { series in
            let isError = series.labels["status_code"] == "STATUS_CODE_ERROR"
            return TimeChart.Line(
                name: isError ? "failed" : series.labels["status_code"] == "STATUS_CODE_OK" ? "ok" : "not failed",
                hue: isError ? "bad" : "ok", points: series.points)
        }.sorted { $0.name > $1.name }
        let query = "sum by (status_code) (rate(\(SpanSeries.calls(chosen))[\(window.rate)]))"
        let links = [
            ("traces", visit.link("traces", [("service", service)])),
            ("failed traces", visit.link("traces", [("service", service), ("errors", "1")])),
            ("logs", visit.link("logs", [("service", service)])), ("query", visit.link("metrics", [("query", query)])),
        ]
        let calls = TimeChart(
            title: "Calls a second", window: window, quantity: .perSecond, lines: lines, links: links, isStacked: true)
        let slowness = try await durations
        let times = TimeChart(
            title: "Time to answer", window: window, quantity: .seconds, lines: slowness,
            links: [("slow traces", visit.link("traces", [("service", service)] + Overview.slow(slowness, window)))])
        return "<div class=\"charts\">\(calls.html)\(times.html)</div>"
    }

    private static func operations(_ service: String, _ visit: Visit) async throws -> HTML {
        let chosen = "service=\(service.promQL)"
        let found = try await RED.each(
            ["span_name", "span_kind"], counter: SpanSeries.calls(chosen), failed: SpanSeries.failed(chosen),
            buckets: SpanSeries.buckets(chosen), visit)
        let rows = found.filter { $0.red.rate > 0 }.prefix(60).map { labels, red -> HTML in
            let name = labels["span_name"] ?? ""
            let kind = (labels["span_kind"] ?? "").replacing("SPAN_KIND_", with: "").lowercased()
            let address = visit.link("traces", [("service", service), ("operation", name)])
            return
                "<tr><th scope=\"row\"><a href=\"\(address)\">\(name)</a></th><td>\(kind)</td>\(red.cells(visit.window))</tr>"
        }
        return "<h2>Operations</h2>"
            + Frame.table(
                "All spans of \(service), \(visit.window.words)",
                [Frame.head("Operation"), Frame.head("Kind")] + RED.heads,
                Array(rows))
    }
}
