// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Console

/// Dashboards for Grafana, as it would read and ask them.
struct DashboardTests {
    private static func json(_ tags: String?) -> String {
        let parts = (tags ?? "").split(separator: "=").map(String.init)
        return parts.count == 2 ? JSON.object([.init(parts[0], .string(parts[1]))]).text : "no name=value"
    }

    @Test(arguments: GrafanaDashboard.all)
    func `every query is answered, and no panel lies on another`(dashboard: GrafanaDashboard) async throws {
        let json = try JSON.parse(Array(dashboard.json.prettyText.utf8))
        let panels = try #require(json["panels"]?.array)
        #expect(json["uid"]?.string?.isEmpty == false && json["schemaVersion"]?.integer == 39 && !panels.isEmpty)
        var taken: Set<[Int64]> = []
        for panel in panels {
            let place = ["x", "y", "w", "h"].map { panel["gridPos"]?[$0]?.integer ?? -1 }
            for x in place[0]..<(place[0] + place[2]) {
                for y in place[1]..<(place[1] + place[3]) { #expect(x < 24 && taken.insert([x, y]).inserted) }
            }
        }
        #expect(Set(panels.map { $0["id"]?.integer }).count == panels.count)
        let variables = Set((json["templating"]?["list"]?.array ?? []).compactMap { $0["name"]?.string })
        try await TestObservatory.run { observatory in
            for panel in panels {
                let source = panel["datasource"]?["type"]?.string ?? ""
                #expect(variables.contains(source))
                for target in panel["targets"]?.array ?? [] {
                    let query = (target["expr"]?.string ?? "").replacing("$__rate_interval", with: "1m")
                        .replacing("$__range", with: "15m").replacing("$__interval", with: "10s")
                    let answer =
                        switch source {
                        case "loki": try await observatory.get("/loki/api/v1/query_range", [("query", query)])
                        case "jaeger":
                            // Grafana makes JSON of what is written as name=value.
                            try await observatory.get(
                                "/api/traces",
                                [
                                    ("tags", Self.json(target["tags"]?.string)),
                                    ("limit", "\(target["limit"]?.integer ?? -1)"),
                                ])
                        default: try await observatory.get("/api/v1/query", [("query", query)])
                        }
                    #expect(answer.status == 200, "\(query): \(answer.text.prefix(200))")
                }
            }
        }
    }
}
