// SPDX-License-Identifier: Apache-2.0

internal import Crypto
package import Kernel

/// Turns page positions into opaque cursors and back.
///
/// A cursor is signed (HMAC-SHA-256, 16 bytes of it) and bound to the list, its filters and its sorting, so that a cursor
/// from elsewhere is refused instead of skipping elements in silence.
package struct CursorCodec: Sendable {
    private let key: [UInt8]
    private let clock: WallClock

    /// A cursor is good for so many days after the one on which it was made. It says that day alone, so that a page that is the same
    /// reads the same, and has the same entity tag.
    private static let daysToLive: Int64 = 7
    private static let millisecondsOfDay: Int64 = 86_400_000
    private static let signatureLength = 16
    private static let format: UInt8 = 1

    /// `key` is 32 secret bytes, the same in every process of a shop.
    package init(key: [UInt8], clock: WallClock) {
        self.key = key
        self.clock = clock
    }

    /// The cursor of a position; `binding` names the list with its filters and sorting.
    func encode(_ position: PagePosition, binding: String) -> String {
        var bytes: [UInt8] = [Self.format, position.direction == .forward ? 0 : 1]
        bytes.append(contentsOf: Self.bytes(UInt64(today * Self.millisecondsOfDay)))
        for key in position.keys { Self.append(key, to: &bytes) }
        return Base64URL.encode(bytes + sign(bytes, binding))
    }

    /// - Throws: ``Problem`` of type `invalid-cursor`.
    func decode(_ text: String, binding: String) throws -> PagePosition {
        guard let bytes = Base64URL.decode(text), bytes.count > Self.signatureLength + 10 else {
            throw Problem(.invalidCursor, "This is no cursor.")
        }
        let payload = Array(bytes.dropLast(Self.signatureLength))
        guard Self.isEqual(sign(payload, binding), Array(bytes.suffix(Self.signatureLength))) else {
            throw Problem(
                .invalidCursor, "This cursor belongs to another list, filter or sorting, or to another server.")
        }
        var reader = Reader(bytes: payload[2...])
        guard today - Int64(reader.integer()) / Self.millisecondsOfDay <= Self.daysToLive else {
            throw Problem(.invalidCursor, "This cursor has expired.")
        }
        var keys: [KeyValue] = []
        while let key = reader.key() { keys.append(key) }
        return PagePosition(keys: keys, direction: payload[1] == 0 ? .forward : .backward)
    }

    /// Days since 1970.
    private var today: Int64 { clock.now().milliseconds / Self.millisecondsOfDay }

    private func sign(_ payload: [UInt8], _ binding: String) -> [UInt8] {
        var hmac = HMAC<SHA256>(key: SymmetricKey(data: key))
        hmac.update(data: payload)
        hmac.update(data: Array(binding.utf8))
        return Array(Array(hmac.finalize()).prefix(Self.signatureLength))
    }

    // Takes the same time wherever the first difference is.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func append(_ key: KeyValue, to bytes: inout [UInt8]) {
        switch key {
        case .integer(let value): bytes += [0] + self.bytes(UInt64(bitPattern: value))
        case .real(let value): bytes += [1] + self.bytes(value.bitPattern)
        case .text(let value): bytes += [2] + self.bytes(UInt64(value.utf8.count)) + Array(value.utf8)
        }
    }

    private static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }

    /// Reads what `append` wrote; only signed bytes get here, so lengths can be trusted.
    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func integer() -> UInt64 {
            defer { bytes = bytes.dropFirst(8) }
            return bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }

        mutating func key() -> KeyValue? {
            guard let tag = bytes.popFirst() else { return nil }
            switch tag {
            case 0: return .integer(Int64(bitPattern: integer()))
            case 1: return .real(Double(bitPattern: integer()))
            default:
                let count = Int(integer())
                defer { bytes = bytes.dropFirst(count) }
                return .text(String(decoding: bytes.prefix(count), as: UTF8.self))
            }
        }
    }
}

/// Base 64 for addresses, without padding (RFC 4648 section 5).
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values = Dictionary(uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt32($0)) })

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 4 / 3 + 3)
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    package static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            guard let value = values[character] else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
