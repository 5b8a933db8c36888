// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum CartStore {
    static func find(_ id: CartID, in connection: Connection) throws -> Cart? {
        let cart = try connection.first(
            """
            SELECT id, currency, customer, email, country, state, expires_at, created_at, version
            FROM carts WHERE id = \(id)\(connection.forUpdate)
            """
        ) { row in
            try Cart(
                id: row.next(), currency: row.next(), customer: row.next(), email: row.next(), country: row.next(),
                lines: [], state: row.next(), expiresAt: row.next(), createdAt: row.next(), version: row.next())
        }
        guard var cart else { return nil }
        cart.lines = try connection.all(
            "SELECT id, variant, quantity FROM cart_lines WHERE cart = \(id) ORDER BY id"
        ) { try CartLine(id: $0.next(), variant: $0.next(), quantity: $0.next()) }
        return cart
    }

    static func insert(_ cart: Cart, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO carts (id, currency, customer, email, country, state, expires_at, created_at, version)
            VALUES (\(cart.id), \(cart.currency), \(cart.customer), \(cart.email), \(cart.country), \(cart.state),
                \(cart.expiresAt), \(cart.createdAt), \(cart.version))
            """)
        try insertLines(of: cart, in: transaction)
    }

    static func update(_ cart: Cart, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE carts SET customer = \(cart.customer), email = \(cart.email), country = \(cart.country),
                state = \(cart.state), expires_at = \(cart.expiresAt), version = \(cart.version)
            WHERE id = \(cart.id)
            """)
        try transaction.execute("DELETE FROM cart_lines WHERE cart = \(cart.id)")
        try insertLines(of: cart, in: transaction)
    }

    static func setState(_ state: CartState, of id: CartID, in transaction: Transaction) throws {
        try transaction.send("UPDATE carts SET state = \(state), version = version + 1 WHERE id = \(id)")
    }

    static func delete(_ id: CartID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM cart_lines WHERE cart = \(id)")
        try transaction.execute("DELETE FROM carts WHERE id = \(id)")
    }

    /// - Returns: the carts that ended.
    static func expire(at time: Timestamp, in transaction: Transaction) throws -> [CartID] {
        try transaction.all(
            """
            UPDATE carts SET state = 'expired', version = version + 1 WHERE state = 'open' AND expires_at < \(time)
            RETURNING id
            """
        ) { try $0.next() }
    }

    private static func insertLines(of cart: Cart, in transaction: Transaction) throws {
        for line in cart.lines {
            try transaction.execute(
                """
                INSERT INTO cart_lines (id, cart, variant, quantity)
                VALUES (\(line.id), \(cart.id), \(line.variant), \(line.quantity))
                """)
        }
    }
}

extension CartState: SQLConvertible {}
