// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Kernel
internal import Persistence

enum OrderStore {
    static let columns: SQL = """
        o.id, o.number, o.external_id, o.customer, o.email, o.currency, o.state, o.subtotal, o.shipping, o.tax,
        o.total, o.refunded, o.shipping_address, o.billing_address, o.metadata, o.payment, o.cart, o.cancel_reason,
        o.placed_at, o.updated_at, o.expires_at, o.attempt_until, o.version
        """

    // MARK: Reading

    static func find(_ id: OrderID, in connection: Connection) throws -> Order? {
        let sql: SQL = "SELECT \(columns) FROM orders o WHERE o.id = \(id)\(connection.forUpdate)"
        return try withLines(connection.all(sql, order), in: connection).first
    }

    static func find(externalID: String, in connection: Connection) throws -> OrderID? {
        try connection.first("SELECT id FROM orders WHERE external_id = \(externalID)") { try $0.next() }
    }

    struct Filter: Sendable {
        var customer: CustomerID?
        var email: String?
        var number: String?
        var externalID: String?
        var state: OrderState?
        var placedFrom: Timestamp?
        var placedBefore: Timestamp?
    }

    /// Latest first.
    static func page(
        _ filter: Filter, _ request: PageRequest, withLines: Bool, in connection: Connection
    ) throws -> Page<Order> {
        var conditions: SQL = "1 = 1"
        if let customer = filter.customer { conditions += " AND o.customer = \(customer)" }
        if let email = filter.email { conditions += " AND lower(o.email) = lower(\(email))" }
        if let number = filter.number { conditions += " AND o.number = \(number)" }
        if let externalID = filter.externalID { conditions += " AND o.external_id = \(externalID)" }
        if let state = filter.state { conditions += " AND o.state = \(state)" }
        if let from = filter.placedFrom { conditions += " AND o.placed_at >= \(from)" }
        if let before = filter.placedBefore { conditions += " AND o.placed_at < \(before)" }
        let keyset = Keyset((expression: "o.placed_at", order: .descending), (expression: "o.id", order: .descending))
        let rows = try connection.all(
            "SELECT \(columns) FROM orders o WHERE \(conditions) \(keyset.clause(request))", order)
        let page = Page(rows: rows, for: request) { [.integer($0.placedAt.milliseconds), .text($0.id.rawValue)] }
        guard withLines else { return page }
        return Page(
            elements: try self.withLines(page.elements, in: connection), next: page.next, previous: page.previous)
    }

    /// Pending orders on which nobody is at work any more.
    static func unsettled(at time: Timestamp, limit: Int, in connection: Connection) throws -> [Order] {
        let sql: SQL = """
            SELECT \(columns) FROM orders o WHERE o.state = 'pending' AND o.attempt_until < \(time)
            ORDER BY o.attempt_until LIMIT \(limit)
            """
        return try withLines(connection.all(sql, order), in: connection)
    }

    private static func withLines(_ orders: [Order], in connection: Connection) throws -> [Order] {
        guard !orders.isEmpty else { return [] }
        var orders = orders
        let places = Dictionary(uniqueKeysWithValues: orders.enumerated().map { ($1.id, $0) })
        try connection.forEach(
            """
            SELECT order_id, id, variant, product, sku, title, quantity, unit_price, total, fulfilled, returned
            FROM order_lines WHERE order_id IN \(anyOf: orders.map(\.id)) ORDER BY order_id, position
            """
        ) { row in
            guard let place = places[try row.next()] else { return }
            let currency = orders[place].currency
            orders[place].lines.append(
                try OrderLine(
                    id: row.next(), variant: row.next(), product: row.next(), sku: row.next(), title: row.next(),
                    quantity: row.next(), unitPrice: Money(thousandths: row.next(), currency),
                    total: Money(thousandths: row.next(), currency), fulfilled: row.next(), returned: row.next()))
        }
        return orders
    }

    private static func order(_ row: inout Row) throws -> Order {
        let (id, number): (OrderID, String) = (try row.next(), try row.next())
        let (externalID, customer): (String?, CustomerID?) = (try row.next(), try row.next())
        let email: String? = try row.next()
        let currency: Currency = try row.next()
        let state: OrderState = try row.next()
        func money(_ row: inout Row) throws -> Money { Money(thousandths: try row.next(), currency) }
        let totals = Totals(
            subtotal: try money(&row), shipping: try money(&row), tax: try money(&row), total: try money(&row))
        let refunded = try money(&row)
        let shippingAddress = try AddressText.address(row.next())
        let billingAddress = try AddressText.address(row.next())
        return try Order(
            id: id, number: number, externalID: externalID, customer: customer, email: email, currency: currency,
            state: state, lines: [], totals: totals, refunded: refunded, shippingAddress: shippingAddress,
            billingAddress: billingAddress, metadata: row.next(), payment: row.next(), cart: row.next(),
            cancelReason: row.next(), placedAt: row.next(), updatedAt: row.next(), expiresAt: row.next(),
            attemptUntil: row.next(), version: row.next())
    }

    // MARK: Writing

    /// Writes a new order, under a number that no other has.
    ///
    /// Numbers are drawn, so that they do not tell how much a shop sells.
    static func insert(_ order: inout Order, in transaction: Transaction) throws {
        repeat { order.number = OrderNumber.make() } while try !insertHead(of: order, in: transaction)
        for (position, line) in order.lines.enumerated() {
            try transaction.send(
                """
                INSERT INTO order_lines (id, order_id, position, variant, product, sku, title, quantity, unit_price,
                    total)
                VALUES (\(line.id), \(order.id), \(position), \(line.variant), \(line.product), \(line.sku),
                    \(line.title), \(line.quantity), \(line.unitPrice.thousandths), \(line.total.thousandths))
                """)
        }
    }

    /// - Returns: `false` where another order has its number.
    private static func insertHead(of order: Order, in transaction: Transaction) throws -> Bool {
        let totals = order.totals
        return try transaction.execute(
            """
            INSERT INTO orders (id, number, external_id, customer, email, currency, state, subtotal, shipping, tax,
                total, refunded, shipping_address, billing_address, metadata, payment, cart, cancel_reason, placed_at,
                updated_at, expires_at, attempt_until, version)
            VALUES (\(order.id), \(order.number), \(order.externalID), \(order.customer), \(order.email),
                \(order.currency), \(order.state), \(totals.subtotal.thousandths), \(totals.shipping.thousandths),
                \(totals.tax.thousandths), \(totals.total.thousandths), \(order.refunded.thousandths),
                \(AddressText.text(order.shippingAddress)), \(AddressText.text(order.billingAddress)),
                \(order.metadata), \(order.payment), \(order.cart), \(order.cancelReason), \(order.placedAt),
                \(order.updatedAt), \(order.expiresAt), \(order.attemptUntil), \(order.version))
            ON CONFLICT (number) DO NOTHING
            """) == 1
    }

    /// Whether an order stands as it was written, and stays so until the transaction ends.
    static func isUnchanged(_ order: Order, in transaction: Transaction) throws -> Bool {
        try transaction.exists(
            """
            SELECT 1 FROM orders WHERE id = \(order.id) AND version = \(order.version)\(transaction.forUpdate)
            """)
    }

    /// Writes what may change, and counts the version up.
    static func update(_ order: inout Order, at time: Timestamp, in transaction: Transaction) throws {
        order.version += 1
        order.updatedAt = time
        try transaction.send(
            """
            UPDATE orders SET email = \(order.email), state = \(order.state),
                refunded = \(order.refunded.thousandths),
                shipping_address = \(AddressText.text(order.shippingAddress)),
                billing_address = \(AddressText.text(order.billingAddress)), metadata = \(order.metadata),
                payment = \(order.payment), cancel_reason = \(order.cancelReason), updated_at = \(order.updatedAt),
                expires_at = \(order.expiresAt), attempt_until = \(order.attemptUntil), version = \(order.version)
            WHERE id = \(order.id)
            """)
    }

    static func setProgress(of line: OrderLine, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE order_lines SET fulfilled = \(line.fulfilled), returned = \(line.returned) WHERE id = \(line.id)")
    }

    /// Takes a person out of the orders, and leaves the sums.
    static func anonymize(customer: CustomerID, in transaction: Transaction) throws {
        try transaction.send(
            """
            UPDATE orders SET email = NULL, shipping_address = NULL, billing_address = NULL, metadata = '{}',
                version = version + 1
            WHERE customer = \(customer)
            """)
        try transaction.execute(
            """
            UPDATE carts SET email = NULL, country = NULL, version = version + 1 WHERE customer = \(customer)
            """)
    }

    // MARK: Fulfilments

    static func insert(_ fulfilment: Fulfilment, in transaction: Transaction) throws {
        let lines = JSON.array(
            fulfilment.lines.map { ["line": .string($0.line.rawValue), "quantity": .integer(Int64($0.quantity))] })
        try transaction.send(
            """
            INSERT INTO fulfilments (id, order_id, carrier, tracking, lines, created_at)
            VALUES (\(fulfilment.id), \(fulfilment.order), \(fulfilment.carrier), \(fulfilment.tracking), \(lines),
                \(fulfilment.createdAt))
            """)
    }

    static func fulfilments(of order: OrderID, in connection: Connection) throws -> [Fulfilment] {
        try connection.all(
            """
            SELECT id, carrier, tracking, lines, created_at FROM fulfilments WHERE order_id = \(order) ORDER BY id
            """
        ) { row in
            let (id, carrier): (FulfilmentID, String?) = (try row.next(), try row.next())
            let tracking: String? = try row.next()
            let lines = try row.next(JSON.self).array ?? []
            return Fulfilment(
                id: id, order: order, carrier: carrier, tracking: tracking,
                lines: lines.map { line in
                    FulfilmentLine(
                        line: OrderLineID(unchecked: line["line"]?.string ?? ""),
                        quantity: Int(line["quantity"]?.integer ?? 0))
                },
                createdAt: try row.next())
        }
    }
}

extension OrderState: SQLConvertible {}
extension CancelReason: SQLConvertible {}
