// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Variants as orders see them.
enum OfferStore {
    static func offers(
        for references: Set<VariantReference>, in currency: Currency, connection: Connection
    ) throws -> [VariantReference: Offer] {
        var ids: [VariantID] = []
        var skus: [String] = []
        for reference in references {
            switch reference {
            case .id(let id): ids.append(id)
            case .sku(let sku): skus.append(sku)
            }
        }
        var found: [VariantReference: Offer] = [:]
        if !ids.isEmpty {
            for offer in try offers(where: "v.id IN \(anyOf: ids)", currency, connection) {
                found[.id(offer.variantID)] = offer
            }
        }
        if !skus.isEmpty {
            for offer in try offers(where: "v.sku IN \(anyOf: skus)", currency, connection) {
                found[.sku(offer.sku)] = offer
            }
        }
        return found
    }

    private static func offers(
        where condition: SQL, _ currency: Currency, _ connection: Connection
    ) throws -> [Offer] {
        try connection.all(
            """
            SELECT v.id, p.id, v.sku, p.title, v.title, v.weight_grams, v.tracks_inventory, pr.amount, p.status
            FROM variants v JOIN products p ON p.number = v.product_number
            LEFT JOIN prices pr ON pr.variant_number = v.number AND pr.currency = \(currency)
            WHERE \(condition) AND v.deleted_at IS NULL AND p.deleted_at IS NULL
            """
        ) { row in
            let variant: VariantID = try row.next()
            let product: ProductID = try row.next()
            let sku: String = try row.next()
            let title: String = try row.next()
            let form: String? = try row.next()
            return Offer(
                variantID: variant, productID: product, sku: sku, title: form.map { "\(title), \($0)" } ?? title,
                weightGrams: try row.next(Int?.self) ?? 0, tracksInventory: try row.next(),
                price: try row.next(Int64?.self).map { Money(thousandths: $0, currency) },
                isActive: try row.next(ProductStatus.self) == .active)
        }
    }
}
