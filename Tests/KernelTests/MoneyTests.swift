// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Kernel

struct MoneyTests {
    @Test(arguments: [
        ("2.55", "GBP", 255, "2.55"), ("0.001", "GBP", 0, "0.001"), ("-11062.06", "GBP", -1_106_206, "-11062.06"),
        ("500", "JPY", 500, "500"), ("0.095", "GBP", 10, "0.095"), ("9747747.934", "GBP", 974_774_793, "9747747.934"),
        ("1.5", "KWD", 1_500, "1.500"), ("3.10", "GBP", 310, "3.10"), ("7", "GBP", 700, "7.00"),
    ])
    func `decimal text is read exactly and written again`(
        text: String, code: String, minorUnits: Int64, written: String
    ) throws {
        let currency = try #require(Currency(code))
        let money = try #require(Money(decimal: text, currency))
        #expect(money.minorUnits == minorUnits)
        #expect(money.decimal == written)
    }

    @Test(arguments: ["", "-", ".5", "1.", "1.2.3", "1e3", "+1", "0x10", "１", "0.0000001", "99999999999999999999"])
    func `what is no exact sum of money is refused`(text: String) {
        #expect(Money(decimal: text, .gbp) == nil)
    }

    @Test func `half a minor unit rounds to the even neighbour, on both sides of zero`() {
        let halves: [(Int64, Int64)] = [
            (500, 0), (1_500, 2), (2_500, 2), (-500, 0), (-1_500, -2), (2_501, 3), (-2_501, -3),
        ]
        for (thousandths, rounded) in halves {
            #expect(Money(thousandths: thousandths, .gbp).minorUnits == rounded)
        }
    }

    @Test func `sums that cannot be held are an error, not a wrong sum`() throws {
        let large = Money(thousandths: Int64.max - 1, .gbp)
        #expect(throws: MoneyError.overflow) { try large.adding(Money(thousandths: 2, .gbp)) }
        #expect(throws: MoneyError.overflow) { try large.multiplied(by: 2) }
        #expect(throws: MoneyError.overflow) { try Money(minorUnits: Int64.max, .gbp) }
    }

    @Test func `the tax in a gross price is rounded to a whole penny`() throws {
        let gross = try Money(minorUnits: 1_000, .gbp)
        #expect(try gross.share(20, of: 120).minorUnits == 167)
        #expect(try gross.negated.share(20, of: 120).minorUnits == -167)
        #expect(try gross.share(0, of: 100).isZero)
    }
}
