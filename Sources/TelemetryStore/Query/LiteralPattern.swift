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
            } else if ".*+?()[]{}|^$\u{FFFD}".unicodeScalars.contains(scalar) {
                // The last one stands for bytes that are no text.
                return nil
            }
            isEscaped = false
            text.append(scalar)
        }
        guard !isEscaped else { return nil }
        self.text = String(text)
    }

    /// Pieces that a text has, in upper or lower case, where it matches. An s or a k may be another one there, beyond ASCII
    /// (Unicode, CaseFolding.txt).
    var pieces: [Substring] {
        isCaseless
            ? text.unicodeScalars.split { "ksKS".unicodeScalars.contains($0) }.map(Substring.init) : [text[...]]
    }
}
