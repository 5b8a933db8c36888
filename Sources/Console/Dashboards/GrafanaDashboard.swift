// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A page of the console as a dashboard that Grafana imports, over the observatory as its data source.
package struct GrafanaDashboard: Sendable {
    /// A panel, as wide as half the dashboard unless it is wide.
    struct Panel {
        enum Kind: String { case timeseries, stat, bargauge, table, logs }
        enum Source: String, CaseIterable { case prometheus, loki, jaeger }

        let title: String
        var kind = Kind.timeseries
        var source = Source.prometheus
        /// Each with how its series are called.
        let queries: [(query: String, legend: String)]
        /// As Grafana names units.
        var unit = "short"
        var isWide = false
        var isStacked = false
    }

    let name: String
    let title: String
    let panels: [Panel]

    package var file: String { "vitrine-\(name).json" }

    /// The range over which Grafana takes rates: it knows how often samples come.
    private static let rate = "$__rate_interval"

    private static let requests = "http_server_request_duration_seconds"

    package static let all = [
        GrafanaDashboard(
            name: "overview", title: "Vitrine: overview",
            panels: [
                Panel(
                    title: "Orders placed a minute", kind: .stat,
                    queries: [("sum(rate(vitrine_orders_placed_total[\(rate)])) * 60", "orders")]),
                Panel(
                    title: "Revenue a minute", kind: .stat,
                    queries: [("sum by (currency) (rate(vitrine_revenue_total[\(rate)])) * 60", "{{currency}}")]),
                Panel(
                    title: "Requests a second, by status",
                    queries: [
                        (
                            "sum by (http_response_status_code) (rate(\(requests)_count[\(rate)]))",
                            "{{http_response_status_code}}"
                        ),
                        ("sum(rate(vitrine_ready_answers_served_total[\(rate)]))", "ready answers"),
                    ], unit: "reqps", isStacked: true),
                Panel(title: "Time to answer", queries: quantiles("\(requests)_bucket", ""), unit: "s"),
                Panel(
                    title: "Requests a second, by route",
                    queries: [
                        (
                            "sum by (http_request_method, http_route) (rate(\(requests)_count[\(rate)]))",
                            "{{http_request_method}} {{http_route}}"
                        )
                    ],
                    unit: "reqps"),
                Panel(
                    title: "Failed, by route",
                    queries: [
                        (
                            "sum by (http_route) (rate(\(requests)_count{http_response_status_code=~\"5..\"}[\(rate)]))",
                            "{{http_route}}"
                        )
                    ],
                    unit: "reqps"),
                Panel(
                    title: "Dependencies up",
                    queries: [("min by (dependency) (vitrine_health_dependency_up)", "{{dependency}}")]),
            ]
                + Overview.resources(rate).map { resource in
                    Panel(
                        title: resource.title, queries: [(resource.query, "{{\(resource.by)}}")],
                        unit: unit(resource.quantity))
                } + [failures]),
        GrafanaDashboard(
            name: "services", title: "Vitrine: services",
            panels: [
                Panel(
                    title: "Calls a second",
                    queries: [("sum by (service) (rate(\(SpanSeries.calls())[\(rate)]))", "{{service}}")], unit: "reqps"
                ),
                Panel(
                    title: "Failed",
                    queries: [("sum by (service) (rate(\(SpanSeries.failed())[\(rate)]))", "{{service}}")],
                    unit: "reqps"),
                Panel(
                    title: "99 % take",
                    queries: [
                        (
                            "histogram_quantile(0.99, sum by (service, le) (rate(\(SpanSeries.buckets())[\(rate)])))",
                            "{{service}}"
                        )
                    ],
                    unit: "s"),
                Panel(
                    title: "Who calls whom",
                    queries: [
                        (
                            "sum by (client, server) (rate(traces_service_graph_request_total[\(rate)]))",
                            "{{client}} to {{server}}"
                        )
                    ],
                    unit: "reqps"),
                Panel(
                    title: "Calls that fail",
                    queries: [
                        (
                            "sum by (client, server) (rate(traces_service_graph_request_failed_total[\(rate)]))",
                            "{{client}} to {{server}}"
                        )
                    ],
                    unit: "reqps", isWide: true),
                failures,
            ]),
        GrafanaDashboard(
            name: "logs", title: "Vitrine: logs",
            panels: [
                Panel(
                    title: "Lines, by level", source: .loki,
                    queries: [("sum by (level) (count_over_time({service_name=~\".+\"}[$__interval]))", "{{level}}")],
                    isWide: true, isStacked: true),
                Panel(
                    title: "Lines", kind: .logs, source: .loki, queries: [("{service_name=~\".+\"}", "")], isWide: true),
            ]),
        GrafanaDashboard(
            name: "journeys", title: "Vitrine: journeys",
            panels: [
                Panel(
                    title: "Who takes each step", kind: .bargauge,
                    queries: Journeys.steps.map { ("sum(increase(\($0.count)[$__range]))", $0.title) }, isWide: true),
                Panel(
                    title: "Failed",
                    queries: Journeys.steps.map {
                        ("sum(rate(\($0.metric)_count{\($0.labels),\($0.failed)}[\(rate)]))", $0.title)
                    }, unit: "reqps"),
                Panel(
                    title: "99 % take",
                    queries: Journeys.steps.map {
                        (
                            "histogram_quantile(0.99, sum by (le) (rate(\($0.metric)_bucket{\($0.labels)}[\(rate)])))",
                            $0.title
                        )
                    }, unit: "s"),
            ]),
    ]

    private static let failures = Panel(
        title: "Traces with an error", kind: .table, source: .jaeger, queries: [("error=true", "")], isWide: true)

    private static func quantiles(_ buckets: String, _ selector: String) -> [(query: String, legend: String)] {
        [("0.5", "half"), ("0.95", "95 %"), ("0.99", "99 %")].map { share, name in
            ("histogram_quantile(\(share), sum by (le) (rate(\(buckets)\(selector)[\(rate)])))", name)
        }
    }

    private static func unit(_ quantity: Quantity) -> String {
        switch quantity {
        case .seconds: "s"
        case .bytes: "bytes"
        case .share: "percentunit"
        case .perSecond: "reqps"
        case .count, .money: "short"
        }
    }
}

// MARK: As Grafana imports it

extension GrafanaDashboard {
    package var json: JSON {
        [
            "uid": .string("vitrine-\(name)"), "title": .string(title), "tags": ["vitrine"], "schemaVersion": 39,
            "editable": true, "refresh": "10s", "timezone": "utc", "time": ["from": "now-15m", "to": "now"],
            "templating": ["list": .array(sources.map(Self.variable))], "panels": .array(placed),
        ]
    }

    private var sources: [Panel.Source] {
        Panel.Source.allCases.filter { source in panels.contains { $0.source == source } }
    }

    /// Lets whoever imports it choose the data source.
    private static func variable(_ source: Panel.Source) -> JSON {
        [
            "name": .string(source.rawValue), "type": "datasource", "query": .string(source.rawValue),
            "label": .string(source.rawValue), "hide": 0,
        ]
    }

    /// Two beside each other; the grid is 24 wide.
    private var placed: [JSON] {
        var (x, y): (Int64, Int64) = (0, 0)
        return panels.enumerated().map { number, panel in
            let width: Int64 = panel.isWide ? 24 : 12
            if x + width > 24 { (x, y) = (0, y + 8) }
            defer { (x, y) = x + width == 24 ? (0, y + 8) : (x + width, y) }
            return Self.json(panel, number + 1, ["x": .integer(x), "y": .integer(y), "w": .integer(width), "h": 8])
        }
    }

    private static func json(_ panel: Panel, _ number: Int, _ place: JSON) -> JSON {
        let source: JSON = ["type": .string(panel.source.rawValue), "uid": .string("${\(panel.source.rawValue)}")]
        let targets = panel.queries.enumerated().map { place, query -> JSON in
            let reference = JSON.string(String(UnicodeScalar(UInt8(65 + place))))
            if panel.source == .jaeger {
                return [
                    "refId": reference, "datasource": source, "queryType": "search", "tags": .string(query.query),
                    "limit": 20,
                ]
            }
            return [
                "refId": reference, "datasource": source, "expr": .string(query.query),
                "legendFormat": .string(query.legend),
                "exemplar": .bool(panel.source == .prometheus && panel.unit == "s"),
            ]
        }
        let stacking: JSON = ["mode": panel.isStacked ? "normal" : "none"]
        return [
            "id": .integer(Int64(number)), "title": .string(panel.title), "type": .string(panel.kind.rawValue),
            "datasource": source, "gridPos": place, "targets": .array(targets),
            "fieldConfig": [
                "defaults": [
                    "unit": .string(panel.unit), "min": panel.kind == .timeseries ? 0 : nil,
                    "custom": panel.kind == .timeseries
                        ? ["stacking": stacking, "fillOpacity": panel.isStacked ? 40 : 5] : [:],
                ], "overrides": [],
            ], "options": panel.kind == .logs ? ["showTime": true, "enableLogDetails": true] : [:],
        ]
    }
}
