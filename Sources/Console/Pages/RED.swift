// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Rate, errors and duration of something over a window.
struct RED: Sendable {
    /// How many points there are of what was there all the time.
    let steps: Double
    var rates: [(time: Double, value: Double)] = []
    var errors: [(time: Double, value: Double)] = []
    /// Seconds, over the whole window.
    var median: Double?
    var p99: Double?

    /// The mean over the window, a second.
    var rate: Double { rates.reduce(0) { $0 + $1.value } / max(1, steps) }

    /// 0 to 1.
    var errorShare: Double {
        let all = rates.reduce(0) { $0 + $1.value }
        return all > 0 ? errors.reduce(0) { $0 + $1.value } / all : 0
    }

    /// Whether so much fails that somebody should look.
    var isBad: Bool { errorShare > 0.01 }

    /// One for each combination of values of `names`, the busiest first. `counter` is a selector of calls, `failed` of those that
    /// failed, `buckets` of how long they took in seconds.
    static func each(
        _ names: [String], counter: String, failed: String, buckets: String, _ visit: Visit
    ) async throws -> [(labels: [String: String], red: RED)] {
        let (client, window, by) = (visit.client, visit.window, names.joined(separator: ", "))
        func quantile(_ share: Double) -> String {
            "histogram_quantile(\(share), sum by (\(by), le) (rate(\(buckets)[\(window.whole)])))"
        }
        async let rates = client.range("sum by (\(by)) (rate(\(counter)[\(window.rate)]))", window)
        async let errors = client.range("sum by (\(by)) (rate(\(failed)[\(window.rate)]))", window)
        async let medians = client.instant(quantile(0.5), window)
        async let p99s = client.instant(quantile(0.99), window)
        var found: [[String: String]: RED] = [:]
        for series in try await rates { found[series.labels, default: RED(steps: window.steps)].rates = series.points }
        for series in try await errors {
            found[series.labels, default: RED(steps: window.steps)].errors = series.points
        }
        for series in try await medians { found[series.labels]?.median = series.last }
        for series in try await p99s { found[series.labels]?.p99 = series.last }
        return found.map { (labels: $0.key, red: $0.value) }.sorted { left, right in
            let (a, b) = (left.red.rate, right.red.rate)
            return a != b ? a > b : left.labels.description < right.labels.description
        }
    }

    /// Cells of a row: rate, errors, durations and how the rate went.
    func cells(_ window: TimeWindow) -> HTML {
        """
        \(Frame.number(Quantity.perSecond.text(rate)))\(Frame.number(Quantity.share.text(errorShare), isBad: isBad))\
        \(Frame.number(Quantity.seconds.text(median)))\(Frame.number(Quantity.seconds.text(p99)))\
        <td class="sparkcell">\(Sparkline.html(rates, window))</td>
        """
    }

    static let heads: [HTML] = [
        Frame.head("Rate", isNumber: true), Frame.head("Failed", isNumber: true),
        Frame.head("Half take", isNumber: true), Frame.head("99 % take", isNumber: true), Frame.head("Rate over time"),
    ]
}

/// The metrics that the store makes of spans, by what they are asked for.
enum SpanSeries {
    private static let incoming = "span_kind=~\"SPAN_KIND_(SERVER|CONSUMER)\""

    static func calls(_ more: String = incoming) -> String { "traces_spanmetrics_calls_total{\(more)}" }

    static func failed(_ more: String = incoming) -> String {
        "traces_spanmetrics_calls_total{status_code=\"STATUS_CODE_ERROR\",\(more)}"
    }

    static func buckets(_ more: String = incoming) -> String { "traces_spanmetrics_latency_bucket{\(more)}" }

    static func incoming(of service: String) -> String { "service=\(service.promQL),\(incoming)" }
}

extension String {
    /// As a text of PromQL or LogQL.
    var promQL: String {
        "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }
}
