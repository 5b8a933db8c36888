// SPDX-License-Identifier: Apache-2.0

/// The labels of a series, sorted by name, no name twice and no value empty, with the metric's name as `__name__`.
package struct LabelSet: Hashable, Sendable {
    package let labels: [MetricLabel]

    package static let empty = LabelSet(sorted: [])
    /// The label that holds the metric's name.
    package static let name = "__name__"

    /// Sorts; of two labels with one name the later stays, and empty values are left out.
    package init(_ labels: some Sequence<MetricLabel>) {
        var last: [String: String] = [:]
        for label in labels { last[label.name] = label.value }
        self.labels = last.filter { !$0.value.isEmpty }.map { MetricLabel($0.key, $0.value) }.sorted()
    }

    /// - Precondition: As ``labels`` says.
    package init(sorted labels: [MetricLabel]) { self.labels = labels }

    /// The value of a label; empty where there is none, which PromQL takes for the same.
    package subscript(name: String) -> String {
        for label in labels where label.name == name { return label.value }
        return ""
    }

    package var metricName: String { self[Self.name] }

    package func without(_ name: String) -> LabelSet {
        guard labels.contains(where: { $0.name == name }) else { return self }
        return LabelSet(sorted: labels.filter { $0.name != name })
    }

    /// Those labels whose names `isKept` holds for.
    package func filter(_ isKept: (String) -> Bool) -> LabelSet {
        LabelSet(sorted: labels.filter { isKept($0.name) })
    }

    /// With another value of a label; without it where that is empty.
    package func with(_ name: String, _ value: String) -> LabelSet {
        var labels = labels.filter { $0.name != name }
        guard !value.isEmpty else { return LabelSet(sorted: labels) }
        labels.insert(MetricLabel(name, value), at: labels.firstIndex { $0.name > name } ?? labels.endIndex)
        return LabelSet(sorted: labels)
    }
}

extension LabelSet: Comparable {
    package static func < (left: Self, right: Self) -> Bool { left.labels.lexicographicallyPrecedes(right.labels) }
}

extension LabelSet: CustomStringConvertible {
    /// As PromQL writes it, such as `http_requests_total{job="shop"}`.
    package var description: String { text(separator: ", ") }

    /// As targets show it, without a blank. Names that names did not use to have are in quotes.
    package var exposition: String { text(separator: ",") }

    private func text(separator: String) -> String {
        let name = metricName
        let isPlain = Self.isPlain(name)
        var list = isPlain || name.isEmpty ? [] : ["\"\(Self.escaped(name))\""]
        for label in labels where label.name != Self.name {
            let word = Self.isPlain(label.name) ? label.name : "\"\(Self.escaped(label.name))\""
            list.append("\(word)=\"\(Self.escaped(label.value))\"")
        }
        if list.isEmpty, !name.isEmpty { return name }
        return "\(isPlain ? name : ""){\(list.joined(separator: separator))}"
    }

    private static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || byte == UInt8(ascii: ":")
                || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
        }
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x22 || $0 == 0x5C || $0 == 0x0A }) else { return value }
        return value.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
