// SPDX-License-Identifier: Apache-2.0

package import Catalog
package import Kernel
internal import Persistence

/// One line as it is wished for.
package struct LineRequest: Sendable {
    package let variant: VariantReference
    /// 1 or more.
    package let quantity: Int
    /// The price another system sold it at; the shop's own where `nil`.
    package let unitPrice: Money?

    package init(variant: VariantReference, quantity: Int, unitPrice: Money?) {
        self.variant = variant
        self.quantity = quantity
        self.unitPrice = unitPrice
    }
}

/// Turns wishes into lines with today's prices, and sums them up.
struct QuoteLines: Sendable {
    let catalog: CatalogModule
    let calculator: TotalsCalculator
    let clock: WallClock

    struct Quote {
        let lines: [OrderLine]
        let totals: Totals
    }

    /// - Throws: ``OrderingError`` naming the first line that cannot be sold.
    func quote(
        _ requests: [LineRequest], in currency: Currency, country: String?, asRecorded: Bool, connection: Connection
    ) throws -> Quote {
        let offers = try catalog.offers(for: Set(requests.map(\.variant)), in: currency, connection: connection)
        let now = clock.now()
        var weight = 0
        let lines = try requests.enumerated().map { place, request in
            guard let offer = offers[request.variant] else {
                throw OrderingError.unknownVariant(line: place, request.variant.text)
            }
            guard offer.isActive || asRecorded else { throw OrderingError.notForSale(line: place, sku: offer.sku) }
            guard let price = request.unitPrice ?? offer.price else {
                throw OrderingError.noPrice(line: place, sku: offer.sku, currency)
            }
            guard price.currency == currency else { throw OrderingError.currencyMismatch(expected: currency) }
            weight += offer.weightGrams * request.quantity
            return OrderLine(
                id: .make(at: now), variant: offer.variantID, product: offer.productID, sku: offer.sku,
                title: offer.title, quantity: request.quantity, unitPrice: price,
                total: try price.multiplied(by: Int64(request.quantity)))
        }
        let input = TotalsInput(
            subtotal: try Money.sum(lines.map(\.total), in: currency), weightGrams: weight, country: country,
            hasLines: !lines.isEmpty)
        return Quote(lines: lines, totals: try (asRecorded ? .asRecorded : calculator).totals(input))
    }
}

extension VariantReference {
    var text: String {
        switch self {
        case .id(let id): id.rawValue
        case .sku(let sku): sku
        }
    }
}
