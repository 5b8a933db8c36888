// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What telemetry takes, who sends it, and what was refused.
enum Storage {
    static func page(_ visit: Visit) -> Page {
        Page(
            title: "Storage", tab: .storage, sections: [Section("storage") { try await storage(visit) }], isLive: false)
    }

    private static func storage(_ visit: Visit) async throws -> HTML {
        let data = try await visit.client.get("/api/v1/status/storage")["data"] ?? .null
        let signals = (data["signals"]?.array ?? []).map { signal -> HTML in
            let (bytes, packed) = (signal["bytes"]?.number ?? 0, signal["packed"]?.number ?? 0)
            let each = packed > 0 ? String(Double(Int(bytes / packed * 100)) / 100) + " B" : "–"
            let budget = signal["budget_bytes"]?.number ?? 0
            return """
                <tr><th scope="row">\(signal["signal"]?.string ?? "")</th>\(Frame.number(Quantity.bytes.text(bytes)))\
                <td class="funnel">\(Quantity.share.text(bytes / max(1, budget))) of \(Quantity.bytes.text(budget))\(Frame.bar(bytes / max(1, budget)))</td>\
                \(Frame.number(Quantity.count.text(signal["records"]?.number)))\(Frame.number(each))\(Frame.number(Quantity.count.text(signal["parts"]?.number)))\
                <td>\(signal["oldest"]?.string.map { "since \($0.prefix(16).replacing("T", with: " "))" } ?? "–")</td></tr>
                """
        }
        let damaged = (data["damaged"]?.array ?? []).compactMap(\.string)
        let alarm: HTML =
            damaged.isEmpty
            ? "" : "<p class=\"notice\" role=\"alert\">Damaged and set aside: \(damaged.joined(separator: ", ")).</p>"
        return """
            \(alarm)\(Frame.table("What is kept, now", [Frame.head("Signal")] + ["On disk"].map { Frame.head($0, isNumber: true) } + [Frame.head("Of its budget")] + ["Records", "Bytes each", "Parts"].map { Frame.head($0, isNumber: true) } + [Frame.head("Reaches back")], signals))
            <p class="about">Beside it \(Quantity.bytes.text(data["log_bytes"]?.number)) of log, in which all that has just come is safe. \
            Kept for \(data["days"]?.plain ?? "–") days.</p>
            <div class="columns"><div><h2>Series by metric</h2>\(list(data["metrics"], "Series now", data["series_max"]?.number))</div>\
            <div><h2>Series by sender</h2>\(list(data["senders"], "Series now", nil))</div></div>
            """
    }

    private static func list(_ json: JSON?, _ title: String, _ budget: Double?) -> HTML {
        let items = json?.array ?? []
        let most = max(items.compactMap { $0["series"]?.number }.max() ?? 1, 1)
        let rows = items.map { item -> HTML in
            let series = item["series"]?.number ?? 0
            let excess = item["excess"]?.number ?? 0
            let more: HTML =
                excess > 0 ? " <b class=\"bad\">\(Quantity.count.text(excess)) samples beyond the budget</b>" : ""
            return """
                <tr><th scope="row"><code>\(item["name"]?.string ?? "")</code>\(more)</th><td class="n funnel">\(Quantity.count.text(series))\(Frame.bar(series / (budget ?? most)))</td></tr>
                """
        }
        let caption = budget.map { "The largest; a metric may have \(Quantity.count.text($0))" } ?? "The largest"
        return Frame.table(caption, [Frame.head("Name"), Frame.head(title, isNumber: true)], rows)
    }
}
