// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
package import Persistence
internal import Web

/// The front door: how much there is of what, and who it is spoken for.
package struct InventoryModule: Sendable {
    /// What orders do with stock.
    package let stock: KeepStock
    /// What people do with stock.
    package let moves: MoveStock
    let database: Database
    let clock: WallClock

    package init(database: Database, jobs: JobsModule, clock: WallClock) {
        self.database = database
        self.clock = clock
        stock = KeepStock(outbox: jobs.outbox, clock: clock)
        moves = MoveStock(outbox: jobs.outbox, clock: clock)
    }

    package static let migrations = InventoryMigrations.all

    /// Keeps stock of a variant from now on; renames it where it is known.
    package func track(
        _ variant: VariantID, of product: ProductID, sku: String, tracksInventory: Bool, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO stock_items (variant, product, sku, tracks_inventory)
            VALUES (\(variant), \(product), \(sku), \(tracksInventory))
            ON CONFLICT (variant) DO UPDATE SET sku = excluded.sku, tracks_inventory = excluded.tracks_inventory
            """)
    }

    package func addLocation(_ location: Location, in transaction: Transaction) throws {
        try LocationStore.insert(location, in: transaction)
    }

    package func location(code: String, in connection: Connection) throws -> Location? {
        try LocationStore.find(code: code, in: connection)
    }

    package func items(ofProduct product: ProductID, in connection: Connection) throws -> [StockItem] {
        try StockStore.items(ofProduct: product, in: connection)
    }

    /// Where the books do not agree: stock against the sum of its movements, reservations against what is held.
    ///
    /// - Returns: a sentence for each disagreement; empty when all is well.
    package func audit(in connection: Connection) throws -> [String] {
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
