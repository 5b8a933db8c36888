// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// The sums of an order. `total` is what the customer pays: lines and shipping; `tax` is the part of it that is tax.
package struct Totals: Hashable, Sendable {
    package let subtotal: Money
    package let shipping: Money
    package let tax: Money
    package let total: Money
}

/// What tax and shipping depend on.
package struct TotalsInput: Sendable {
    package let subtotal: Money
    package let weightGrams: Int
    /// Where it goes, by ISO 3166-1; `nil` while nobody has said.
    package let country: String?
    package let hasLines: Bool
}

/// Puts sums together. Both calculators are values that a shop replaces with its own.
package struct TotalsCalculator: Sendable {
    package var shipping: @Sendable (TotalsInput) throws -> Money
    /// The tax contained in a sum that was sold to a country.
    package var tax: @Sendable (_ taxable: Money, TotalsInput) throws -> Money

    package init(
        shipping: @escaping @Sendable (TotalsInput) throws -> Money,
        tax: @escaping @Sendable (Money, TotalsInput) throws -> Money
    ) {
        self.shipping = shipping
        self.tax = tax
    }

    func totals(_ input: TotalsInput) throws -> Totals {
        let shipping = input.hasLines ? try shipping(input) : .zero(input.subtotal.currency)
        let total = try input.subtotal.adding(shipping)
        return Totals(subtotal: input.subtotal, shipping: shipping, tax: try tax(total, input), total: total)
    }

    /// Prices contain the value-added tax of the country the goods go to; parcels cost 4.95 and nothing from 50.00 on.
    package static let standard = TotalsCalculator(
        shipping: { input in
            let currency = input.subtotal.currency
            let free = try Money(minorUnits: 5_000, currency)
            return input.subtotal.thousandths >= free.thousandths
                ? .zero(currency) : try Money(minorUnits: 495, currency)
        },
        tax: { taxable, input in
            let percent = input.country.flatMap { vatPercent[$0] } ?? 0
            return try taxable.share(percent, of: 100 + percent)
        })

    /// Nothing is added: orders that another system has reckoned.
    static let asRecorded = TotalsCalculator(
        shipping: { .zero($0.subtotal.currency) }, tax: { taxable, _ in .zero(taxable.currency) })

    /// Standard rates of value-added tax in per cent, 2026; half per cents are rounded down.
    private static let vatPercent: [String: Int64] = [
        "AT": 20, "BE": 21, "BG": 20, "CH": 8, "CY": 19, "CZ": 21, "DE": 19, "DK": 25, "EE": 24, "ES": 21, "FI": 25,
        "FR": 20, "GB": 20, "GR": 24, "HR": 25, "HU": 27, "IE": 23, "IT": 22, "LT": 21, "LU": 17, "LV": 21, "MT": 18,
        "NL": 21, "NO": 25, "PL": 23, "PT": 23, "RO": 21, "SE": 25, "SI": 22, "SK": 23,
    ]
}
