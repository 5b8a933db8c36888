// SPDX-License-Identifier: Apache-2.0

/// A currency of ISO 4217, by its three letters.
package struct Currency: Hashable, Sendable, CustomStringConvertible {
    package let code: String

    /// - Returns: `nil` when `code` is not an active currency of ISO 4217 in upper case.
    package init?(_ code: String) {
        guard Self.known.contains(code) else { return nil }
        self.code = code
    }

    private init(known code: String) { self.code = code }

    package static let gbp = Currency(known: "GBP")
    package static let eur = Currency(known: "EUR")
    package static let usd = Currency(known: "USD")

    package var description: String { code }

    /// How many decimals the minor unit has: 2 for the pound, 0 for the yen, 3 for the dinar.
    package var minorUnitDigits: Int {
        if Self.withoutMinorUnit.contains(code) { return 0 }
        if Self.withThreeDigits.contains(code) { return 3 }
        return 2
    }

    /// Every code, in alphabetical order.
    package static let codes = known.sorted()

    private static let withoutMinorUnit: Set = [
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
    ]
    private static let withThreeDigits: Set = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
    private static let known = Set(
        """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP \
        CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG \
        HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
        RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD \
        TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
        """.split(separator: " ").map(String.init))
}
