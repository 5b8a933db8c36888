// SPDX-License-Identifier: Apache-2.0

internal import Web

/// The way of shoppers through the shop, step by step: how many get there, how it goes, and one who did not get on.
enum Journeys {
    struct Step {
        let title: String
        /// A selector of how many got there.
        let count: String
        /// A histogram, and the labels of its series that belong to the step.
        let metric: String
        let labels: String
        /// What of them is a failure of ours.
        let failed: String
        /// A selector of what is a no to the shopper.
        let refused: String
        /// The span of a step.
        let operation: String
    }

    private static func request(_ title: String, _ method: String, _ route: String, count: String? = nil) -> Step {
        let (metric, labels) = (
            "http_server_request_duration_seconds", "http_request_method=\"\(method)\",http_route=\"\(route)\""
        )
        return Step(
            title: title, count: count ?? "\(metric)_count{\(labels)}", metric: metric, labels: labels,
            failed: "http_response_status_code=~\"5..\"",
            refused: "\(metric)_count{\(labels),http_response_status_code=~\"4..\"}", operation: "\(method) \(route)")
    }

    static let steps = [
        request("Browse", "GET", "/v1/products"), request("Look at a product", "GET", "/v1/products/{id}"),
        request("Begin a cart", "POST", "/v1/carts"),
        request(
            "Put something in", "POST", "/v1/carts/{id}/lines", count: "vitrine_carts_steps_total{step=\"filled\"}"),
        request("Order", "POST", "/v1/orders"),
        Step(
            title: "Pay",
            count:
                "vitrine_payments_request_duration_seconds_count{operation=\"payment.authorize\",outcome=\"answered\"}",
            metric: "vitrine_payments_request_duration_seconds", labels: "operation=\"payment.authorize\"",
            failed: "outcome=~\"failed|not_asked\"", refused: "vitrine_payments_declined_total",
            operation: "payment.authorize"),
    ]

    static func page(_ visit: Visit) -> Page {
        Page(title: "Journeys", tab: .journeys, sections: [Section("funnel") { try await funnel(visit) }])
    }

    private static func funnel(_ visit: Visit) async throws -> HTML {
        let found = try await withThrowingTaskGroup(of: (Int, Taken).self) { group in
            for (place, step) in steps.enumerated() {
                group.addTask { (place, try await take(step, visit)) }
            }
            return try await group.reduce(into: [Int: Taken]()) { $0[$1.0] = $1.1 }
        }
        let taken = steps.indices.compactMap { found[$0] }
        let most = max(taken.map(\.count).max() ?? 0, 1)
        guard taken.contains(where: { $0.count > 0 }) else {
            return "<p class=\"empty\">Nobody was in the shop, \(visit.window.words).</p>"
        }
        async let ready = visit.client.number(
            "sum(increase(vitrine_ready_answers_served_total[\(visit.window.whole)]))", visit.window)
        async let placed = visit.client.number(
            "sum(increase(vitrine_orders_placed_total[\(visit.window.whole)]))", visit.window)
        let rows = zip(steps, taken).enumerated().map { place, pair in
            row(pair.0, pair.1, before: place > 0 ? taken[place - 1].count : nil, most, visit)
        }
        let heads: [HTML] =
            [Frame.head("Step"), Frame.head("How many")]
            + ["Of the step before", "Failed", "Refused", "Half take", "99 % take"].map {
                Frame.head($0, isNumber: true)
            } + [Frame.head("Who did not get on")]
        return """
            \(Frame.table("Who takes each step, \(visit.window.words)", heads, rows))
            <p class="about">\(Quantity.count.text(try await placed.map { $0.rounded() })) orders were placed. \
            \(Quantity.count.text(try await ready.map { $0.rounded() })) answers about products came ready from memory and are in no step.</p>
            """
    }

    private struct Taken: Sendable {
        var count = 0.0
        /// Attempts, of which there may be several for one who takes the step.
        var requests = 0.0
        var failed = 0.0
        var refused = 0.0
        var median: Double?
        var p99: Double?
        var example: TraceSummary?
    }

    private static func take(_ step: Step, _ visit: Visit) async throws -> Taken {
        let (client, window) = (visit.client, visit.window)
        func count(_ selector: String) async throws -> Double {
            try await client.number("sum(increase(\(selector)[\(window.whole)]))", window) ?? 0
        }
        func quantile(_ share: Double) async throws -> Double? {
            try await client.number(
                "histogram_quantile(\(share), sum by (le) (rate(\(step.metric)_bucket{\(step.labels)}[\(window.whole)])))",
                window)
        }
        async let all = count(step.count)
        async let requests = count("\(step.metric)_count{\(step.labels)}")
        async let failed = count("\(step.metric)_count{\(step.labels),\(step.failed)}")
        async let refused = count(step.refused)
        async let median = quantile(0.5)
        async let p99 = quantile(0.99)
        var taken = Taken(
            count: try await all, requests: try await requests, failed: try await failed, refused: try await refused,
            median: try await median, p99: try await p99)
        if taken.failed + taken.refused > 0 { taken.example = try await example(step, visit) }
        return taken
    }

    /// Somebody who met a failure; or else was told no, for want of money or of stock.
    private static func example(_ step: Step, _ visit: Visit) async throws -> TraceSummary? {
        for tag in ["error:true", "http.response.status_code:402", "http.response.status_code:409"] {
            let found = try await visit.client.traces(
                visit.window.searched + [("operation", step.operation), ("limit", "1"), ("tag", tag)])
            if let trace = found.first { return trace }
        }
        return nil
    }

    private static func row(_ step: Step, _ taken: Taken, before: Double?, _ most: Double, _ visit: Visit) -> HTML {
        let (all, seconds) = (max(taken.requests, 1), Quantity.seconds)
        let share = before.map { $0 > 0 ? taken.count / $0 : .nan }
        let example: HTML =
            taken.example.map { trace in
                "<a href=\"\(visit.link("traces/\(trace.id)"))\">at \(Clock.time(Double(trace.start) / 1e6))</a>"
            } ?? "–"
        return """
            <tr><th scope="row"><a href="\(visit.link("traces", [("operation", step.operation)]))">\(step.title)</a> <small>\(step.operation)</small></th>\
            <td class="funnel"><b>\(Quantity.count.text(taken.count.rounded()))</b>\(Frame.bar(taken.count / most))</td>\
            \(Frame.number(Quantity.share.text(share)))\(Frame.number(Quantity.share.text(taken.failed / all), isBad: taken.failed > 0.01 * all))\
            \(Frame.number(Quantity.share.text(taken.refused / all)))\(Frame.number(seconds.text(taken.median)))\(Frame.number(seconds.text(taken.p99)))\
            <td>\(example)</td></tr>
            """
    }
}
