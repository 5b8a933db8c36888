// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The validators of an answer (RFC 9110 section 8.8).
///
/// A strong tag reads `"<version>-<hash>"`: the version is the state's, which `If-Match` compares; the hash is the
/// representation's, so that other languages, fields or parts of the same state have other tags and `If-None-Match` is
/// never wrong about bytes.
package enum EntityTag {
    static func strong(version: Int64, body: [UInt8]) -> String { "\"\(version)-\(hash(body))\"" }

    static func weak(body: [UInt8]) -> String { "W/\"\(hash(body))\"" }

    /// The tag of another representation of the same state.
    static func retagged(_ tag: String, body: [UInt8]) -> String {
        guard !tag.hasPrefix("W/"), let version = Int64(opaque(tag).prefix { $0 != "-" }) else {
            return weak(body: body)
        }
        return strong(version: version, body: body)
    }

    /// Whether `If-None-Match` lists `tag`, by weak comparison (RFC 9110 section 13.1.2).
    static func matches(ifNoneMatch header: String, _ tag: String) -> Bool {
        header == tag || list(header).contains { $0 == "*" || opaque($0) == opaque(tag) }
    }

    /// What `If-Match` may say (RFC 9110 section 13.1.1).
    static let listPattern = #"^(\*|(W/)?"[\x21\x23-\x7e]*"(, ?(W/)?"[\x21\x23-\x7e]*")*)$"#

    /// Whether `header` is `*` or a list of entity tags.
    static func isList(_ header: String) -> Bool {
        let tags = list(header)
        return tags == ["*"]
            || !tags.isEmpty
                && tags.allSatisfy { tag in
                    let quoted = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
                    return quoted.count >= 2 && quoted.hasPrefix("\"") && quoted.hasSuffix("\"")
                        && quoted.dropFirst().dropLast().utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x7F }
                }
    }

    /// The versions that `If-Match` allows; `nil` for `*`.
    package static func versions(ifMatch header: String) -> Set<Int64>? {
        let tags = list(header)
        if tags.contains("*") { return nil }
        return Set(
            tags.compactMap { tag in
                guard !tag.hasPrefix("W/") else { return nil }
                let text = opaque(tag)
                return Int64(text.prefix { $0 != "-" })
            })
    }

    /// The elements of a list; commas in quotes belong to their tag.
    private static func list(_ header: String) -> [String] {
        var isQuoted = false
        return header.split { character in
            if character == "\"" { isQuoted.toggle() }
            return character == "," && !isQuoted
        }.map { $0.trimmingSpace }
    }

    /// A tag's text without `W/`, quotes and the mark of a compressed form.
    private static func opaque(_ tag: String) -> String {
        var text = Substring(tag)
        if text.hasPrefix("W/") { text = text.dropFirst(2) }
        if text.hasPrefix("\""), text.hasSuffix("\""), text.count >= 2 { text = text.dropFirst().dropLast() }
        if text.hasSuffix(compressedMark) { text = text.dropLast(compressedMark.count) }
        return String(text)
    }

    /// The tag of the same answer in gzip, which is another representation.
    static func compressed(_ tag: String) -> String {
        tag.hasSuffix("\"") ? tag.dropLast() + compressedMark + "\"" : tag
    }

    private static let compressedMark = "-gzip"

    /// FNV-1a of 64 bits, eight bytes at a time. It tells versions of our own answers apart; it keeps out no forger.
    private static func hash(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        bytes.withUnsafeBytes { buffer in
            var index = 0
            while index + 8 <= buffer.count {
                hash = (hash ^ buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0x100_0000_01b3
                hash ^= hash >> 32
                index += 8
            }
            while index < buffer.count {
                hash = (hash ^ UInt64(buffer[index])) &* 0x100_0000_01b3
                index += 1
            }
        }
        return String(hash ^ hash >> 29, radix: 36)
    }
}

/// What a request demands of the state it changes.
package enum Precondition: Hashable, Sendable {
    /// Any state will do.
    case none
    /// Only one of these versions may be changed.
    case versions(Set<Int64>)

    /// - Throws: ``Problem`` 412 with the present tag when `current` is another version.
    package func check(_ current: Int64) throws {
        guard case .versions(let allowed) = self, !allowed.contains(current) else { return }
        throw Problem(.preconditionFailed, "The present version is \(current).")
            .with("current_etag", .string("\"\(current)\""))
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    package var trimmingSpace: String {
        var text = Substring(self)
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
