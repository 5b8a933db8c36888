// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A value that never appears in a log, whatever it says of itself: `metadata: ["key": "\(Confidential(key))"]`.
public struct Confidential<Value: Sendable>: Sendable, CustomStringConvertible {
    public let value: Value

    public init(_ value: Value) { self.value = value }

    public var description: String { Redaction.mark }
}

/// Takes secrets and card numbers out of what is logged.
///
/// By name: the value of an attribute whose name speaks of a password, secret, token or card. By pattern: credentials with
/// a known beginning, JSON Web Tokens, credentials in addresses, and runs of 13 to 19 digits that are card numbers by Luhn's
/// formula (ISO/IEC 7812-1). Costs about a nanosecond a byte where there is nothing to take out.
public enum Redaction {
    public static let mark = "[redacted]"

    private static let names = [
        "password", "passwd", "secret", "token", "authorization", "cookie", "api_key", "apikey", "private_key", "cvc",
        "cvv",
        "card_number", "iban",
    ]
    /// What a credential begins with: our own keys, Stripe's, webhooks', GitHub's, Slack's.
    private static let beginnings = ["vk_", "sk_live_", "sk_test_", "rk_live_", "whsec_", "ghp_", "xoxb-", "eyJ"]
        .map { Array($0.utf8) }
    private static let schemes = ["bearer ", "basic "].map { Array($0.utf8) }

    /// Remembered, because the same few names come again and again.
    private static let knownNames = Mutex<[String: Bool]>([:])
    private static let knownNamesMax = 4_096

    public static func isConfidential(name: String) -> Bool {
        knownNames.withLock { known in
            if let answer = known[name] { return answer }
            let lower = name.lowercased()
            let answer = names.contains { lower.contains($0) }
            if known.count < knownNamesMax { known[name] = answer }
            return answer
        }
    }

    /// - Returns: `nil` where there was nothing to take out.
    public static func redacted(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { bytes -> String? in
            var output: [UInt8]?
            var kept = 0
            var place = 0
            while let next = suspect(in: bytes, from: place) {
                place = next
                guard let end = secretEnd(in: bytes, from: place) else {
                    place += 1
                    continue
                }
                var result = output ?? []
                result += bytes[kept..<end.start]
                result += mark.utf8
                output = result
                kept = end.end
                place = end.end
            }
            guard var output else { return nil }
            output += bytes[kept...]
            return String(decoding: output, as: UTF8.self)
        }
    }

    /// What a byte is to the search: the part of a word, what a secret may begin with, or what it may begin with in a word.
    private enum Role {
        static let word: UInt8 = 1
        static let begins: UInt8 = 2
        static let beginsAnywhere: UInt8 = 4

        static let ofByte: [UInt8] = (UInt8.min...UInt8.max).map { byte in
            let begins =
                "0123456789".utf8.contains(byte) || beginnings.contains { $0.first == byte }
                || schemes.contains { $0.first == byte | 0x20 }
            return (isWord(byte) ? word : 0) | (begins ? Self.begins : 0)
                | (byte == UInt8(ascii: ":") ? beginsAnywhere : 0)
        }
    }

    /// The next place from `place` on at which a secret may begin. Most texts have few, so that they are passed over fast.
    private static func suspect(in bytes: UnsafeBufferPointer<UInt8>, from place: Int) -> Int? {
        Role.ofByte.withUnsafeBufferPointer { role in
            var before = place == 0 ? 0 : role[Int(bytes[place - 1])] & Role.word
            for place in place..<bytes.count {
                let this = role[Int(bytes[place])]
                if this & Role.beginsAnywhere != 0 || this & Role.begins != 0 && before == 0 { return place }
                before = this & Role.word
            }
            return nil
        }
    }

    /// The secret that begins at `place`, if one does.
    private static func secretEnd(
        in bytes: UnsafeBufferPointer<UInt8>, from place: Int
    ) -> (start: Int, end: Int)? {
        let byte = bytes[place]
        switch byte {
        case UInt8(ascii: ":"): return passwordEnd(in: bytes, from: place)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            return cardEnd(in: bytes, from: place).map { (place, $0) }
        default:
            for beginning in beginnings where matches(beginning, bytes, place) {
                let end = tokenEnd(in: bytes, from: place)
                // Short enough words that begin so are words.
                if end - place >= beginning.count + 8 { return (place, end) }
            }
            for scheme in schemes where matches(scheme, bytes, place) {
                let start = place + scheme.count
                let end = tokenEnd(in: bytes, from: start)
                if end - start >= 8 { return (start, end) }
            }
            return nil
        }
    }

    /// The password in `://user:password@host`, from the colon of the scheme on.
    private static func passwordEnd(
        in bytes: UnsafeBufferPointer<UInt8>, from place: Int
    ) -> (start: Int, end: Int)? {
        guard place + 3 < bytes.count, bytes[place + 1] == UInt8(ascii: "/"), bytes[place + 2] == UInt8(ascii: "/")
        else {
            return nil
        }
        var colon: Int?
        for position in place + 3..<bytes.count {
            switch bytes[position] {
            case UInt8(ascii: ":"): colon = colon ?? position
            case UInt8(ascii: "@"): return colon.map { ($0 + 1, position) }
            case 0...0x20, UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "\""): return nil
            default: continue
            }
        }
        return nil
    }

    private static func matches(_ text: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        guard place + text.count <= bytes.count else { return false }
        let isCaseless = text.last == 0x20
        for (offset, byte) in text.enumerated() {
            let other = bytes[place + offset]
            guard other == byte || isCaseless && other | 0x20 == byte else { return false }
        }
        return true
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
            || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func tokenEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var end = start
        while end < bytes.count, isWord(bytes[end]) || "_-.+/=~".utf8.contains(bytes[end]) { end += 1 }
        return end
    }

    /// Digits with single spaces or dashes between them.
    private static func cardEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var count = 0
        var place = start
        var end = start
        // Luhn's sums for a number whose last digit is the last one seen, and for one that has one digit more.
        var (sum, sumBefore, plain) = (0, 0, 0)
        while place < bytes.count, count < 20 {
            let byte = bytes[place]
            if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                let digit = Int(byte - UInt8(ascii: "0"))
                let doubled = digit > 4 ? digit * 2 - 9 : digit * 2
                (sum, sumBefore, plain) = (sumBefore + digit, sum + doubled, plain + digit)
                count += 1
                place += 1
                end = place
            } else if byte == 0x20 || byte == UInt8(ascii: "-"), end == place {
                place += 1
            } else {
                break
            }
        }
        let isWhole = end == bytes.count || !isWord(bytes[end])
        return isWhole && (13...19).contains(count) && plain != 0 && sum % 10 == 0 ? end : nil
    }
}
