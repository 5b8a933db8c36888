// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
package import Persistence
internal import Web

/// The front door: what the shop offers.
package struct CatalogModule: Sendable {
    package let products: EditProduct
    package let categories: EditCategory
    let database: Database
    let clock: WallClock
    let texts: TextChoice

    /// `language` is that of texts that are no translations; `variantSaved` hears of each variant in the transaction
    /// that saves it.
    package init(
        database: Database, jobs: JobsModule, clock: WallClock, language: String = "en",
        variantSaved: @escaping @Sendable (SavedVariant, Transaction) throws -> Void
    ) {
        self.database = database
        self.clock = clock
        texts = TextChoice(shopLanguage: language)
        products = EditProduct(outbox: jobs.outbox, clock: clock, variantSaved: variantSaved)
        categories = EditCategory(outbox: jobs.outbox, clock: clock)
    }

    package static let migrations = CatalogMigrations.all

    /// What an order needs to know of the variants that `references` name by identifier or SKU.
    ///
    /// Unknown references are missing in the answer. Cost: two statements.
    package func offers(
        for references: Set<VariantReference>, in currency: Currency, connection: Connection
    ) throws -> [VariantReference: Offer] {
        try OfferStore.offers(for: references, in: currency, connection: connection)
    }

    /// Makes the search index anew from the products, some at a time. Each engine has its own kind of index.
    package func rebuildSearch() async throws {
        var last: Int64 = 0
        while true {
            let after = last
            let numbers = try await database.write { transaction in
                let products = try ProductStore.batch(after: after, limit: 200, in: transaction)
                let known = KnownRows()
                for entry in products {
                    try SearchIndex.remove(number: entry.number, in: transaction)
                    try SearchIndex.write(
                        entry.product, number: entry.number, instead: nil, knowing: known, in: transaction)
                }
                return products.map(\.number)
            }
            guard let end = numbers.last else { return }
            last = end
        }
    }

    /// What the catalogue learns from others: availability from stock, sales from orders.
    package var subscriptions: [Subscription] {
        [
            Subscription("catalog.availability", to: ["stock.availability_changed"]) { event, transaction in
                guard let isInStock = event.data["in_stock"]?.bool else { return }
                try ProductWriter(transaction: transaction).setInStock(
                    VariantID(unchecked: event.subject), isInStock)
            },
            // Nobody waits for the place among the best-selling, and each change of it outdates every answer about products.
            // Availability is heard of here once more, because a process of the version before, which shares this cursor, may
            // write an older state over a newer; it goes when no such process can run beside this one.
            Subscription(
                "catalog.facts", to: ["stock.availability_changed", "order.placed"], within: .seconds(2),
                summing: Facts(),
                { event, facts in facts.add(event) }, apply: { facts, transaction in try facts.write(in: transaction) }),
        ]
    }

    /// What a batch of events says: of availability the latest, of sales the sum.
    private struct Facts: Sendable {
        private var isInStock: [VariantID: Bool] = [:]
        private var sales: [ProductID: Int64] = [:]

        mutating func add(_ event: Event) {
            guard event.type == "order.placed" else {
                isInStock[VariantID(unchecked: event.subject)] = event.data["in_stock"]?.bool
                return
            }
            for line in event.data["lines"]?.array ?? [] {
                guard let product = line["product_id"]?.string, let units = line["quantity"]?.integer else { continue }
                sales[ProductID(unchecked: product), default: 0] += units
            }
        }

        /// In an order, so that nobody waits for somebody who waits for him.
        func write(in transaction: Transaction) throws {
            let writer = ProductWriter(transaction: transaction)
            for (variant, isInStock) in isInStock.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                try writer.setInStock(variant, isInStock)
            }
            for (product, units) in sales.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                try writer.addSales(units, of: product)
            }
        }
    }
}

/// How a client names a variant.
package enum VariantReference: Hashable, Sendable {
    case id(VariantID)
    case sku(String)
}

/// Chooses among the languages of a text.
struct TextChoice: Sendable {
    let shopLanguage: String

    /// The first of the wanted languages that there is; a regional tag also finds its language without region.
    func language(wanted: [String], available: some Collection<String>) -> String {
        for tag in wanted {
            let base = String(tag.prefix { $0 != "-" }).lowercased()
            if tag == shopLanguage || base == shopLanguage { return shopLanguage }
            if available.contains(tag) { return tag }
            if available.contains(base) { return base }
        }
        return shopLanguage
    }
}
