// SPDX-License-Identifier: Apache-2.0

/// A piece of a page. What is interpolated is escaped unless it is HTML itself, so that no text of a stranger becomes markup
/// (HTML Living Standard, 13.3).
///
///     let row: HTML = "<tr><td>\(name)</td>\(cells)</tr>"
package struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    package private(set) var text: String

    package init(stringLiteral value: String) { text = value }

    package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        /// Where both fit, as with the branches of a condition that are literals, what stands there is markup, not text.
        @_disfavoredOverload
        package mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }

        package mutating func appendInterpolation(_ value: Int) { text += String(value) }

        package mutating func appendInterpolation(_ html: HTML) { text += html.text }

        package mutating func appendInterpolation(_ pieces: [HTML]) {
            for piece in pieces { text += piece.text }
        }
    }

    package static func += (left: inout HTML, right: HTML) { left.text += right.text }

    package static func + (left: HTML, right: HTML) -> HTML {
        var both = left
        both += right
        return both
    }

    package var isEmpty: Bool { text.isEmpty }

    private static func escaped(_ value: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.utf8.count)
        var isClean = true
        for byte in value.utf8 {
            guard let entity = entity(byte) else {
                bytes.append(byte)
                continue
            }
            isClean = false
            bytes.append(contentsOf: entity.utf8)
        }
        return isClean ? value : String(decoding: bytes, as: UTF8.self)
    }

    private static func entity(_ byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case UInt8(ascii: "\""): "&quot;"
        case UInt8(ascii: "'"): "&#39;"
        default: nil
        }
    }
}
