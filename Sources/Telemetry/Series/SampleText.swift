// SPDX-License-Identifier: Apache-2.0

/// Numbers as Prometheus writes them: the shortest digits that read back the same, without exponent, `NaN`, `+Inf`, `-Inf`.
package enum SampleText {
    package static func of(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), value.magnitude < 1e15 {
            return value == 0 && value.sign == .minus ? "-0" : String(Int64(value))
        }
        let text = value.description
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "e")) else {
            return text.utf8.suffix(2).elementsEqual(".0".utf8) ? String(text.dropLast(2)) : text
        }
        return positional(text[..<mark], exponent: Int(text[text.index(after: mark)...]) ?? 0)
    }

    /// Moves the point by `exponent` places.
    private static func positional(_ mantissa: Substring, exponent: Int) -> String {
        let sign = mantissa.hasPrefix("-") ? "-" : ""
        let parts = mantissa.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
        let fraction = parts.count > 1 && parts[1] != "0" ? String(parts[1]) : ""
        let digits = String(parts[0]) + fraction
        let point = parts[0].count + exponent
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if point >= digits.count { return sign + digits + String(repeating: "0", count: point - digits.count) }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }
}
