// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Who calls whom, callers on the left.
struct ServiceMap {
    struct Node {
        let name: String
        /// Calls a second that come to it, and which share of them failed; `nil` where only its callers know it.
        var rate: Double?
        var errors: Double?
        var address: String?
    }

    struct Edge: Hashable {
        let caller: String
        let callee: String
        let rate: Double
        /// Which share failed.
        let errors: Double
    }

    let nodes: [Node]
    let edges: [Edge]

    private static let (columnWidth, rowHeight, boxWidth, boxHeight) = (250, 74, 170, 46)

    /// In which column each node stands: one further right than all that call it, as far as calls go round in no circle.
    var columns: [String: Int] {
        var callees: [String: [String]] = [:]
        for edge in edges where edge.caller != edge.callee { callees[edge.caller, default: []].append(edge.callee) }
        var (columns, onPath): ([String: Int], Set<String>) = ([:], [])
        func place(_ name: String, _ column: Int) {
            guard column > columns[name] ?? -1, onPath.insert(name).inserted else { return }
            columns[name] = column
            for callee in callees[name] ?? [] { place(callee, column + 1) }
            onPath.remove(name)
        }
        let called = Set(edges.filter { $0.caller != $0.callee }.map(\.callee))
        for node in nodes where !called.contains(node.name) { place(node.name, 0) }
        // Those who only call each other.
        for node in nodes where columns[node.name] == nil { place(node.name, 0) }
        return columns
    }

    var html: HTML {
        let columns = columns
        var rows: [Int: Int] = [:]
        var places: [String: (x: Int, y: Int)] = [:]
        for node in nodes {
            let column = columns[node.name] ?? 0
            places[node.name] = (10 + column * Self.columnWidth, 10 + rows[column, default: 0] * Self.rowHeight)
            rows[column, default: 0] += 1
        }
        let width = (columns.values.max() ?? 0) * Self.columnWidth + Self.boxWidth + 20
        let height = ((rows.values.max() ?? 1) - 1) * Self.rowHeight + Self.boxHeight + 20
        let lines = edges.compactMap { edge in
            places[edge.caller].flatMap { from in places[edge.callee].map { line(edge, from, $0) } }
        }
        let boxes = nodes.compactMap { node in places[node.name].map { box(node, $0) } }
        return """
            <div class="scroll"><svg class="map" viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" \
            role="group" aria-label="\(words)">\(lines)\(boxes)</svg></div>
            """
    }

    private func line(_ edge: Edge, _ from: (x: Int, y: Int), _ to: (x: Int, y: Int)) -> HTML {
        let (startX, startY) = (from.x + Self.boxWidth, from.y + Self.boxHeight / 2)
        let (endX, endY) = (to.x - 6, to.y + Self.boxHeight / 2)
        let half = max(40, abs(endX - startX) / 2)
        let weight = edge.rate >= 100 ? 4 : edge.rate >= 10 ? 3 : edge.rate >= 1 ? 2 : 1
        let words =
            "\(edge.caller) to \(edge.callee): \(Quantity.perSecond.text(edge.rate)), \(Quantity.share.text(edge.errors)) failed"
        return """
            <g><path class="edge w\(weight)\(edge.errors > 0.01 ? " bad" : "")" \
            d="M\(startX) \(startY)C\(startX + half) \(startY) \(endX - half) \(endY) \(endX) \(endY)"/>\
            <path class="arrow" d="M\(endX - 1) \(endY - 4)l7 4l-7 4z"/>\
            <text class="rate" x="\((startX + endX) / 2)" y="\((startY + endY) / 2 - 5)">\(Quantity.perSecond.text(edge.rate))</text>\
            <title>\(words)</title></g>
            """
    }

    private func box(_ node: Node, _ place: (x: Int, y: Int)) -> HTML {
        let isBad = (node.errors ?? 0) > 0.01
        let below =
            node.rate.map { "\(Quantity.perSecond.text($0)) · \(Quantity.share.text(node.errors ?? 0)) failed" }
            ?? "seen by its callers"
        let name = node.name.count > 22 ? node.name.prefix(21) + "…" : node.name
        let drawing: HTML = """
            <rect class="box\(isBad ? " bad" : node.rate == nil ? " far" : "")" x="\(place.x)" y="\(place.y)" \
            width="\(Self.boxWidth)" height="\(Self.boxHeight)" rx="6"/>\
            <rect class="f\(Hue.of(node.name))" x="\(place.x)" y="\(place.y)" width="5" height="\(Self.boxHeight)" rx="2"/>\
            <text class="name" x="\(place.x + 14)" y="\(place.y + 20)">\(String(name))</text>\
            <text class="rate" x="\(place.x + 14)" y="\(place.y + 37)">\(below)</text>
            """
        return node.address.map { "<a href=\"\($0)\">\(drawing)</a>" } ?? drawing
    }

    private var words: String {
        "Map of services. " + edges.map { "\($0.caller) calls \($0.callee)" }.joined(separator: ", ")
    }
}
