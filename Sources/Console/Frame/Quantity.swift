// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// How numbers of one kind are read.
enum Quantity: Sendable {
    case count
    case perSecond
    /// 0 to 1.
    case share
    case seconds
    case bytes
    /// In major units, of this currency.
    case money(String)

    func text(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        switch self {
        case .count: return Self.short(value)
        case .perSecond: return Self.short(value) + "/s"
        case .share: return value == 0 ? "0 %" : value < 0.000_05 ? "<0.01 %" : Self.digits(value * 100) + " %"
        case .seconds: return Self.duration(value)
        case .bytes: return Self.bytes(value)
        case .money(let currency): return Self.grouped(value) + " " + currency
        }
    }

    private static func duration(_ seconds: Double) -> String {
        switch seconds.magnitude {
        case 0: "0"
        case ..<0.001: digits(seconds * 1e6) + " µs"
        case ..<1: digits(seconds * 1e3) + " ms"
        case ..<120: digits(seconds) + " s"
        case ..<7_200: digits(seconds / 60) + " min"
        case ..<172_800: digits(seconds / 3_600) + " h"
        default: digits(seconds / 86_400) + " d"
        }
    }

    private static func bytes(_ value: Double) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (value, 0)
        while value.magnitude >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        return (unit == 0 ? String(Int(value)) : digits(value)) + " " + units[unit]
    }

    private static func short(_ value: Double) -> String {
        switch value.magnitude {
        case 1e9...: digits(value / 1e9) + " G"
        case 1e6...: digits(value / 1e6) + " M"
        case 1e4...: digits(value / 1e3) + " k"
        default: digits(value)
        }
    }

    /// Three digits that count, and no zeros that do not.
    private static func digits(_ value: Double) -> String {
        let decimals = value.magnitude >= 99.95 ? 0 : value.magnitude >= 9.995 ? 1 : value.magnitude >= 0.1 ? 2 : 3
        let text = String(format: "%.\(decimals)f", value)
        guard text.contains(".") else { return text }
        let trimmed = String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
        return trimmed.isEmpty || trimmed == "-" ? "0" : trimmed
    }

    private static func grouped(_ value: Double) -> String {
        let text = String(format: "%.2f", value)
        var (whole, grouped) = (text.dropLast(3), "")
        while whole.count > 3 {
            grouped = "," + whole.suffix(3) + grouped
            whole = whole.dropLast(3)
        }
        return whole + grouped + text.suffix(3)
    }
}
