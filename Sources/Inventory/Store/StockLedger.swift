// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Metrics
internal import Persistence

/// The only writer of stock: movements change what is on hand, reservations what of it is spoken for.
struct StockLedger {
    let transaction: Transaction
    let outbox: Outbox
    let actor: String
    let now: Timestamp

    /// Keeps others from changing the stock of `variants` until the transaction ends; comes before it is read.
    func lock(_ variants: some Collection<VariantID>) throws {
        guard transaction.dialect == .postgres else { return }
        // In one order, so that two who want the same articles do not wait for each other.
        try transaction.send(
            """
            SELECT 1 FROM stock_items WHERE variant IN \(anyOf: variants) ORDER BY variant\(transaction.forUpdate)
            """)
    }

    // MARK: Movements

    /// Writes a movement and moves `on_hand` by it, so that the movements' sum stays the stock.
    func move(
        _ quantity: Int, of variant: VariantID, at location: LocationID, _ reason: MovementReason, reference: String?
    ) throws {
        guard quantity != 0 else { return }
        try transaction.execute(
            """
            INSERT INTO stock_movements (id, variant, location, quantity, reason, reference, actor, occurred_at)
            VALUES (\(MovementID.make(at: now)), \(variant), \(location), \(quantity), \(reason), \(reference), \(actor),
                \(now))
            """)
        // An upsert would check the constraints of the row that is not inserted, and a decrease has none to insert.
        let moved = try transaction.execute(
            "UPDATE stock SET on_hand = on_hand + \(quantity) WHERE variant = \(variant) AND location = \(location)")
        if moved == 0 {
            try transaction.execute(
                "INSERT INTO stock (variant, location, on_hand) VALUES (\(variant), \(location), \(quantity))")
        }
    }

    /// Claims a client's own number for a change of stock.
    ///
    /// - Returns: `false` where it was claimed before.
    func claim(externalID: String) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO stock_change_numbers (external_id, claimed_at) VALUES (\(externalID), \(now))
            ON CONFLICT DO NOTHING
            """) == 1
    }

    // MARK: Reservations

    func hold(_ quantity: Int, of variant: VariantID, at location: LocationID, for owner: String, until: Timestamp)
        throws
    {
        try transaction.send(
            "UPDATE stock SET reserved = reserved + \(quantity) WHERE variant = \(variant) AND location = \(location)")
        try transaction.send(
            """
            INSERT INTO reservations (owner, variant, location, quantity, expires_at)
            VALUES (\(owner), \(variant), \(location), \(quantity), \(until))
            """)
    }

    struct Reservation {
        let number: Int64
        let variant: VariantID
        let location: LocationID
        var quantity: Int
        /// `nil` once it is sold.
        let expiresAt: Timestamp?

        var isSold: Bool { expiresAt == nil }
    }

    func reservations(of owner: String) throws -> [Reservation] {
        try transaction.all(
            """
            SELECT number, variant, location, quantity, expires_at FROM reservations
            WHERE owner = \(owner) ORDER BY number
            """
        ) { row in
            try Reservation(
                number: row.next(), variant: row.next(), location: row.next(), quantity: row.next(),
                expiresAt: row.next())
        }
    }

    /// What was held for `owner` is sold.
    func sellHeld(for owner: String) throws {
        try transaction.send(
            """
            UPDATE stock SET reserved = reserved - held.quantity, sold = sold + held.quantity
            FROM (SELECT variant, location, SUM(quantity) AS quantity FROM reservations
                WHERE owner = \(owner) AND expires_at IS NOT NULL GROUP BY variant, location) AS held
            WHERE stock.variant = held.variant AND stock.location = held.location
            """)
        try transaction.send("UPDATE reservations SET expires_at = NULL WHERE owner = \(owner)")
    }

    /// Takes `quantity` out of a reservation, so that it is available again or can leave the shelf.
    func reduce(_ reservation: Reservation, by quantity: Int) throws {
        let column: SQL = reservation.isSold ? "sold" : "reserved"
        try transaction.send(
            """
            UPDATE stock SET \(column) = \(column) - \(quantity)
            WHERE variant = \(reservation.variant) AND location = \(reservation.location)
            """)
        if quantity == reservation.quantity {
            try transaction.send("DELETE FROM reservations WHERE number = \(reservation.number)")
        } else {
            try transaction.send(
                "UPDATE reservations SET quantity = quantity - \(quantity) WHERE number = \(reservation.number)")
        }
    }

    // MARK: Availability

    /// Runs `change`, and tells of variants that came into stock or ran out by it.
    func tellingAvailability(
        of variants: Set<VariantID>, _ change: () throws -> Void
    ) throws {
        let before = try inStock(variants)
        try change()
        let after = try inStock(variants)
        for variant in before.symmetricDifference(after).sorted() {
            try announce(variant, isInStock: after.contains(variant))
        }
    }

    /// Tells that a variant came into stock or ran out.
    func announce(_ variant: VariantID, isInStock: Bool) throws {
        try outbox.publish(
            "stock.availability_changed", subject: variant.rawValue, actor: actor, ["in_stock": .bool(isInStock)],
            in: transaction)
        if isInStock { return }
        transaction.afterCommit { Counter(label: "vitrine.inventory.stock_outs").increment() }
    }

    private func inStock(_ variants: Set<VariantID>) throws -> Set<VariantID> {
        Set(
            try transaction.all(
                """
                SELECT variant FROM stock WHERE variant IN \(anyOf: variants)
                GROUP BY variant HAVING SUM(on_hand - reserved - sold) > 0
                """
            ) { try $0.next(VariantID.self) })
    }
}
