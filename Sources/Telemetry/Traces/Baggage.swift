// SPDX-License-Identifier: Apache-2.0

/// Facts that a request carries from service to service (W3C Baggage). They are seen by everyone on the way: no secrets.
public struct Baggage: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: String
        /// Behind the value, as it came: `;ttl=60`.
        public let properties: String
    }

    public private(set) var members: [Member] = []

    private static let membersMax = 64
    private static let bytesMax = 8_192

    public init() {}

    /// Takes what is valid in a `baggage` header; members beyond 64, or beyond 8,192 bytes, are left out.
    public init(header: String) {
        var bytes = 0
        for part in header.split(separator: ",") {
            let text = part.trimmed
            let pieces = text.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
            guard let pair = pieces.first, let equals = pair.firstIndex(of: "=") else { continue }
            let key = pair[..<equals].trimmed
            bytes += text.utf8.count + 1
            guard Self.isToken(key), members.count < Self.membersMax, bytes <= Self.bytesMax + 1,
                let value = String(pair[equals...].dropFirst().trimmed).removingPercentEncodingLeniently
            else { continue }
            set(String(key), to: value, properties: pieces.count > 1 ? ";" + pieces[1].trimmed : "")
        }
    }

    public subscript(key: String) -> String? { members.first { $0.key == key }?.value }

    /// Puts a member in; one of the same key is replaced. Keys that are no HTTP token are left out.
    public mutating func set(_ key: String, to value: String, properties: String = "") {
        guard Self.isToken(Substring(key)) else { return }
        members.removeAll { $0.key == key }
        members.append(Member(key: key, value: value, properties: properties))
    }

    /// The `baggage` header; empty where there is nothing.
    public var header: String {
        members.map { "\($0.key)=\(Self.encoded($0.value))\($0.properties)" }.joined(separator: ",")
    }

    private static func isToken(_ key: Substring) -> Bool {
        !key.isEmpty
            && key.utf8.allSatisfy { byte in
                byte > 0x20 && byte < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
            }
    }

    private static func encoded(_ value: String) -> String {
        var text = ""
        for byte in value.utf8 {
            if byte > 0x20 && byte < 0x7F && !"\",;\\%".utf8.contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}

extension String {
    /// Percent-decoded; a sequence that is no UTF-8 becomes U+FFFD, as the specification says. `nil` for invalid characters.
    fileprivate var removingPercentEncodingLeniently: String? {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte > 0x20, byte < 0x7F, !"\",;\\".utf8.contains(byte) else { return nil }
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
