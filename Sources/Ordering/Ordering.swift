// SPDX-License-Identifier: Apache-2.0

package import Catalog
package import Customers
package import Inventory
package import Jobs
package import Kernel
internal import Logging
package import Payments
package import Persistence
internal import Web

/// The front door: carts, orders, returns, and the sales ledger.
package struct OrderingModule: Sendable {
    package struct Settings: Sendable {
        /// How long a pending order holds its stock while it waits for money.
        ///
        /// - Unit: seconds. Default 900. Environment: `VITRINE_RESERVATION_TTL`.
        /// - Raise it when payments are slow; every second keeps stock off the shelf.
        package var reservationTimeToLive: Duration = .seconds(900)
        /// How long a cart lives after its last change.
        ///
        /// - Unit: seconds. Default 30 days. Environment: `VITRINE_CART_TTL`.
        package var cartTimeToLive: Duration = .seconds(30 * 86_400)
        /// Tax and shipping.
        package var totals = TotalsCalculator.standard

        package init() {}
    }

    let database: Database
    let clock: WallClock
    let outbox: Outbox
    let customers: CustomersModule
    let payments: PaymentsModule
    let quotes: QuoteLines
    let carts: EditCart
    let placing: PlaceOrder
    let placingOnce: PlaceOrderOnce
    let hearing: HearOfPayment
    let privacy: ProtectPrivacy
    let fulfilling: FulfilOrder
    let changing: ChangeOrder
    let returning: ReceiveReturn
    let recovery: RecoverOrders

    package init(
        database: Database, jobs: JobsModule, clock: WallClock, catalog: CatalogModule, inventory: InventoryModule,
        customers: CustomersModule, payments: PaymentsModule, settings: Settings = Settings()
    ) {
        self.database = database
        self.clock = clock
        self.customers = customers
        self.payments = payments
        outbox = jobs.outbox
        quotes = QuoteLines(catalog: catalog, calculator: settings.totals, clock: clock)
        carts = EditCart(
            catalog: catalog, calculator: settings.totals, outbox: jobs.outbox, clock: clock,
            timeToLive: settings.cartTimeToLive)
        placing = PlaceOrder(
            database: database, inventory: inventory, customers: customers, payments: payments, carts: carts,
            quotes: quotes, outbox: jobs.outbox, clock: clock, timeToPay: settings.reservationTimeToLive)
        placingOnce = PlaceOrderOnce(database: database, placing: placing, payments: payments)
        hearing = HearOfPayment(database: database, placing: placing, payments: payments)
        privacy = ProtectPrivacy(customers: customers, outbox: jobs.outbox)
        fulfilling = FulfilOrder(placing: placing, inventory: inventory, outbox: jobs.outbox, clock: clock)
        changing = ChangeOrder(placing: placing, payments: payments, outbox: jobs.outbox, clock: clock)
        returning = ReceiveReturn(
            placing: placing, changing: changing, quotes: quotes, inventory: inventory, outbox: jobs.outbox,
            clock: clock)
        recovery = RecoverOrders(
            database: database, placing: placing, payments: payments, clock: clock,
            logger: Logger(label: "vitrine.ordering.recovery"))
    }

    package static let migrations = OrderingMigrations.all

    package var schedules: [Schedule] {
        let (database, carts, recovery) = (database, carts, recovery)
        return [
            Schedule("orders.recover", every: .seconds(2)) { try await recovery.run() },
            Schedule("carts.expire", every: .seconds(60)) {
                try await database.write { try carts.expire(by: "carts.expire", in: $0) }
            },
        ]
    }

    /// Finishes or releases the pending orders on which nobody is at work.
    package func recover() async throws { try await recovery.run() }

    /// An order is paid once a provider has confirmed the capture that somebody asked for.
    package var subscription: Subscription {
        let placing = placing
        return Subscription("ordering.captures", to: ["payment.captured"]) { event, transaction in
            guard let id = event.data["order_id"]?.string,
                var order = try OrderStore.find(OrderID(unchecked: id), in: transaction)
            else { return }
            try placing.advance(&order, .paymentCaptured, by: event.actor, in: transaction)
        }
    }

    /// Where the ledger and the orders do not agree; a sentence for each, empty when all is well.
    package func audit(in connection: Connection) throws -> [String] { try LedgerStore.disagreements(in: connection) }
}
