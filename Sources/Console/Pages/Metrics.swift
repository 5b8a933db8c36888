// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Any metric, and what PromQL makes of it.
enum Metrics {
    static func page(_ visit: Visit) -> Page {
        let example = "sum by (http_route) (rate(http_server_request_duration_seconds_count[\(visit.window.rate)]))"
        let controls = Frame.form(
            visit,
            """
            <label class="whole"><span>PromQL</span><textarea name="query" rows="2" spellcheck="false" autocomplete="off" \
            placeholder="\(example)" data-complete="/console/complete">\(visit["query"] ?? "")</textarea></label>
            """)
        guard let query = visit["query"] else {
            return Page(
                title: "Metrics", tab: .metrics, controls: controls,
                sections: [Section("list") { try await list(visit) }])
        }
        return Page(
            title: "Metrics", tab: .metrics, controls: controls,
            sections: [
                Section("answer") { try await answer(query, visit) },
                Section("labels") { try await labels(query, visit) },
            ])
    }

    private static func answer(_ query: String, _ visit: Visit) async throws -> HTML {
        let window = visit.window
        let series = try await visit.client.range(query, window)
        let quantity = quantity(of: query)
        let lines = series.sorted { ($0.last ?? 0) > ($1.last ?? 0) }.enumerated().map { place, series in
            TimeChart.Line(
                name: series.title.isEmpty ? "value" : series.title, hue: "\(place % 8)", points: series.points)
        }
        // Elsewhere than on a chart of durations they would stand on an axis of something else.
        let isOfDurations = query.contains("histogram_quantile")
        let exemplars = isOfDurations ? (try? await visit.client.exemplars(query, window)) ?? [] : []
        let shown = TimeChart(title: "", window: window, quantity: quantity, lines: lines)
        let marks = exemplars.filter { $0.value <= shown.scale.top }.prefix(60).map { exemplar in
            TimeChart.Mark(
                time: exemplar.time, value: exemplar.value, address: visit.link("traces/\(exemplar.trace)"),
                words: "\(quantity.text(exemplar.value)): open its trace")
        }
        let chart = TimeChart(
            title: "\(series.count) series, \(window.words)", window: window, quantity: quantity, lines: lines,
            marks: Array(marks))
        let rows = lines.prefix(100).map { line -> HTML in
            let values = line.points.map(\.value).filter(\.isFinite)
            let mean = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
            return """
                <tr><th scope="row"><code>\(line.name)</code></th>\(Frame.number(quantity.text(window.current(line.points))))\
                \(Frame.number(quantity.text(mean)))\(Frame.number(quantity.text(values.min())))\
                \(Frame.number(quantity.text(values.max())))</tr>
                """
        }
        return "<div class=\"charts one\">\(chart.html)</div>"
            + Frame.table(
                series.count > 100 ? "The first 100 of \(series.count) series" : "Each series",
                [Frame.head("Series")] + ["Now", "Mean", "Least", "Most"].map { Frame.head($0, isNumber: true) }, rows,
                empty: "No series fits in this time.")
    }

    /// How its values are read, as far as the names in it tell.
    private static func quantity(of query: String) -> Quantity {
        let counts = query.contains("_count") || query.contains("_bucket") && !query.contains("quantile")
        if query.contains("_bytes") { return .bytes }
        if query.contains("_seconds"), !counts, !query.contains("_seconds_total") { return .seconds }
        return .count
    }

    // MARK: Names

    private static func list(_ visit: Visit) async throws -> HTML {
        async let names = visit.client.get("/api/v1/label/__name__/values")
        async let metadata = visit.client.get("/api/v1/metadata")
        let known = try await metadata["data"]
        let abouts = Dictionary(
            (known?.members ?? []).map { ($0.name, $0.value.array?.first) }, uniquingKeysWith: { first, _ in first })
        let all = try await names["data"]?.array?.compactMap(\.string) ?? []
        // A histogram is shown once, by what it is called.
        let parts = Set(all)
        let shown = all.filter { name in
            !["_count", "_sum"].contains { name.hasSuffix($0) && parts.contains(name.dropLast($0.count) + "_bucket") }
        }
        let rows = shown.map { name -> HTML in
            let base = name.hasSuffix("_bucket") ? String(name.dropLast(7)) : name
            let about = abouts[base] ?? abouts[name] ?? nil
            let address = visit.again([("query", example(name, about?["type"]?.string, visit.window))])
            return """
                <tr><th scope="row"><a href="\(address)"><code>\(base)</code></a></th><td>\(about?["type"]?.string ?? "")</td>\
                <td>\(about?["unit"]?.string ?? "")</td><td>\(about?["help"]?.string ?? "")</td></tr>
                """
        }
        return Frame.table(
            "\(shown.count) metrics", ["Metric", "Kind", "Unit", "Meaning"].map { Frame.head($0) }, rows)
    }

    /// What is most often asked about a metric of its kind.
    static func example(_ name: String, _ kind: String?, _ window: TimeWindow) -> String {
        if name.hasSuffix("_bucket") {
            return "histogram_quantile(0.99, sum by (le) (rate(\(name)[\(window.rate)])))"
        }
        let isCounter = kind == "counter" || name.hasSuffix("_total") || name.hasSuffix("_count")
        return isCounter ? "sum by (job) (rate(\(name)[\(window.rate)]))" : name
    }

    /// The labels of the metric that is asked about, by each of which it can be split.
    private static func labels(_ query: String, _ visit: Visit) async throws -> HTML {
        let words = query.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }.map(String.init)
        guard
            let name = words.first(where: {
                $0.contains("_") && !["histogram_quantile", "label_replace", "label_join"].contains($0)
            })
        else { return "" }
        let answer = try await visit.client.get("/api/v1/labels", [("match[]", name)])
        let labels = (answer["data"]?.array ?? []).compactMap(\.string).filter { $0 != "__name__" && $0 != "le" }
        guard !labels.isEmpty else { return "" }
        let links = labels.map { label -> HTML in
            let sum: String
            if name.hasSuffix("_bucket") {
                sum = "histogram_quantile(0.99, sum by (\(label), le) (rate(\(name)[\(visit.window.rate)])))"
            } else if name.hasSuffix("_total") || name.hasSuffix("_count") || name.hasSuffix("_sum") {
                sum = "sum by (\(label)) (rate(\(name)[\(visit.window.rate)]))"
            } else {
                sum = "sum by (\(label)) (\(name))"
            }
            return "<a class=\"chip\" href=\"\(visit.again([("query", sum)]))\">\(label)</a> "
        }
        return
            "<p class=\"about\">Split <code>\(name)</code> by \(links)· <a href=\"\(visit.again([("query", nil)]))\">all metrics</a></p>"
    }

    /// Names that begin with, or else have, what is being typed.
    static func complete(_ visit: Visit) async throws -> JSON {
        let text = (visit["text"] ?? "").lowercased()
        let names =
            try await visit.client.get("/api/v1/label/__name__/values")["data"]?.array?.compactMap(\.string) ?? []
        let all = functions + names
        let found = all.filter { $0.hasPrefix(text) } + all.filter { !$0.hasPrefix(text) && $0.contains(text) }
        return .array(found.prefix(12).map { .string($0) })
    }

    private static let functions = [
        "sum by (", "avg by (", "max by (", "min by (", "count by (", "topk(", "rate(", "increase(", "irate(", "delta(",
        "histogram_quantile(", "avg_over_time(", "max_over_time(", "min_over_time(", "sum_over_time(", "label_replace(",
        "absent(", "changes(", "clamp_min(", "deriv(", "predict_linear(", "sort_desc(", "time()", "vector(",
    ]
}
