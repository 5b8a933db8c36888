// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Kernel

/// The head of a plain `GET` in the bytes that came, taken apart just far enough to look for a ready answer.
///
/// It is deliberately narrow: whatever is in the least unusual is not recognised, and goes the general way unchanged.
struct RequestHead {
    typealias Bytes = Slice<UnsafeRawBufferPointer>

    private(set) var target: Bytes
    private(set) var authorization: Bytes?
    private(set) var accept: Bytes?
    private(set) var language: Bytes?
    private(set) var encoding: Bytes?
    private(set) var ifNoneMatch: Bytes?
    private var hasHost = false

    /// - Returns: `nil` unless `bytes` are exactly one whole head of HTTP/1.1 without a body, on a connection that stays.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 32, bytes.count <= 8_192, bytes[0] == UInt8(ascii: "G"), bytes[1] == UInt8(ascii: "E"),
            bytes[2] == UInt8(ascii: "T"), bytes[3] == 0x20, bytes[4] == UInt8(ascii: "/")
        else { return nil }
        var index = 4
        while index < bytes.count, bytes[index] > 0x20, bytes[index] < 0x7F { index += 1 }
        target = bytes[4..<index]
        guard Self.equals(bytes[index..<min(index + 11, bytes.count)], " http/1.1\r\n") else { return nil }
        index += 11
        while true {
            guard index + 1 < bytes.count else { return nil }
            if bytes[index] == 0x0D {
                guard bytes[index + 1] == 0x0A, index + 2 == bytes.count, hasHost else { return nil }
                return
            }
            guard let next = field(bytes, at: index) else { return nil }
            index = next
        }
    }

    /// Takes one field.
    ///
    /// - Returns: where the next line begins; `nil` for what the general path should see.
    private mutating func field(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
        var index = start
        while index < bytes.count, Self.isToken(bytes[index]) { index += 1 }
        guard index > start, index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return nil }
        let name = bytes[start..<index]
        index += 1
        while index < bytes.count, bytes[index] == 0x20 { index += 1 }
        let valueStart = index
        while index < bytes.count, bytes[index] >= 0x20, bytes[index] != 0x7F { index += 1 }
        guard index + 1 < bytes.count, bytes[index] == 0x0D, bytes[index + 1] == 0x0A else { return nil }
        var valueEnd = index
        while valueEnd > valueStart, bytes[valueEnd - 1] == 0x20 { valueEnd -= 1 }
        guard take(name, bytes[valueStart..<valueEnd]) else { return nil }
        return index + 2
    }

    /// - Returns: `false` for a field that asks for something special, or comes twice.
    private mutating func take(_ name: Bytes, _ value: Bytes) -> Bool {
        switch name.count {
        case 4 where Self.equals(name, "host"):
            defer { hasHost = true }
            return !hasHost && !value.isEmpty
        case 6 where Self.equals(name, "accept"): return Self.set(&accept, value)
        // Answers to pages of other origins say whom they are for.
        case 6 where Self.equals(name, "origin"): return false
        case 15 where Self.equals(name, "vitrine-version"), 16 where Self.equals(name, "vitrine-simulate"): return false
        case 13 where Self.equals(name, "authorization"): return Self.set(&authorization, value)
        case 13 where Self.equals(name, "if-none-match"): return Self.set(&ifNoneMatch, value)
        case 15 where Self.equals(name, "accept-language"): return Self.set(&language, value)
        case 15 where Self.equals(name, "accept-encoding"): return Self.set(&encoding, value)
        case 10 where Self.equals(name, "connection"): return Self.equals(value, "keep-alive")
        case 14 where Self.equals(name, "content-length"), 17 where Self.equals(name, "transfer-encoding"),
            7 where Self.equals(name, "upgrade"), 6 where Self.equals(name, "expect"),
            8 where Self.equals(name, "if-match"), 2 where Self.equals(name, "te"):
            return false
        default: return true
        }
    }

    private static func set(_ field: inout Bytes?, _ value: Bytes) -> Bool {
        guard field == nil, !value.isEmpty else { return false }
        field = value
        return true
    }

    /// Where the first head in `bytes` ends; `nil` where it does not.
    static func end(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        while index + 3 < bytes.count {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D, bytes[index + 3] == 0x0A {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    // MARK: Comparing

    /// Whether the bytes are `text`, which has no capital letters, whatever the case of theirs.
    private static func equals(_ bytes: Bytes, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        var place = 0
        for byte in bytes {
            let wanted = text.utf8Start[place]
            let isLetter = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard byte == wanted || isLetter && byte | 0x20 == wanted else { return false }
            place += 1
        }
        return true
    }

    /// RFC 9110 section 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2D, 0x5F, 0x2E, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x5E, 0x60, 0x7C,
            0x7E:
            true
        default: false
        }
    }

    // MARK: The key

    var hash: Int {
        var hasher = Hasher()
        Self.feed(&hasher, UnsafeRawBufferPointer(rebasing: target))
        for field in [authorization, accept, language, encoding] {
            Self.feed(&hasher, field.map { UnsafeRawBufferPointer(rebasing: $0) })
        }
        return hasher.finalize()
    }

    static func hash(_ key: ReadyAnswers.Key) -> Int {
        var hasher = Hasher()
        for text in [key.target, key.authorization, key.accept, key.language, key.encoding] {
            var text = text
            text.withUTF8 { feed(&hasher, UnsafeRawBufferPointer($0)) }
        }
        return hasher.finalize()
    }

    private static func feed(_ hasher: inout Hasher, _ bytes: UnsafeRawBufferPointer?) {
        hasher.combine(bytes?.count ?? 0)
        if let bytes { hasher.combine(bytes: bytes) }
    }

    func matches(_ key: ReadyAnswers.Key) -> Bool {
        Self.same(key.target, target) && Self.same(key.authorization, authorization) && Self.same(key.accept, accept)
            && Self.same(key.language, language) && Self.same(key.encoding, encoding)
    }

    /// Whether the client has the representation that is tagged so (RFC 9110 section 13.1.2).
    func knows(_ tag: String) -> Bool {
        guard let ifNoneMatch else { return false }
        // Mostly it is that very tag, for which no text has to be made.
        return Self.same(tag, ifNoneMatch)
            || EntityTag.matches(ifNoneMatch: String(decoding: ifNoneMatch, as: UTF8.self), tag)
    }

    private static func same(_ text: String, _ bytes: Bytes?) -> Bool {
        guard let bytes else { return text.isEmpty }
        guard text.utf8.count == bytes.count else { return false }
        // Byte by byte it took a tenth of what the lane takes.
        let isSame = text.utf8.withContiguousStorageIfAvailable { text in
            guard let left = text.baseAddress, let right = bytes.base.baseAddress else { return true }
            return memcmp(left, right + bytes.startIndex, text.count) == 0
        }
        return isSame ?? text.utf8.elementsEqual(bytes)
    }
}
