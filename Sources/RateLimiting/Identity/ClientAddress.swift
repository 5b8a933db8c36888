// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import NIOCore

/// An address that a request came from, by its bits: however it is written, it is the same.
///
/// An IPv6 address that stands for one of IPv4 *is* that one, or else all clients of IPv4 behind a translator would share a
/// prefix: mapped (RFC 4291 section 2.5.5.2), compatible (2.5.5.1), translated (RFC 2765), NAT64 (RFC 6052 and 8215), 6to4
/// (RFC 3056) and Teredo (RFC 4380).
public struct ClientAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address as IPv6, with IPv4 mapped into it, and with what stands for one of IPv4 as that.
    let high: UInt64
    let low: UInt64
    /// The bits as they came. Trust goes by these: an address that only stands for a proxy's is nobody's proxy.
    private let received: Received

    private struct Received: Hashable, Sendable {
        let high: UInt64
        let low: UInt64
    }

    init(high: UInt64, low: UInt64) {
        received = Received(high: high, low: low)
        (self.high, self.low) = Self.embedded(high, low).map { (0, 0xFFFF_0000_0000 | UInt64($0)) } ?? (high, low)
    }

    /// As people write it (RFC 5952 for IPv6).
    public var description: String {
        if isIPv4 { return (0..<4).map { String(low >> (24 - 8 * UInt64($0)) & 255) }.joined(separator: ".") }
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { bytes in
            bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
            bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        let text = [CChar](unsafeUninitializedCapacity: Int(INET6_ADDRSTRLEN)) { buffer, count in
            let isWritten = inet_ntop(AF_INET6, &address, buffer.baseAddress, socklen_t(INET6_ADDRSTRLEN)) != nil
            count = isWritten ? buffer.firstIndex(of: 0) ?? 0 : 0
        }
        return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func == (left: Self, right: Self) -> Bool { (left.high, left.low) == (right.high, right.low) }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }

    /// Reads an address, with the zone that IPv6 may have, and without a port; `nil` for anything else, such as numbers with leading zeros, which readers understand differently.
    public init?(_ text: some StringProtocol) {
        let bare = text.prefix { $0 != "%" }
        guard bare.utf8.count <= 45 else { return nil }
        let hasZone = bare.endIndex != text.endIndex
        var four = in_addr()
        if inet_pton(AF_INET, String(bare), &four) == 1 {
            guard !hasZone else { return nil }
            self.init(four)
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, String(bare), &six) == 1 else { return nil }
        self.init(six)
    }

    /// Whoever is at the other end of a connection; `nil` on a socket of this machine.
    public init?(_ peer: SocketAddress) {
        guard case .unixDomainSocket = peer else {
            self = peer.withSockAddr { address, size in
                let bytes = UnsafeRawBufferPointer(start: address, count: size)
                return Int32(address.pointee.sa_family) == AF_INET
                    ? Self(bytes.loadUnaligned(as: sockaddr_in.self).sin_addr)
                    : Self(bytes.loadUnaligned(as: sockaddr_in6.self).sin6_addr)
            }
            return
        }
        return nil
    }

    private init(_ four: in_addr) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)))
    }

    private init(_ six: in6_addr) {
        let (high, low) = withUnsafeBytes(of: six) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        self.init(high: high, low: low)
    }

    /// Reads an address as proxies write it: perhaps with a port, in brackets or in quotes.
    public init?(forwarded entry: some StringProtocol) {
        var text = entry.drop { $0 == " " || $0 == "\t" }[...]
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let port = text[text.index(after: end)...]
            guard port.isEmpty || Self.isPort(port) else { return nil }
            self.init(text[text.index(after: text.startIndex)..<end])
        } else if let colon = text.firstIndex(of: ":"), text[..<colon].contains("."), Self.isPort(text[colon...]) {
            self.init(text[..<colon])
        } else {
            self.init(text)
        }
    }

    private static func isPort(_ text: some StringProtocol) -> Bool {
        text.first == ":" && text.dropFirst().allSatisfy { $0.isASCII && $0.isNumber } && (2...6).contains(text.count)
    }

    private static func embedded(_ high: UInt64, _ low: UInt64) -> UInt32? {
        let last = UInt32(truncatingIfNeeded: low)
        if high == 0 {
            switch low >> 32 {
            case 0xFFFF, 0xFFFF_0000: return last
            case 0: return low > 0xFFFF ? last : nil
            default: return nil
            }
        }
        switch high >> 32 {
        case 0x0064_FF9B:
            let isWellKnown = high & 0xFFFF_FFFF == 0 && low >> 32 == 0
            return isWellKnown || (high >> 16) & 0xFFFF == 1 ? last : nil
        case 0x2001_0000: return ~last
        default: return high >> 48 == 0x2002 ? UInt32(truncatingIfNeeded: high >> 16) : nil
        }
    }

    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whose use is counted: an address of IPv4 by itself, one of IPv6 by its first `prefix` bits, since whoever has one of
    /// those has as many as he likes behind them.
    public func key(prefix: Int = 64) -> LimitKey {
        if isIPv4 { return LimitKey("ip:" + Self.dotted(UInt32(truncatingIfNeeded: low))) }
        let masked = masked(prefix)
        return LimitKey("ip:" + String(masked.high, radix: 16) + "." + String(masked.low, radix: 16) + "/\(prefix)")
    }

    private static func dotted(_ four: UInt32) -> String {
        "\(four >> 24).\(four >> 16 & 255).\(four >> 8 & 255).\(four & 255)"
    }

    /// Whether the address itself, as it came, is in a network.
    func isIn(_ network: (high: UInt64, low: UInt64), _ prefix: Int) -> Bool {
        self.network(prefix) == network
    }

    /// The first bits of the address as it came.
    func network(_ prefix: Int) -> (high: UInt64, low: UInt64) {
        (received.high & Self.mask(prefix), received.low & Self.mask(prefix - 64))
    }

    /// The first `prefix` of 128 bits.
    func masked(_ prefix: Int) -> (high: UInt64, low: UInt64) {
        (high & Self.mask(prefix), low & Self.mask(prefix - 64))
    }

    private static func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : ~(.max >> UInt64(bits)) }
}

/// Networks whose word is taken for where a request came from.
public struct TrustedProxies: Sendable {
    private struct Network: Sendable {
        let high: UInt64
        let low: UInt64
        let prefix: Int
    }

    private let networks: [Network]

    /// Nobody: a request comes from whoever is connected.
    public static let none = TrustedProxies(networks: [])

    private init(networks: [Network]) { self.networks = networks }

    /// Takes addresses, and networks as `10.0.0.0/8` and `fd00::/8`; `nil` where one of them is neither.
    public init?(_ networks: [String]) {
        var read: [Network] = []
        for text in networks {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let address = ClientAddress(parts[0]) else { return nil }
            // What is written with dots alone is of IPv4; all else is taken by its bits.
            let isDotted = !parts[0].contains(":")
            let widest = isDotted ? 32 : 128
            guard let length = parts.count == 2 ? Int(parts[1]) : widest, (0...widest).contains(length) else {
                return nil
            }
            let prefix = isDotted ? 96 + length : length
            let (high, low) = address.network(prefix)
            read.append(Network(high: high, low: low, prefix: prefix))
        }
        self.init(networks: read)
    }

    public func contains(_ address: ClientAddress) -> Bool {
        networks.contains { address.isIn(($0.high, $0.low), $0.prefix) }
    }

    /// The nearest address that is no trusted proxy: `X-Forwarded-For` is read from its end, where the proxies wrote, and what
    /// stands before the first stranger is that stranger's own word and is not read.
    ///
    /// - Parameters:
    ///   - peer: who is connected.
    ///   - lines: the field's lines in their order.
    /// - Returns: the peer where nobody may speak for another.
    public func client(peer: ClientAddress, forwardedFor lines: [String]) -> ClientAddress {
        var client = peer
        for line in lines.reversed() {
            for entry in line.split(separator: ",", omittingEmptySubsequences: false).reversed() {
                guard contains(client), let next = ClientAddress(forwarded: entry) else { return client }
                client = next
            }
        }
        return client
    }
}
