// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum ReturnStore {
    private static let columns: SQL = "id, order_id, customer, external_id, total, currency, received_at, created_at"

    static func find(_ id: ReturnID, in connection: Connection) throws -> Return? {
        try returns(where: "id = \(id)", in: connection).first
    }

    static func returns(of order: OrderID, in connection: Connection) throws -> [Return] {
        try returns(where: "order_id = \(order)", in: connection)
    }

    static func returns(of customer: CustomerID, in connection: Connection) throws -> [Return] {
        try returns(where: "customer = \(customer)", in: connection)
    }

    static func page(
        externalID: String?, _ request: PageRequest, in connection: Connection
    ) throws -> Page<Return> {
        var condition: SQL = "1 = 1"
        if let externalID { condition = "external_id = \(externalID)" }
        let keyset = Keyset((expression: "id", order: .descending))
        let rows = try returns(where: condition + keyset.clause(request), in: connection, isOrdered: true)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    /// - Throws: ``OrderingError/externalIDTaken(_:existing:)``.
    static func insert(_ entry: Return, in transaction: Transaction) throws {
        do {
            _ = try transaction.nested {
                try transaction.execute(
                    """
                    INSERT INTO returns (\(columns))
                    VALUES (\(entry.id), \(entry.order), \(entry.customer), \(entry.externalID),
                        \(entry.total.thousandths), \(entry.total.currency), \(entry.receivedAt), \(entry.createdAt))
                    """)
            }
        } catch let error as DatabaseError where error.kind == .unique {
            let existing = try transaction.first(
                "SELECT id FROM returns WHERE external_id = \(entry.externalID)"
            ) { try $0.next(String.self) }
            throw OrderingError.externalIDTaken(entry.externalID ?? "", existing: existing ?? "")
        }
        for (position, line) in entry.lines.enumerated() {
            try transaction.execute(
                """
                INSERT INTO return_lines (return_id, position, order_line, variant, sku, quantity, unit_price, total)
                VALUES (\(entry.id), \(position), \(line.orderLine), \(line.variant), \(line.sku), \(line.quantity),
                    \(line.unitPrice.thousandths), \(line.total.thousandths))
                """)
        }
    }

    private static func returns(
        where condition: SQL, in connection: Connection, isOrdered: Bool = false
    ) throws -> [Return] {
        let order: SQL = isOrdered ? "" : " ORDER BY id"
        let heads = try connection.all("SELECT \(columns) FROM returns WHERE \(condition)\(order)") { row in
            let (id, order): (ReturnID, OrderID?) = (try row.next(), try row.next())
            let (customer, externalID): (CustomerID?, String?) = (try row.next(), try row.next())
            let total: Int64 = try row.next()
            return try Return(
                id: id, order: order, customer: customer, externalID: externalID, lines: [],
                total: Money(thousandths: total, row.next()), receivedAt: row.next(), createdAt: row.next())
        }
        guard !heads.isEmpty else { return [] }
        var lines: [ReturnID: [ReturnLine]] = [:]
        let currencies = Dictionary(uniqueKeysWithValues: heads.map { ($0.id, $0.total.currency) })
        try connection.forEach(
            """
            SELECT return_id, order_line, variant, sku, quantity, unit_price, total FROM return_lines
            WHERE return_id IN \(anyOf: heads.map(\.id)) ORDER BY return_id, position
            """
        ) { row in
            let id: ReturnID = try row.next()
            guard let currency = currencies[id] else { return }
            lines[id, default: []].append(
                try ReturnLine(
                    orderLine: row.next(), variant: row.next(), sku: row.next(), quantity: row.next(),
                    unitPrice: Money(thousandths: row.next(), currency), total: Money(thousandths: row.next(), currency)
                ))
        }
        return heads.map { head in
            Return(
                id: head.id, order: head.order, customer: head.customer, externalID: head.externalID,
                lines: lines[head.id] ?? [], total: head.total, receivedAt: head.receivedAt, createdAt: head.createdAt)
        }
    }
}
