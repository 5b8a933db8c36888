// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Money on the wire: whole minor units, and the exact value where those would round.
private struct MoneyBody: Sendable {
    let amount: Int?
    let currency: Currency
    let decimal: String?

    /// Ten billion major units of a two-digit currency: far beyond a price, far below overflow.
    static let amountMax = 1_000_000_000_000

    static let schema = make("Money", -amountMax...amountMax)
    static let unsigned = make("Price", 0...amountMax)

    private static func make(_ name: String, _ amounts: ClosedRange<Int>) -> Schema<MoneyBody> {
        .object(
            name, MoneyBody.init,
            .optional(
                "amount", \.amount, .integer(amounts),
                "Minor units of the currency, for example pence. Rounded half to even where `decimal` is present."),
            .required("currency", \.currency, .currency),
            .optional(
                "decimal", \.decimal, .decimal(isSigned: amounts.lowerBound < 0),
                "The exact value in major units, instead of `amount`; in answers only where it is no whole number of "
                    + "minor units."))
    }
}

extension Schema where Value == String {
    /// A sum in major units, as digits with a point.
    package static func decimal(isSigned: Bool) -> Schema {
        let pattern = "^\(isSigned ? "-?" : "")[0-9]{1,10}(\\.[0-9]{1,6})?$"
        return string(pattern: pattern, example: "0.095", lengths: 1...24) { text in
            let parts = (isSigned && text.hasPrefix("-") ? text.dropFirst() : text[...])
                .split(separator: ".", omittingEmptySubsequences: false)
            return parts.count <= 2 && (1...10).contains(parts[0].count)
                && (parts.count == 1 || (1...6).contains(parts[1].count))
                && parts.allSatisfy { $0.utf8.allSatisfy { (48...57).contains($0) } }
        }
    }
}

extension Schema where Value == Money {
    /// A sum of money of either sign.
    ///
    /// The document asks for one of `amount` and `decimal`; both are taken where they agree, so that what was answered can be
    /// sent back.
    package static let money = Schema(
        form: MoneyBody.schema.oneWay(of: ["amount"], ["decimal"]).form,
        decode: { json, decoding in
            guard let body = MoneyBody.schema.decode(json, &decoding) else { return nil }
            let money: Money?
            if let decimal = body.decimal {
                money = Money(decimal: decimal, body.currency)
                if money == nil {
                    decoding.at("decimal") {
                        $0.fail("precision", "At most three decimals more than the currency has can be held.")
                    }
                    return nil
                }
            } else {
                money = body.amount.flatMap { try? Money(minorUnits: Int64($0), body.currency) }
            }
            guard let money, abs(money.minorUnits) <= MoneyBody.amountMax else {
                let isMissing = body.amount == nil && body.decimal == nil
                decoding.fail(
                    isMissing ? "required" : "precision",
                    isMissing
                        ? "Send `amount` in minor units, or `decimal` in major units."
                        : "At most \(MoneyBody.amountMax) minor units can be held.")
                return nil
            }
            if let amount = body.amount, Int64(amount) != money.minorUnits {
                decoding.fail("contradiction", "`amount` and `decimal` name different sums; send one of them.")
                return nil
            }
            return money
        },
        encode: { value, writer, selection in
            let body = MoneyBody(
                amount: Int(value.minorUnits), currency: value.currency, decimal: value.isWhole ? nil : value.decimal)
            MoneyBody.schema.encode(body, &writer, selection)
        })

    /// A sum of money that is not negative.
    package static let price = Schema(
        form: MoneyBody.unsigned.oneWay(of: ["amount"], ["decimal"]).form,
        decode: { json, decoding in
            guard let money = Schema.money.decode(json, &decoding) else { return nil }
            guard !money.isNegative else {
                decoding.fail("range", "A price cannot be negative.")
                return nil
            }
            return money
        },
        encode: Schema.money.encode)
}
