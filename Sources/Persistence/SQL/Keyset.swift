// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Pages of a list by its sort keys, at the same cost at any depth.
///
/// The last key must be unique, or elements with equal keys could be skipped. Every key must be indexed in this order.
package struct Keyset: Sendable {
    package enum Order: Sendable { case ascending, descending }

    private static let sizes = [2, 6, 11, 21, 51, 101]

    private let keys: [(expression: SQL, order: Order)]

    /// Whether one key is enough.
    package var isSingle: Bool { keys.count == 1 }

    package init(_ keys: (expression: SQL, order: Order)...) { self.keys = keys }

    /// The condition, order and limit of a page, to stand behind `WHERE … `: reads at least one row more than the page holds.
    package func clause(_ request: PageRequest) -> SQL {
        let backward = request.position?.direction == .backward
        var clause: SQL = ""
        if let position = request.position {
            clause += " AND (\(beyond(position.keys, backward: backward)))"
        }
        clause += " ORDER BY "
        for (index, key) in keys.enumerated() {
            clause += (index == 0 ? "" : ", ") + key.expression + (isAscending(key.order, backward) ? " ASC" : " DESC")
        }
        // In the text, because a planner that does not know how few rows are wanted plans for all of them; in few sizes,
        // because every text is a statement to be prepared. What is read too much is cut off with the extra row.
        let rows = Self.sizes.first { $0 > request.limit } ?? request.limit + 1
        return clause + SQL(stringLiteral: " LIMIT \(rows)")
    }

    private func beyond(_ values: [KeyValue], backward: Bool) -> SQL {
        precondition(values.count == keys.count, "A position has one value for each sort key.")
        let directions = Set(keys.map { isAscending($0.order, backward) })
        guard directions.count > 1 else {
            return row(keys.map(\.expression)) + (directions.contains(true) ? " > " : " < ")
                + row(values.map { "\($0)" })
        }
        // Row values compare all keys in one direction only, so mixed orders are spelt out: a > x OR (a = x AND b < y).
        var condition: SQL = ""
        for last in keys.indices {
            if last > 0 { condition += " OR " }
            condition += "("
            for index in 0...last {
                let (expression, order) = keys[index]
                if index > 0 { condition += " AND " }
                let comparison: SQL = index < last ? " = " : isAscending(order, backward) ? " > " : " < "
                condition += expression + comparison + "\(values[index])"
            }
            condition += ")"
        }
        return bound(values, backward: backward) + condition
    }

    private func row(_ parts: [SQL]) -> SQL {
        parts.dropFirst().reduce("(" + (parts.first ?? "")) { $0 + ", " + $1 } + ")"
    }

    // The bound on the first key is implied by the condition, and lets the engine seek instead of scan.
    private func bound(_ values: [KeyValue], backward: Bool) -> SQL {
        let (expression, order) = keys[0]
        return expression + (isAscending(order, backward) ? " >= " : " <= ") + "\(values[0])) AND ("
    }

    private func isAscending(_ order: Order, _ backward: Bool) -> Bool { (order == .ascending) != backward }
}
