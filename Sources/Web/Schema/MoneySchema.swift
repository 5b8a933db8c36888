// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Money on the wire: whole minor units, and the exact value where those would round.
private struct MoneyBody: Sendable {
    let amount: Int?
    let currency: Currency
    let decimal: String?

    /// Ten billion major units of a two-digit currency: far beyond a price, far below overflow.
    static let amountMax = 1_000_000_000_000

    static let schema = Schema.object(
        "Money", MoneyBody.init,
        .optional(
            "amount", \.amount, .integer(-amountMax...amountMax),
            "Minor units of the currency, for example pence. Rounded half to even where `decimal` is present."),
        .required("currency", \.currency, .currency),
        .optional(
            "decimal", \.decimal, .string(1...24, example: "0.095"),
            "The exact value in major units; in answers only where it is no whole number of minor units."))
}

extension Schema where Value == Money {
    /// A sum of money of either sign.
    package static let money = Schema(
        form: MoneyBody.schema.form,
        decode: { json, decoding in
            guard let body = MoneyBody.schema.decode(json, &decoding) else { return nil }
            let money: Money?
            if let decimal = body.decimal {
                money = Money(decimal: decimal, body.currency)
                if money == nil {
                    decoding.at("decimal") {
                        $0.fail("format", "Expected a decimal number such as 2.55 with at most three more decimals.")
                    }
                    return nil
                }
            } else {
                money = body.amount.flatMap { try? Money(minorUnits: Int64($0), body.currency) }
            }
            guard let money, abs(money.minorUnits) <= MoneyBody.amountMax else {
                decoding.fail("required", "Send `amount` in minor units, or `decimal` in major units.")
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
        form: Schema.money.form,
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
