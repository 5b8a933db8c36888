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
    let outbox: Outbox
    let clock: WallClock

    package init(database: Database, jobs: JobsModule, clock: WallClock) {
        self.database = database
        self.clock = clock
        outbox = jobs.outbox
        stock = KeepStock(outbox: jobs.outbox, clock: clock)
        moves = MoveStock(outbox: jobs.outbox, clock: clock)
    }

    package static let migrations = InventoryMigrations.all

    /// Keeps stock of a variant from now on; renames it where it is known.
    package func track(
        _ variant: VariantID, of product: ProductID, sku: String, tracksInventory: Bool, in transaction: Transaction
    ) throws {
        try StockBooks.track(
            variant, of: product, sku: sku, tracksInventory: tracksInventory, in: transaction)
    }

    package func addLocation(_ location: Location, by actor: String, in transaction: Transaction) throws {
        try LocationStore.insert(location, in: transaction)
        try publish("location.created", location, by: actor, in: transaction)
    }

    func change(
        _ id: LocationID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ edit: (inout Location) -> Void
    ) throws -> Location {
        var location = try LocationStore.claim(id, in: transaction)
        try precondition.check(location.version)
        edit(&location)
        location.version += 1
        try LocationStore.update(location, in: transaction)
        try publish("location.updated", location, by: actor, in: transaction)
        return location
    }

    private func publish(
        _ type: String, _ location: Location, by actor: String, in transaction: Transaction
    ) throws {
        try outbox.publish(
            type, subject: location.id.rawValue, actor: actor, ["code": .string(location.code)], in: transaction)
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
    package func audit(in connection: Connection) throws -> [String] { try StockBooks.disagreements(in: connection) }
}
