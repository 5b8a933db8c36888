// SPDX-License-Identifier: Apache-2.0

internal import Web

/// How it goes now: the shop's business, its requests, what it depends on, and what is running out.
enum Overview {
    static func page(_ visit: Visit) -> Page {
        Page(
            title: "Overview", tab: .overview,
            sections: [
                Section("business") { try await business(visit) }, Section("traffic") { try await traffic(visit) },
                Section("failures") { try await Traces.failures(6, visit) },
                Section("dependencies") { try await dependencies(visit) },
                Section("routes") { try await routes(visit) }, Section("saturation") { try await saturation(visit) },
            ])
    }

    // MARK: Business

    private static func business(_ visit: Visit) async throws -> HTML {
        let (client, window) = (visit.client, visit.window)
        async let orders = client.range("sum(rate(vitrine_orders_placed_total[\(window.rate)])) * 60", window)
        async let placed = client.number("sum(increase(vitrine_orders_placed_total[\(window.whole)]))", window)
        async let revenue = client.instant(
            "sum by (currency) (increase(vitrine_revenue_total[\(window.whole)]))", window)
        async let carts = client.number("sum(increase(vitrine_carts_created_total[\(window.whole)]))", window)
        async let declined = client.number("sum(increase(vitrine_payments_declined_total[\(window.whole)]))", window)
        async let refused = client.number("sum(increase(vitrine_orders_refused_total[\(window.whole)]))", window)
        guard let placed = try await placed, let line = try await orders.first else { return "" }
        let money = try await revenue.filter { ($0.last ?? 0) > 0 }.sorted { ($0.last ?? 0) > ($1.last ?? 0) }
            .map { Quantity.money($0.labels["currency"] ?? "").text($0.last) }
        let share = try await carts.map { $0 > 0 ? min(1, placed / $0) : .nan }
        let over = window.words
        return """
            <div class="tiles">
            \(tile("Orders placed", Quantity.count.text(placed.rounded()), over, Sparkline.html(line.points, window), visit.link("traces", [("operation", "POST /v1/orders")])))
            \(tile("Revenue", money.first ?? "–", money.count > 1 ? money.dropFirst().joined(separator: ", ") : over, "", visit.link("metrics", [("query", "sum by (currency) (rate(vitrine_revenue_total[\(window.rate)])) * 60")])))
            \(tile("Carts that became orders", Quantity.share.text(share), over, "", visit.link("journeys")))
            \(tile("Payments declined", Quantity.count.text(try await declined.map { $0.rounded() } ?? 0), over, "", visit.link("journeys")))
            \(tile("Orders refused for stock", Quantity.count.text(try await refused.map { $0.rounded() } ?? 0), over, "", visit.link("metrics", [("query", "sum by (reason) (rate(vitrine_orders_refused_total[\(window.rate)]))")])))
            </div>
            """
    }

    static func tile(_ title: String, _ value: String, _ below: String, _ drawing: HTML, _ address: String) -> HTML {
        """
        <a class="tile" href="\(address)"><span>\(title)</span><b>\(value)</b><small>\(below)</small>\(drawing)</a>
        """
    }

    // MARK: Requests

    private static let counter = "http_server_request_duration_seconds_count"
    private static let buckets = "http_server_request_duration_seconds_bucket"

    private static func traffic(_ visit: Visit) async throws -> HTML {
        let (client, window) = (visit.client, visit.window)
        async let byClass = client.range(
            "sum by (class) (label_replace(rate(\(counter)[\(window.rate)]), \"class\", \"${1}xx\", \"http_response_status_code\", \"(.)..\"))",
            window)
        async let ready = client.range("sum(rate(vitrine_ready_answers_served_total[\(window.rate)]))", window)
        async let exemplars = client.exemplars(buckets, window)
        async let durations = quantiles(buckets, "", visit)
        let classes = try await byClass.map { series in
            let name = series.labels["class"] ?? "other"
            let hue = ["2xx": "ok", "3xx": "4", "4xx": "warn", "5xx": "bad"][name] ?? "6"
            return TimeChart.Line(name: name, hue: hue, points: series.points)
        }.sorted { $0.name < $1.name }
        // Answers from the ready lane are no requests to the rest of the shop, and have no spans.
        let served = try await ready.map { TimeChart.Line(name: "ready answers", hue: "2", points: $0.points) }
        guard !classes.isEmpty || !served.isEmpty else {
            return Services.list(try await Services.incoming(visit), visit)
        }
        let requests = TimeChart(
            title: "Requests a second, by status", window: window, quantity: .perSecond, lines: classes + served,
            links: [
                ("failed traces", visit.link("traces", [("errors", "1")])),
                ("error logs", visit.link("logs", [("level", "error")])),
                (
                    "query",
                    visit.link(
                        "metrics", [("query", "sum by (http_response_status_code) (rate(\(counter)[\(window.rate)]))")])
                ),
            ], isStacked: true)
        let latency = latency(try await durations, try await exemplars, visit)
        return "<div class=\"charts\">\(requests.html)\(latency.html)</div>"
    }

    private static func latency(_ lines: [TimeChart.Line], _ exemplars: [Exemplar], _ visit: Visit) -> TimeChart {
        let window = visit.window
        let marks = exemplars.sorted { $0.value > $1.value }.prefix(60).map { exemplar in
            TimeChart.Mark(
                time: exemplar.time, value: exemplar.value, address: visit.link("traces/\(exemplar.trace)"),
                words: "A request of \(Quantity.seconds.text(exemplar.value)): open its trace")
        }
        return TimeChart(
            title: "Time to answer", window: window, quantity: .seconds, lines: lines,
            marks: Array(marks),
            links: [
                ("slow traces", visit.link("traces", slow(lines, window))),
                (
                    "query",
                    visit.link(
                        "metrics",
                        [("query", "histogram_quantile(0.99, sum by (le) (rate(\(buckets)[\(window.rate)])))")])
                ),
            ])
    }

    /// What is asked for to see traces as slow as the slowest hundredth.
    static func slow(_ lines: [TimeChart.Line], _ window: TimeWindow) -> [(String, String?)] {
        let p99 = lines.last.flatMap { window.current($0.points) }
        return [("sort", "duration"), ("min", p99.map { "\(max(1, Int(min($0, 3_600) * 1_000)))ms" })]
    }

    /// The lines of a chart of durations.
    static func quantiles(_ buckets: String, _ selector: String, _ visit: Visit) async throws -> [TimeChart.Line] {
        var lines: [TimeChart.Line] = []
        for (share, name, hue) in [(0.5, "half", "0"), (0.95, "95 %", "1"), (0.99, "99 %", "5")] {
            let query = "histogram_quantile(\(share), sum by (le) (rate(\(buckets)\(selector)[\(visit.window.rate)])))"
            let points = try await visit.client.range(query, visit.window).first?.points ?? []
            lines.append(TimeChart.Line(name: name, hue: hue, points: points.filter { $0.value.isFinite }))
        }
        return lines.allSatisfy { $0.points.isEmpty } ? [] : lines
    }

    private static func routes(_ visit: Visit) async throws -> HTML {
        let found = try await RED.each(
            ["job", "http_request_method", "http_route"], counter: counter,
            failed: "\(counter){http_response_status_code=~\"5..\"}", buckets: buckets, visit)
        let rows = found.filter { $0.red.rate > 0 }.prefix(40).map { labels, red -> HTML in
            let name = "\(labels["http_request_method"] ?? "") \(labels["http_route"] ?? "")"
            let address = visit.link("traces", [("service", labels["job"]), ("operation", name)])
            return "<tr><th scope=\"row\"><a href=\"\(address)\">\(name)</a></th>\(red.cells(visit.window))</tr>"
        }
        guard !rows.isEmpty else { return "" }
        return """
            <h2>Routes</h2>\(Frame.table("Means over the \(visit.window.words), without ready answers", [Frame.head("Route")] + RED.heads, Array(rows)))
            """
    }

    // MARK: Around it

    private static func dependencies(_ visit: Visit) async throws -> HTML {
        let (client, window) = (visit.client, visit.window)
        async let up = client.range("min by (job, dependency) (vitrine_health_dependency_up)", window)
        async let latency = client.instant(
            "max by (job, dependency) (vitrine_health_dependency_latency_seconds)", window)
        async let breakers = client.instant("max by (job, name) (resilience_breaker_state_ratio)", window)
        async let targets = client.range("up", window)
        let times = Dictionary(try await latency.map { ($0.labels, $0.last) }, uniquingKeysWith: { $1 })
        var rows = try await up.map { series -> HTML in
            let (isUp, word) = state(series, window)
            let share =
                series.points.isEmpty ? 0 : series.points.reduce(0) { $0 + $1.value } / Double(series.points.count)
            return row(
                series.labels["dependency"] ?? "", word, isBad: !isUp,
                "\(Quantity.share.text(share)) of the time · \(Quantity.seconds.text(times[series.labels] ?? nil))",
                Sparkline.html(series.points, window, hue: isUp ? "ok" : "bad"))
        }
        rows += try await breakers.map { series in
            let value = series.last ?? 0
            let state = value >= 2 ? "open" : value >= 1 ? "half-open" : "closed"
            return row("breaker \(series.labels["name"] ?? "")", state, isBad: value >= 1, "now", "")
        }
        rows += try await targets.map { series in
            let (isUp, word) = state(series, window)
            return row(
                "target \(series.labels["instance"] ?? "")", word, isBad: !isUp, series.labels["job"] ?? "",
                Sparkline.html(series.points, window, hue: isUp ? "ok" : "bad"))
        }
        guard !rows.isEmpty else { return "" }
        return "<h2>Dependencies</h2>"
            + Frame.table(
                "State now, and over the \(window.words)",
                [Frame.head("Dependency"), Frame.head("State"), Frame.head("Of it"), Frame.head("Over time")], rows)
    }

    private static func state(_ series: Series, _ window: TimeWindow) -> (isUp: Bool, word: String) {
        let now = window.current(series.points)
        return (now == 1, now.map { $0 == 1 ? "up" : "down" } ?? "not heard of")
    }

    private static func row(_ name: String, _ state: String, isBad: Bool, _ about: String, _ drawing: HTML) -> HTML {
        """
        <tr><th scope="row">\(name)</th><td><span class="state \(isBad ? "bad" : "ok")">\(state)</span></td>\
        <td>\(about)</td><td class="sparkcell">\(drawing)</td></tr>
        """
    }

    /// What runs out first: each as a share of what there is, or as time that work waits.
    static func resources(_ rate: String) -> [(title: String, query: String, by: String, quantity: Quantity)] {
        [
            (
                "Processors in use", "sum by (job, instance) (rate(process_cpu_seconds_total[\(rate)]))", "instance",
                .count
            ),
            ("Memory", "sum by (job, instance) (process_resident_memory_bytes)", "instance", .bytes),
            (
                "Event loops come late, 99 %",
                "histogram_quantile(0.99, sum by (job, le) (rate(vitrine_runtime_event_loop_delay_seconds_bucket[\(rate)])))",
                "job", .seconds
            ),
            (
                "Wait for a database connection, 99 %",
                "histogram_quantile(0.99, sum by (db_operation_name, le) (rate(db_client_connection_wait_time_seconds_bucket[\(rate)])))",
                "db_operation_name", .seconds
            ),
            ("Files open, share", "max by (job, instance) (process_open_fds / process_max_fds)", "instance", .share),
            ("Events wait to be told", "max by (consumer) (vitrine_relay_lag_seconds)", "consumer", .seconds),
        ]
    }

    private static func saturation(_ visit: Visit) async throws -> HTML {
        let charts = resources(visit.window.rate)
        let drawn = try await withThrowingTaskGroup(of: (Int, HTML).self) { group in
            for (place, chart) in charts.enumerated() {
                group.addTask {
                    let series = try await visit.client.range(chart.query, visit.window)
                    let lines = series.map { series in
                        let name = series.labels[chart.by] ?? ""
                        return TimeChart.Line(
                            name: name, hue: String(Hue.of(name)), points: series.points.filter { $0.value.isFinite })
                    }
                    guard lines.contains(where: { !$0.points.isEmpty }) else { return (place, "") }
                    let link = visit.link("metrics", [("query", chart.query)])
                    let drawing = TimeChart(
                        title: chart.title, window: visit.window, quantity: chart.quantity, lines: lines,
                        links: [("query", link)])
                    return (place, drawing.html)
                }
            }
            return try await group.reduce(into: [Int: HTML]()) { $0[$1.0] = $1.1 }
        }
        let pieces = charts.indices.compactMap { drawn[$0] }.filter { !$0.isEmpty }
        return pieces.isEmpty ? "" : "<h2>Saturation</h2><div class=\"charts small\">\(pieces)</div>"
    }
}
