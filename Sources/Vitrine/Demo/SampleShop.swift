// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Inventory
internal import Jobs
internal import Kernel
internal import Persistence

/// A shop to try things on: a few hundred articles of our own making in three languages and three currencies, in a tree
/// of categories, at five locations. The same on every machine.
struct SampleShop {
    let shop: Shop

    private static let actor = "sample shop"

    func fill() async throws {
        try await shop.database.write { transaction in
            let locations = try addLocations(in: transaction)
            let categories = try addCategories(in: transaction)
            var dice = Dice(seed: 2_026)
            for article in SampleArticles.all {
                try add(article, categories, locations, &dice, in: transaction)
            }
        }
        await shop.relay.drain()
    }

    private func addLocations(in transaction: Transaction) throws -> [Location] {
        let places = [
            ("london", "London shop", "GB"), ("manchester", "Manchester warehouse", "GB"), ("berlin", "Berlin", "DE"),
            ("lyon", "Lyon", "FR"), ("newark", "Newark", "US"),
        ]
        return try places.enumerated().map { place, entry in
            let location = Location(
                id: .make(at: shop.clock.now()), code: entry.0, name: entry.1, country: entry.2, priority: place + 1)
            try shop.inventory.addLocation(location, by: Self.actor, in: transaction)
            return location
        }
    }

    private func addCategories(in transaction: Transaction) throws -> [String: CategoryID] {
        var ids: [String: CategoryID] = [:]
        for (place, entry) in SampleArticles.categories.enumerated() {
            let category = Category(
                id: .make(at: shop.clock.now()), parent: entry.parent.flatMap { ids[$0] }, handle: entry.handle,
                title: entry.title.en, translations: ["de": entry.title.de, "fr": entry.title.fr], position: place)
            ids[entry.handle] = try shop.catalog.categories.create(category, by: Self.actor, in: transaction).id
        }
        return ids
    }

    private func add(
        _ article: SampleArticles.Article, _ categories: [String: CategoryID], _ locations: [Location],
        _ dice: inout Dice, in transaction: Transaction
    ) throws {
        let draft = ProductDraft(
            handle: article.handle,
            text: ProductText(title: article.title.en, description: article.description.en),
            translations: [
                "de": ProductText(title: article.title.de, description: article.description.de),
                "fr": ProductText(title: article.title.fr, description: article.description.fr),
            ],
            categories: [categories[article.category]].compactMap { $0 },
            attributes: ["material": article.material, "colour": article.colour],
            variants: try article.sizes.enumerated().map { place, size in
                // Pence; euros and dollars at round rates, as shops set them.
                let pence = Int64(article.pence + place * article.pence / 5)
                return VariantDraft(
                    sku: "\(article.sku)-\(size)", title: size, options: ["size": size],
                    weightGrams: article.grams + place * 120,
                    prices: [
                        try Money(minorUnits: pence, .gbp), try Money(minorUnits: pence * 115 / 100, .eur),
                        try Money(minorUnits: pence * 125 / 100, .usd),
                    ])
            })
        let product = try shop.catalog.products.create(draft, by: Self.actor, in: transaction)
        for location in locations {
            let lines = product.variants.map { MoveStock.Line(variant: $0.id, quantity: dice.roll(0...40)) }
            try shop.inventory.moves.adjust(
                at: location.id, lines.filter { $0.quantity > 0 }, .received, reference: "opening stock",
                by: Self.actor, in: transaction)
        }
    }
}

/// Random numbers that are the same in every run (xorshift64*; S. Vigna, 2016).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func roll(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
