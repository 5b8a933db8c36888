// SPDX-License-Identifier: Apache-2.0

/// A word of the language, with where it stands.
struct Token: Equatable {
    enum Kind: Equatable {
        /// A name that may have colons; keywords are names too, and what follows decides.
        case identifier(String)
        case number(Double)
        /// Milliseconds, such as `1h30m`.
        case duration(Int64)
        case string(String)
        /// `+`, `==`, `(` and the like.
        case symbol(String)
        case end
    }

    let kind: Kind
    /// In bytes of the query.
    let range: Range<Int>
}

/// A query that cannot be understood, with where in its bytes.
package struct QuerySyntaxError: Error, Equatable, CustomStringConvertible {
    package let message: String
    /// In bytes.
    package let range: Range<Int>
    /// Both from 1; the column counts bytes.
    package let line: Int
    package let column: Int

    init(_ message: String, at range: Range<Int>, in query: [UInt8]) {
        self.message = message
        self.range = range
        let before = query.prefix(range.lowerBound)
        line = before.count { $0 == UInt8(ascii: "\n") } + 1
        column = range.lowerBound - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
    }

    package var description: String { "\(line):\(column): parse error: \(message)" }
}
