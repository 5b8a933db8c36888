// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// How text is taken apart for searching, the same for what is stored and what is asked.
package enum SearchText {
    /// Lower-case words without accents; at most 400 of them.
    package static func words(_ text: String) -> [String] {
        let isPlain = text.utf8.allSatisfy { $0 < 0x80 }
        if isPlain {
            return text.lowercased().utf8.split(maxSplits: 400) { !isPlainWord($0) }.prefix(400).map(Substring.init)
                .map(String.init)
        }
        return text.folding(options: [.caseInsensitive, .diacriticInsensitive], locale: nil)
            .split(maxSplits: 400) { !$0.isLetter && !$0.isNumber }.prefix(400).map(String.init)
    }

    private static func isPlainWord(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    /// The text by which titles are sorted.
    static func sortKey(_ title: String) -> String { words(title).joined(separator: " ") }

    /// `word` and each text that arises by leaving out one of its characters.
    ///
    /// Two words that differ by one insertion, deletion, replacement or exchange of neighbours share one of these
    /// (W. Garbe's symmetric delete), so one look-up by key finds all candidates.
    static func deletions(of word: String) -> Set<String> {
        var texts: Set = [word]
        let characters = Array(word)
        for index in characters.indices {
            var shorter = characters
            shorter.remove(at: index)
            texts.insert(String(shorter))
        }
        return texts
    }

    /// Whether at most one typing error lies between the words (optimal string alignment distance of 1 or less).
    static func areOneErrorApart(_ left: String, _ right: String) -> Bool {
        var a = Array(left)[...]
        var b = Array(right)[...]
        while let first = a.first, first == b.first {
            a.removeFirst()
            b.removeFirst()
        }
        while let last = a.last, last == b.last {
            a.removeLast()
            b.removeLast()
        }
        switch (a.count, b.count) {
        case (0...1, 0...1): return true
        case (2, 2): return a.first == b.last && a.last == b.first
        default: return false
        }
    }
}
