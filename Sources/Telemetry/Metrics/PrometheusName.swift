// SPDX-License-Identifier: Apache-2.0

/// Names as Prometheus takes them (OpenTelemetry specification, compatibility/prometheus_and_openmetrics.md).
package enum PrometheusName {
    /// The family's name: invalid characters become `_`, the unit is the end of the name, and a counter has no `_total`,
    /// which its sample gets.
    package static func family(_ name: String, unit: String, kind: MetricDescription.Kind) -> String {
        var words = sanitized(name, isLabel: false)
        if words.hasSuffix("_total") { words.removeLast(6) }
        guard let suffix = self.suffix(of: unit, kind), !words.hasSuffix("_" + suffix) else { return words }
        return words + "_" + suffix
    }

    package static func label(_ name: String) -> String { sanitized(name, isLabel: true) }

    /// The unit as it stands in names; `nil` where it adds nothing.
    static func suffix(of unit: String, _ kind: MetricDescription.Kind) -> String? {
        switch unit {
        case "",
            _ where unit.hasPrefix("{"):
            nil
        case "1": kind == .gauge ? "ratio" : nil
        case "%": "percent"
        default: spelled(unit)
        }
    }

    private static let units = [
        "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "min": "minutes", "h": "hours",
        "d": "days", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "KBy": "kilobytes",
        "MBy": "megabytes", "GBy": "gigabytes", "m": "meters", "V": "volts", "A": "amperes", "J": "joules",
        "W": "watts",
        "g": "grams", "Cel": "celsius", "Hz": "hertz",
    ]

    /// `By/s` is `bytes_per_second`.
    private static func spelled(_ unit: String) -> String {
        let parts = unit.split(separator: "/", maxSplits: 1).map(String.init)
        let first = units[parts.first ?? ""] ?? sanitized(parts.first ?? "", isLabel: true)
        guard parts.count == 2 else { return first }
        let second = units[parts[1]] ?? sanitized(parts[1], isLabel: true)
        return first + "_per_" + (second.hasSuffix("s") ? String(second.dropLast()) : second)
    }

    private static func sanitized(_ name: String, isLabel: Bool) -> String {
        var text = ""
        text.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            let isLetter = byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
            let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            if isDigit, text.isEmpty { text += "_" }
            if isLetter || isDigit || byte == UInt8(ascii: ":") && !isLabel {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else if !text.hasSuffix("_") {
                text += "_"
            }
        }
        return text.isEmpty ? "_" : text
    }
}
