// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
internal import Foundation
internal import Identity
internal import Inventory
internal import Jobs
internal import Kernel
internal import Logging
internal import Ordering
internal import Payments
internal import Persistence
internal import ServiceLifecycle
internal import Web

/// The shop of one process: every room, in the order in which it is built.
struct Shop: Sendable {
    let configuration: Configuration
    let clock: WallClock
    let database: Database
    let jobs: JobsModule
    let identity: IdentityModule
    let inventory: InventoryModule
    let catalog: CatalogModule
    let customers: CustomersModule
    let payments: PaymentsModule
    let ordering: OrderingModule
    let calls: CallServices

    /// Opens the data directory, brings its schema up to date and builds the rooms.
    ///
    /// - Throws: `Failure` or `DatabaseError` that says what is wrong with the directory.
    static func open(_ configuration: Configuration, clock: WallClock = .system) async throws -> Shop {
        let database = try openDatabase(configuration)
        try await Migrator(database: database, migrations: Migrations.all).migrate(clock: clock)
        return try await Shop(configuration, database: database, clock: clock)
    }

    static func openDatabase(_ configuration: Configuration) throws -> Database {
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.dataDirectory, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                .misconfigured,
                "The data directory \(configuration.dataDirectory) cannot be made. Choose another with VITRINE_DATA.",
                cause: error)
        }
        var engine = SQLiteEngine.Configuration(path: configuration.databasePath)
        engine.readerThreads = configuration.readerThreads
        return Database(engine: try SQLiteEngine(engine))
    }

    init(_ configuration: Configuration, database: Database, clock: WallClock) async throws {
        self.configuration = configuration
        self.clock = clock
        self.database = database
        jobs = JobsModule(database: database, clock: clock)
        identity = IdentityModule(database: database, jobs: jobs, clock: clock)
        let inventory = InventoryModule(database: database, jobs: jobs, clock: clock)
        self.inventory = inventory
        catalog = CatalogModule(database: database, jobs: jobs, clock: clock, language: configuration.language) {
            variant, transaction in
            try inventory.track(
                variant.id, of: variant.product, sku: variant.sku, tracksInventory: variant.tracksInventory,
                in: transaction)
        }
        customers = CustomersModule(database: database, jobs: jobs, clock: clock)
        payments = PaymentsModule(database: database, jobs: jobs, clock: clock)
        ordering = OrderingModule(
            database: database, jobs: jobs, clock: clock, catalog: catalog, inventory: inventory, customers: customers,
            payments: payments, settings: configuration.ordering)
        let cursorKey = try await Secrets.load("cursor", from: database)
        calls = CallServices(
            database: database, clock: clock, cursors: CursorCodec(key: cursorKey, clock: clock),
            baseURL: configuration.baseURL)
    }

    /// What runs beside the server.
    var services: [any Service] {
        jobs.services(relay: relay, schedules: schedules)
    }

    var schedules: [Schedule] {
        let (database, clock) = (database, clock)
        return jobs.schedules + payments.schedules + ordering.schedules + [
            Schedule("idempotency.purge", every: .seconds(3_600)) {
                try await database.write { try IdempotencyStore.purge(now: clock.now(), in: $0) }
            }
        ]
    }
}
