// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

extension Expression {
    /// The query as PromQL writes it, on one line.
    package var text: String {
        switch form {
        case .number(let value): SampleText.of(value)
        case .string(let text): Self.quoted(text)
        case .selector(let selector): selector.text + selector.ending
        case .range(let selector, let length):
            "\(selector.text)[\(length.text)]\(selector.ending)"
        case .subquery(let subquery):
            "\(subquery.inner.text)[\(subquery.range.text):\(subquery.step?.text ?? "")]\(subquery.shift.text)"
        case .call(let function, let arguments):
            "\(function.name)(\(arguments.map(\.text).joined(separator: ", ")))"
        case .aggregation(let aggregation): aggregation.text
        case .binary(let binary): binary.text
        case .negation(let inner): "-\(inner.text)"
        case .parentheses(let inner): "(\(inner.text))"
        }
    }

    fileprivate static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return "\"\(escaped)\""
    }
}

extension Selector {
    fileprivate var text: String {
        let names = matchers.filter { $0.name == LabelSet.name && $0.operation == .equal }
        let name = names.count == 1 ? names[0].value : ""
        // What reads as a number is one where it stands alone.
        let isPlain = Self.isPlain(name, withColons: true) && !["inf", "nan"].contains(name.lowercased())
        let rest = matchers.filter { !($0.name == LabelSet.name && $0.operation == .equal && isPlain) }
        let list = rest.map { matcher in
            let label = Self.isPlain(matcher.name) ? matcher.name : Expression.quoted(matcher.name)
            if !name.isEmpty, matcher.name == LabelSet.name, matcher.operation == .equal {
                return Expression.quoted(matcher.value)
            }
            return label + matcher.operation.rawValue + Expression.quoted(matcher.value)
        }
        return (isPlain ? name : "") + (list.isEmpty ? "" : "{\(list.joined(separator: ","))}")
    }

    fileprivate var ending: String { (edges == .asFound ? "" : " \(edges.rawValue)") + shift.text }

    fileprivate static func isPlain(_ name: String, withColons: Bool = false) -> Bool {
        LabelName.isValid(withColons ? name.replacing(":", with: "_") : name, .v2)
    }
}

extension TimeShift {
    fileprivate var text: String {
        var text = ""
        switch anchor {
        case .time(let milliseconds): text += " @ \(SampleText.of(Double(milliseconds) / 1_000))"
        case .start: text += " @ start()"
        case .end: text += " @ end()"
        case nil: break
        }
        if let offset { text += " offset \(offset.text)" }
        return text
    }
}

extension Aggregation {
    fileprivate var text: String {
        var words = `operator`.rawValue
        if grouping.isWithout || !grouping.names.isEmpty {
            words += " \(grouping.isWithout ? "without" : "by") (\(Self.list(grouping.names))) "
        }
        return words + "(" + (parameter.map { $0.text + ", " } ?? "") + inner.text + ")"
    }

    static func list(_ names: [String]) -> String {
        names.map { Selector.isPlain($0) ? $0 : Expression.quoted($0) }.joined(separator: ", ")
    }
}

extension Binary {
    fileprivate var text: String {
        var words = [left.text, `operator`.rawValue]
        if isBool { words.append("bool") }
        if matching.isOn || !matching.names.isEmpty {
            words.append("\(matching.isOn ? "on" : "ignoring") (\(Aggregation.list(matching.names)))")
        }
        switch matching.cardinality {
        case .manyToOne: words.append("group_left (\(Aggregation.list(matching.include)))")
        case .oneToMany: words.append("group_right (\(Aggregation.list(matching.include)))")
        case .oneToOne, .manyToMany: break
        }
        switch (matching.fillLeft, matching.fillRight) {
        case (let left?, let right?) where left.bitPattern == right.bitPattern || left.isNaN && right.isNaN:
            words.append("fill (\(SampleText.of(left)))")
        case (let left, let right):
            if let left { words.append("fill_left (\(SampleText.of(left)))") }
            if let right { words.append("fill_right (\(SampleText.of(right)))") }
        }
        return (words + [right.text]).joined(separator: " ")
    }
}
