// SPDX-License-Identifier: Apache-2.0

package import Catalog
package import Customers
internal import Foundation
package import Identity
package import Inventory
package import Jobs
package import Kernel
internal import Logging
package import Ordering
package import Payments
package import Persistence
internal import Resilience
internal import ServiceLifecycle
package import Web

/// The shop of one process: every room, in the order in which it is built.
package struct Shop: Sendable {
    package let configuration: Configuration
    package let clock: WallClock
    package let database: Database
    package let jobs: JobsModule
    let limits: RequestLimits
    package let identity: IdentityModule
    package let inventory: InventoryModule
    package let catalog: CatalogModule
    package let customers: CustomersModule
    package let payments: PaymentsModule
    package let ordering: OrderingModule
    package let calls: CallServices
    let wires: Wires

    /// Opens the data directory or connects to the server, brings its schema up to date and builds the rooms.
    ///
    /// - Throws: `Failure` or `DatabaseError` that says what is wrong with the directory.
    package static func open(_ configuration: Configuration, clock: WallClock = .system) async throws -> Shop {
        let (wired, wires) = try await Wires.laid(in: configuration)
        do {
            let database = try openDatabase(wired)
            try await Migrator(database: database, migrations: Migrations.all).migrate(clock: clock)
            return try await Shop(wired, database: database, clock: clock, wires: wires)
        } catch {
            await wires.cut()
            throw error
        }
    }

    static func openDatabase(_ configuration: Configuration) throws -> Database {
        if let url = configuration.databaseURL {
            var engine = PostgresEngine.Configuration(url: url)
            engine.replicaURLs = configuration.replicaURLs
            engine.writers = configuration.writers
            engine.readers = configuration.readerThreads
            return Database(engine: GuardedEngine(faulty(try PostgresEngine(engine), configuration)))
        }
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
        return Database(engine: faulty(try SQLiteEngine(engine), configuration))
    }

    private static func faulty(_ engine: some SQLEngine, _ configuration: Configuration) -> any SQLEngine {
        guard let faults = configuration.faults else { return engine }
        return FaultyEngine(engine: engine, faults: faults)
    }

    init(_ configuration: Configuration, database: Database, clock: WallClock, wires: Wires = Wires()) async throws {
        self.configuration = configuration
        self.wires = wires
        self.clock = clock
        self.database = database
        jobs = JobsModule(database: database, clock: clock, sendMail: configuration.sendMail)
        let limits = try RequestLimits(configuration.limits)
        self.limits = limits
        await limits.settled()
        let customers = CustomersModule(database: database, jobs: jobs, clock: clock)
        self.customers = customers
        identity = try await IdentityModule(
            database: database, jobs: jobs, clock: clock, limits: limits, settings: configuration.identitySettings,
            versions: configuration.versions
        ) { id, connection in
            guard let customer = try customers.find(id, in: connection), customer.erasedAt == nil else { return nil }
            return KnownCustomer(id: id, email: customer.email, name: customer.name)
        }
        let inventory = InventoryModule(database: database, jobs: jobs, clock: clock)
        self.inventory = inventory
        catalog = CatalogModule(database: database, jobs: jobs, clock: clock, language: configuration.language) {
            variant, transaction in
            try inventory.track(
                variant.id, of: variant.product, sku: variant.sku, tracksInventory: variant.tracksInventory,
                in: transaction)
        }
        payments = PaymentsModule(
            database: database, jobs: jobs, clock: clock, stripe: configuration.stripe, faults: configuration.faults,
            isTrial: configuration.isSandbox)
        ordering = OrderingModule(
            database: database, jobs: jobs, clock: clock, catalog: catalog, inventory: inventory, customers: customers,
            payments: payments, settings: configuration.ordering)
        let cursorKey = try await Secrets.load("cursor", from: database)
        calls = CallServices(
            database: database, clock: clock, cursors: CursorCodec(key: cursorKey, clock: clock),
            baseURL: configuration.baseURL, limits: limits, load: Self.load(configuration),
            versions: configuration.versions,
            keepsAnswers: configuration.faults == nil && !configuration.isSandbox,
            accessTables: IdentityModule.accessTables)
    }

    /// What waits for the database tells how much is too much.
    private static func load(_ configuration: Configuration) -> ConcurrencyLimiter {
        var settings = AdaptiveLimitSettings()
        settings.max = configuration.requestsMax
        // So many that wait are answered within a second or so; whom the shop cannot do without may wait as long.
        settings.min = min(1_024, settings.max)
        settings.initial = min(4_096, settings.max)
        return ConcurrencyLimiter(
            "requests", settings,
            isOverload: { error in
                switch error {
                case let failure as Failure: [.overloaded, .timedOut].contains(failure.code)
                case let error as DatabaseError: error.kind == .timedOut
                default: false
                }
            })
    }

    /// Writes down what is noted in memory alone, and lets go of the database.
    package func close() async {
        try? await calls.requests.flush()
        try? await calls.deprecated.flush()
        await database.close()
        await wires.cut()
    }

    /// What runs beside the server.
    var services: [any Service] { services(beside: []) }

    /// With more chores.
    func services(beside chores: [Schedule]) -> [any Service] { [relay, jobs.runner(schedules + chores)] }

    package var schedules: [Schedule] {
        let (database, clock) = (database, clock)
        let (deprecated, requests) = (calls.deprecated, calls.requests)
        return jobs.schedules + identity.schedules + payments.schedules + ordering.schedules + [
            Schedule("deprecations.flush", every: .seconds(10)) { try await deprecated.flush() },
            Schedule("requests.flush", every: .seconds(1)) { try await requests.flush() },
            Schedule("requests.purge", every: .seconds(3_600)) { try await requests.purge() },
            Schedule("idempotency.purge", every: .seconds(3_600)) {
                try await database.write { try IdempotencyStore.purge(now: clock.now(), in: $0) }
            },
        ]
    }
}
