// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A statement with its values apart: whatever is interpolated becomes a parameter, never text.
///
/// ```swift
/// let row = try connection.first("SELECT title FROM products WHERE id = \(id)") { try $0.next(String.self) }
/// ```
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// The text, with `?` for each value and a mark for each set.
    package private(set) var text: String
    package private(set) var values: [SQLValue]

    package init(stringLiteral value: String) {
        text = value
        values = []
    }

    package init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        values = stringInterpolation.values
    }

    package static let empty: SQL = ""

    // Stand where a set of values does, until ``Dialect/render(_:)`` puts the engine's words there.
    static let integerSet = "\u{1}integers"
    static let textSet = "\u{1}texts"

    package var isEmpty: Bool { text.isEmpty }

    package static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum.text += right.text
        sum.values += right.values
        return sum
    }

    package static func += (left: inout SQL, right: SQL) { left = left + right }

    package struct StringInterpolation: StringInterpolationProtocol {
        var text = ""
        var values: [SQLValue] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount)
            values.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        package mutating func appendInterpolation(_ value: some SQLConvertible) {
            text += "?"
            values.append(value.sqlValue)
        }

        package mutating func appendInterpolation(_ value: (some SQLConvertible)?) {
            text += "?"
            values.append(value?.sqlValue ?? .null)
        }

        /// Another statement's text and values, for conditions that are put together.
        package mutating func appendInterpolation(_ part: SQL) {
            text += part.text
            values += part.values
        }

        /// The members of a set, to stand behind `IN`. The text is the same for any number of members, so that the
        /// prepared statement is too.
        package mutating func appendInterpolation(anyOf members: some Sequence<some SQLConvertible>) {
            var (integers, texts): ([Int64], [String]) = ([], [])
            for member in members {
                switch member.sqlValue {
                case .integer(let value): integers.append(value)
                case .text(let value): texts.append(value)
                case .null, .real, .blob, .integers, .texts: preconditionFailure("A set holds integers or texts.")
                }
            }
            guard !integers.isEmpty || !texts.isEmpty else { return text += "(NULL)" }
            text += integers.isEmpty ? SQL.textSet : SQL.integerSet
            values.append(integers.isEmpty ? .texts(texts) : .integers(integers))
        }

        /// Rows of as many values each, to stand behind `VALUES`.
        package mutating func appendInterpolation(rows: some Sequence<[SQLValue]>) {
            for (place, row) in rows.enumerated() {
                text += (place == 0 ? "(" : ", (") + row.map { _ in "?" }.joined(separator: ", ") + ")"
                values += row
            }
        }
    }
}

/// One value as the engines hold it.
package enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
    // Sets, which stand behind `IN`.
    case integers([Int64])
    case texts([String])
}

extension SQLValue {
    package init(_ key: KeyValue) {
        switch key {
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .text(let value): self = .text(value)
        }
    }
}
