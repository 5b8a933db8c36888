// SPDX-License-Identifier: Apache-2.0

/// A regular expression that stands for one text, as people and Grafana's "contains" write it: with what would mean something else
/// escaped, and perhaps `(?i)` before it, so that upper and lower case are the same.
struct LiteralPattern {
    let text: String
    let isCaseless: Bool

    /// `nil` where it stands for more.
    init?(_ pattern: String) {
        isCaseless = pattern.hasPrefix("(?i)")
        var (text, isEscaped) = (String.UnicodeScalarView(), false)
        for scalar in pattern.unicodeScalars.dropFirst(isCaseless ? 4 : 0) {
            if isEscaped {
                // A letter or digit behind it makes a class, a control or a reference.
                guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
                    return nil
                }
            } else if scalar == "\\" {
                isEscaped = true
                continue
            } else if ".*+?()[]{}|^$".unicodeScalars.contains(scalar) {
                return nil
            }
            isEscaped = false
            text.append(scalar)
        }
        guard !isEscaped else { return nil }
        self.text = String(text)
    }

    /// What a text must have that matches, to be asked of its fragments. Beyond ASCII there are another s and another k
    /// (Unicode, CaseFolding.txt), which are none.
    var needed: [Substring] {
        isCaseless
            ? text.unicodeScalars.split { "ksKS".unicodeScalars.contains($0) }.map(Substring.init) : [text[...]]
    }
}

extension LogQuery.LineFilter {
    /// The same, without a regular expression where none is needed.
    var simplified: LogQuery.LineFilter {
        guard operation == .matches || operation == .matchesNot, let literal = LiteralPattern(text),
            !literal.isCaseless
        else { return self }
        return .init(operation == .matches ? .contains : .lacks, literal.text)
    }
}
