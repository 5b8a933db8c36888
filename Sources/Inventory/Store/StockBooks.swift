// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The list of what stock is kept of, and whether the books about it agree.
enum StockBooks {
    static func track(
        _ variant: VariantID, of product: ProductID, sku: String, tracksInventory: Bool, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO stock_items (variant, product, sku, tracks_inventory)
            VALUES (\(variant), \(product), \(sku), \(tracksInventory))
            ON CONFLICT (variant) DO UPDATE SET sku = excluded.sku, tracks_inventory = excluded.tracks_inventory
            """)
    }

    /// Stock against the sum of its movements, and what is spoken for against reservations.
    static func disagreements(in connection: Connection) throws -> [String] {
        let ledger = try connection.all(
            """
            SELECT s.variant, s.location, s.on_hand, COALESCE(m.total, 0) FROM stock s
            LEFT JOIN (SELECT variant, location, SUM(quantity) AS total FROM stock_movements GROUP BY variant, location) m
            ON m.variant = s.variant AND m.location = s.location
            WHERE s.on_hand <> COALESCE(m.total, 0)
            """
        ) { row in
            let (variant, location) = (try row.next(String.self), try row.next(String.self))
            let (onHand, total) = (try row.next(Int.self), try row.next(Int.self))
            return "\(variant) at \(location): \(onHand) on hand, but its movements add up to \(total)."
        }
        let held = try connection.all(
            """
            SELECT s.variant, s.location, s.reserved + s.sold, COALESCE(r.total, 0) FROM stock s
            LEFT JOIN (SELECT variant, location, SUM(quantity) AS total FROM reservations GROUP BY variant, location) r
            ON r.variant = s.variant AND r.location = s.location
            WHERE s.reserved + s.sold <> COALESCE(r.total, 0)
            """
        ) { row in
            let (variant, location) = (try row.next(String.self), try row.next(String.self))
            let (spokenFor, total) = (try row.next(Int.self), try row.next(Int.self))
            return "\(variant) at \(location): \(spokenFor) spoken for, but reservations add up to \(total)."
        }
        return ledger + held
    }
}
