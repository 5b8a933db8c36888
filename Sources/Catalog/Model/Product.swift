// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Something the shop offers, with the variants in which it is sold.
package struct Product: Sendable {
    package let id: ProductID
    package var handle: String
    package var status: ProductStatus
    /// In the shop's own language.
    package var text: ProductText
    /// In other languages, by tag.
    package var translations: [String: ProductText]
    package var categories: [CategoryID]
    package var attributes: [String: String]
    package var variants: [Variant]
    package let createdAt: Timestamp
    package var updatedAt: Timestamp
    package var version: Int64
    /// Whether any variant can be bought now; learnt from stock events.
    package internal(set) var isInStock = false
    /// Units sold so far; learnt from order events.
    package internal(set) var unitsSold: Int64 = 0

    package init(id: ProductID, draft: ProductDraft, at time: Timestamp) {
        self.id = id
        handle = draft.handle
        status = draft.status
        text = draft.text
        translations = draft.translations
        categories = draft.categories
        attributes = draft.attributes
        variants = []
        createdAt = time
        updatedAt = time
        version = 1
    }

    init(
        id: ProductID, handle: String, status: ProductStatus, text: ProductText, createdAt: Timestamp,
        updatedAt: Timestamp, version: Int64, isInStock: Bool, unitsSold: Int64
    ) {
        self.id = id
        self.handle = handle
        self.status = status
        self.text = text
        translations = [:]
        categories = []
        attributes = [:]
        variants = []
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.version = version
        self.isInStock = isInStock
        self.unitsSold = unitsSold
    }

    /// The lowest price of any variant, in each currency, by code.
    package var lowestPrices: [Money] {
        let all = variants.flatMap(\.prices.values)
        return Dictionary(grouping: all, by: \.currency).compactMap { $0.value.min { $0.thousandths < $1.thousandths } }
            .sorted { $0.currency.code < $1.currency.code }
    }
}

package struct ProductText: Hashable, Sendable {
    package var title: String
    package var description: String?

    package init(title: String, description: String? = nil) {
        self.title = title
        self.description = description
    }
}

package enum ProductStatus: String, CaseIterable, Sendable {
    /// Being prepared; only who may write products sees it.
    case draft
    /// Offered.
    case active
    /// No longer offered, and kept for the orders that name it.
    case archived
}

/// One form of a product that can be put in a cart.
package struct Variant: Sendable {
    package let id: VariantID
    /// Unique among variants that are not deleted; compared exactly.
    package var sku: String
    /// What tells it from its siblings, such as "Blue / L".
    package var title: String?
    package var options: [String: String]
    package var barcode: String?
    package var weightGrams: Int?
    /// Whether stock limits its sale; services and postage have none.
    package var tracksInventory: Bool
    /// Where each price of the shop is stored, by currency code.
    package var prices: [String: Money]
    package internal(set) var isInStock: Bool
    package internal(set) var version: Int64

    package init(id: VariantID, draft: VariantDraft) {
        self.id = id
        sku = draft.sku
        title = draft.title
        options = draft.options
        barcode = draft.barcode
        weightGrams = draft.weightGrams
        tracksInventory = draft.tracksInventory
        prices = Dictionary(draft.prices.map { ($0.currency.code, $0) }) { $1 }
        isInStock = !draft.tracksInventory
        version = 1
    }

    /// Takes over everything but identity and version.
    mutating func replace(with draft: VariantDraft) {
        let fresh = Variant(id: id, draft: draft)
        sku = fresh.sku
        title = fresh.title
        options = fresh.options
        barcode = fresh.barcode
        weightGrams = fresh.weightGrams
        tracksInventory = fresh.tracksInventory
        prices = fresh.prices
    }
}

/// What a product is to be, whether new or instead of an old one.
package struct ProductDraft: Sendable {
    package var handle: String
    package var status: ProductStatus
    package var text: ProductText
    package var translations: [String: ProductText]
    package var categories: [CategoryID]
    package var attributes: [String: String]
    package var variants: [VariantDraft]

    package init(
        handle: String, status: ProductStatus = .active, text: ProductText, translations: [String: ProductText] = [:],
        categories: [CategoryID] = [], attributes: [String: String] = [:], variants: [VariantDraft]
    ) {
        self.handle = handle
        self.status = status
        self.text = text
        self.translations = translations
        self.categories = categories
        self.attributes = attributes
        self.variants = variants
    }

    /// A handle from a title: `Blue & White Mug` becomes `blue-white-mug`.
    package static func handle(for title: String) -> String {
        let words = SearchText.words(title).prefix(12)
        return words.isEmpty ? "product" : String(words.joined(separator: "-").prefix(100))
    }
}

package struct VariantDraft: Sendable {
    package var sku: String
    package var title: String?
    package var options: [String: String]
    package var barcode: String?
    package var weightGrams: Int?
    package var tracksInventory: Bool
    package var prices: [Money]

    package init(
        sku: String, title: String? = nil, options: [String: String] = [:], barcode: String? = nil,
        weightGrams: Int? = nil, tracksInventory: Bool = true, prices: [Money]
    ) {
        self.sku = sku
        self.title = title
        self.options = options
        self.barcode = barcode
        self.weightGrams = weightGrams
        self.tracksInventory = tracksInventory
        self.prices = prices
    }
}

/// A variant with what an order needs to know of it.
package struct Offer: Sendable {
    package let variantID: VariantID
    package let productID: ProductID
    package let sku: String
    package let title: String
    package let weightGrams: Int
    package let tracksInventory: Bool
    /// In the currency asked for; `nil` where it has no price in that.
    package let price: Money?
    /// Whether its product is offered now.
    package let isActive: Bool
}
