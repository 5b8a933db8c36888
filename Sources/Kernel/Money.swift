// SPDX-License-Identifier: Apache-2.0

/// An exact sum of money.
///
/// Counted in thousandths of the currency's minor unit, because trade prices in fractions of a penny (`0.095 GBP` a
/// screw) and a sum of such lines must still be exact. Range: about ±92 trillion major units for a currency of two digits.
package struct Money: Hashable, Sendable {
    /// Thousandths of the minor unit: `1.00 GBP` is `100_000`.
    package let thousandths: Int64
    package let currency: Currency

    package static let thousandthsPerMinorUnit: Int64 = 1_000

    package init(thousandths: Int64, _ currency: Currency) {
        self.thousandths = thousandths
        self.currency = currency
    }

    /// - Throws: ``MoneyError/overflow`` when the amount cannot be held.
    package init(minorUnits: Int64, _ currency: Currency) throws(MoneyError) {
        let (value, overflow) = minorUnits.multipliedReportingOverflow(by: Self.thousandthsPerMinorUnit)
        if overflow { throw .overflow }
        self.init(thousandths: value, currency)
    }

    package static func zero(_ currency: Currency) -> Money { Money(thousandths: 0, currency) }

    package var isZero: Bool { thousandths == 0 }
    package var isNegative: Bool { thousandths < 0 }
    package var negated: Money { Money(thousandths: -thousandths, currency) }

    /// Whole minor units, rounded half to even where there is a fraction (see ``isWhole``).
    package var minorUnits: Int64 {
        let (quotient, remainder) = thousandths.quotientAndRemainder(dividingBy: Self.thousandthsPerMinorUnit)
        let doubled = remainder.magnitude * 2
        let roundsAway = doubled > 1_000 || (doubled == 1_000 && quotient % 2 != 0)
        return roundsAway ? quotient + (thousandths < 0 ? -1 : 1) : quotient
    }

    /// Whether the sum is a whole number of minor units.
    package var isWhole: Bool { thousandths % Self.thousandthsPerMinorUnit == 0 }

    /// - Throws: ``MoneyError/overflow``. Adding another currency is a mistake of ours and traps.
    package func adding(_ other: Money) throws(MoneyError) -> Money {
        precondition(currency == other.currency, "Sums of \(currency) and \(other.currency) cannot be added.")
        let (value, overflow) = thousandths.addingReportingOverflow(other.thousandths)
        if overflow { throw .overflow }
        return Money(thousandths: value, currency)
    }

    /// - Throws: ``MoneyError/overflow``.
    package func subtracting(_ other: Money) throws(MoneyError) -> Money { try adding(other.negated) }

    /// - Throws: ``MoneyError/overflow``.
    package func multiplied(by quantity: Int64) throws(MoneyError) -> Money {
        let (value, overflow) = thousandths.multipliedReportingOverflow(by: quantity)
        if overflow { throw .overflow }
        return Money(thousandths: value, currency)
    }

    /// The share `numerator / denominator` of this sum, rounded half away from zero to a whole minor unit.
    package func share(_ numerator: Int64, of denominator: Int64) throws(MoneyError) -> Money {
        precondition(denominator > 0, "A share needs a positive whole.")
        let unit = Self.thousandthsPerMinorUnit
        let (high, low) = thousandths.magnitude.multipliedFullWidth(by: numerator.magnitude)
        let divisor = UInt64(denominator) * UInt64(unit)
        if high >= divisor { throw .overflow }
        let (quotient, remainder) = divisor.dividingFullWidth((high, low))
        let rounded = remainder >= divisor - remainder ? quotient + 1 : quotient
        guard let value = Int64(exactly: rounded) else { throw .overflow }
        return try Money(minorUnits: (thousandths < 0) != (numerator < 0) ? -value : value, currency)
    }

    /// Adds `amounts`; zero of `currency` when there are none.
    package static func sum(_ amounts: some Sequence<Money>, in currency: Currency) throws(MoneyError) -> Money {
        var total = Money.zero(currency)
        for amount in amounts { total = try total.adding(amount) }
        return total
    }
}

package enum MoneyError: Error, Equatable {
    /// The result is beyond what the type holds.
    case overflow
}

extension Money {
    /// The exact value in major units: `2.55`, `0.001`, `-11062.06`, `500` for yen.
    ///
    /// At least the currency's own number of decimals, at most three more.
    package var decimal: String {
        let digits = currency.minorUnitDigits + 3
        var text = String(thousandths.magnitude)
        if text.count <= digits { text = String(repeating: "0", count: digits + 1 - text.count) + text }
        var fraction = text.suffix(digits)
        let whole = text.dropLast(digits)
        while fraction.count > currency.minorUnitDigits, fraction.last == "0" { fraction.removeLast() }
        return (isNegative ? "-" : "") + whole + (fraction.isEmpty ? "" : "." + fraction)
    }

    /// Reads major units as ``decimal`` writes them.
    ///
    /// - Returns: `nil` for anything but an optional sign, digits and one point, for more decimals than can be held
    ///   exactly, and for sums out of range.
    package init?(decimal text: some StringProtocol, _ currency: Currency) {
        let negative = text.first == "-"
        let parts = (negative ? text.dropFirst() : text[...]).split(separator: ".", omittingEmptySubsequences: false)
        let digits = currency.minorUnitDigits + 3
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) })
        else { return nil }
        var fraction = parts.count == 2 ? String(parts[1]) : ""
        while fraction.count > digits, fraction.last == "0" { fraction.removeLast() }
        guard fraction.count <= digits else { return nil }
        fraction += String(repeating: "0", count: digits - fraction.count)
        guard let value = Int64((negative ? "-" : "") + parts[0] + fraction) else { return nil }
        self.init(thousandths: value, currency)
    }
}

extension Money: CustomStringConvertible {
    package var description: String { "\(decimal) \(currency)" }
}

extension Character {
    var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
