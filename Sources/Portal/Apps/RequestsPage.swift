// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What an app has asked of the shop, latest first, and what came of it.
struct RequestsPage: Sendable {
    let visit: Visit
    let app: JSON
    let requests: ShopAPI.Reply
    /// Whether there is a sandbox, which keeps its own.
    let hasSandbox: Bool

    /// What can be looked for, by the names that the API has for it.
    private static let fields = [
        ("status", "Status, as 404 or 4xx"), ("method", "Method"), ("route", "Address, as /v1/orders/{id}"),
        ("problem", "Problem, by its code"), ("request_id", "Request"), ("trace_id", "Trace"),
    ]

    /// What the API is asked for: what the form says, and the cursor of another page.
    static func query(_ visit: Visit) -> String {
        let names = fields.map(\.0) + ["cursor"]
        let given = names.compactMap { name in
            visit.query[name].flatMap { $0.isEmpty ? nil : "\(name)=\(PercentEncoding.encode($0))" }
        }
        return "?" + (given + ["limit=50"]).joined(separator: "&")
    }

    private var address: String { "/developers/apps/" + (app["id"]?.string ?? "") }

    var page: PortalPage {
        PortalPage(
            title: "Requests of " + (app["name"]?.string ?? ""),
            body: """
                \(Notice.wrong(requests.trouble))<section><form method="get" action="\(address)/requests">
                <div class="filter">\(Self.fields.map(input))</div><button>Look</button></form></section>
                <section>\(list)\(older)</section><p class="quiet">They are kept for thirty days, and of an app 100,000 at most: 600 a
                minute, and again so many that failed. What came without a good token is not among them. \(hasSandbox ? sandbox : "")</p><p><a href="\(address)">Back to the app</a></p>
                """, status: requests.isDone ? 200 : 422)
    }

    private func input(_ name: String, _ title: String) -> HTML {
        "<label><span>\(title)</span><input name=\"\(name)\" value=\"\(visit.query[name] ?? "")\"></label>"
    }

    private var sandbox: HTML {
        """
        What the app asks in the sandbox, the sandbox knows:
        <a href="/developers/reference/listOwnRequests?as=\(app["id"]?.string ?? "")#try">ask it</a>.
        """
    }

    private var list: HTML {
        let rows = requests.items.map(row)
        return rows.isEmpty ? "<p>There is none.</p>" : "<ul class=\"rows requests\">\(rows)</ul>"
    }

    private func row(_ request: JSON) -> HTML {
        func text(_ name: String) -> String { request[name]?.string ?? "" }
        let status = request["status"]?.integer ?? 0
        let problem: HTML =
            request["problem"]?.string.map { code in
                " <a href=\"/problems/\(code.replacing("_", with: "-"))\">\(code)</a>"
            } ?? ""
        let trace: HTML = request["trace_id"]?.string.map { ", trace <code>\($0)</code>" } ?? ""
        let time = Double(request["duration_microseconds"]?.integer ?? 0) / 1_000
        return """
            <li><span><code>\(text("method")) \(text("route"))</code>
            <span class="quiet">\(text("at")), request <code>\(text("request_id"))</code>\(trace)</span></span>
            <span><strong class="\(status < 400 ? "good" : "bad")">\(String(status))</strong>\(problem)
            <span class="quiet">\(String((time * 10).rounded() / 10)) ms</span></span></li>
            """
    }

    private var older: HTML {
        guard let next = requests.json["next"]?.string, let start = next.firstIndex(of: "?") else { return "" }
        return "<p><a href=\"\(address)/requests\(String(next[start...]))\">Older ones</a></p>"
    }
}
