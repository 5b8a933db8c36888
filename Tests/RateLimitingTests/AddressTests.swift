// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import RateLimiting

@Suite struct AddressTests {
    @Test(arguments: [
        [
            "192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "::192.0.2.1", "::c000:201", "::ffff:0:192.0.2.1",
            "64:ff9b::192.0.2.1", "64:ff9b::c000:201", "64:ff9b:1::c000:201", "2002:c000:201::", "2002:c000:201:5::77",
            "2001:0:4136:e378:8000:63bf:3fff:fdfe", "0:0:0:0:0:ffff:192.0.2.1", "::ffff:192.0.2.1%eth0",
        ],
        [
            "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001", "2001:db8::0.0.0.1", "2001:db8::1%2",
            "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:0::1.2.3.4",
        ],
        ["fe80::1", "fe80::1%eth0", "fe80::1%25eth1", "FE80:0000:0000:0000:0000:0000:0000:0001"],
    ])
    func `however an address is written, it has one key`(notations: [String]) throws {
        let keys = try notations.map { try #require(ClientAddress($0), "\($0)").key() }
        #expect(Set(keys.map(\.text)).count == 1, "\(keys.map(\.text))")
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.4%eth0", "0x7f.1.1.1", "::1::", ":::", "1::2::3",
        "12345::", "g::1", "1:2:3:4:5:6:7:8:9", "::ffff:1.2.3", "1.2.3.4 ", "unknown", "[::1]",
    ])
    func `what is no address is none`(text: String) { #expect(ClientAddress(text) == nil) }

    @Test(arguments: [
        ("192.0.2.1:8080", "192.0.2.1"), ("[2001:db8::1]:443", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1"),
        ("\"[2001:db8::1]:443\"", "2001:db8::1"), (" \t192.0.2.1 ", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
    ])
    func `proxies add ports, brackets and quotes`(entry: String, address: String) {
        #expect(ClientAddress(forwarded: entry) == ClientAddress(address) && ClientAddress(address) != nil)
    }

    @Test(arguments: ["1.2.3.4:", "1.2.3.4:x", "[::1", "[::1]x", "[::1]:", "1.2.3.4:123456", "_hidden", "\"", "[]"])
    func `what no proxy writes is not read`(entry: String) { #expect(ClientAddress(forwarded: entry) == nil) }

    @Test func `no two clients of IPv4 share a key, and written differently each is the same`() throws {
        var random = SeededGenerator(seed: 4)
        var keys: [String: UInt32] = [:]
        for _ in 0..<250_000 {
            let four = UInt32.random(in: 0x0001_0000 ... .max, using: &random)
            let dotted = "\(four >> 24).\(four >> 16 & 255).\(four >> 8 & 255).\(four & 255)"
            let halves = String(four >> 16, radix: 16) + ":" + String(four & 0xFFFF, radix: 16)
            let forms = [
                dotted, "::ffff:" + dotted, "::ffff:" + halves, "::" + halves, "64:ff9b::" + halves,
                "2002:\(halves)::1",
            ]
            let form = try #require(forms.randomElement(using: &random))
            let key = try #require(ClientAddress(form), "\(form)").key().text
            #expect(keys.updateValue(four, forKey: key) ?? four == four, "\(form) has somebody else's key")
        }
    }

    @Test func `an address of IPv6 is counted by its network, at each width`() throws {
        var random = SeededGenerator(seed: 6)
        func bits() -> UInt64 { UInt64.random(in: .min ... .max, using: &random) }
        for _ in 0..<250_000 {
            // Global unicast without the prefixes that stand for IPv4.
            let high = bits() & 0x1FFF_FFFF_FFFF_FFFF | 0x2600_0000_0000_0000
            let (one, other) = (ClientAddress(high: high, low: bits()), ClientAddress(high: high, low: bits()))
            #expect(one.key() == other.key())
            let neighbour = ClientAddress(high: high ^ 1, low: one.low)
            #expect(one.key() != neighbour.key() && one.key(prefix: 56) == neighbour.key(prefix: 56))
            let further = ClientAddress(high: high ^ 0x100, low: one.low)
            #expect(one.key(prefix: 56) != further.key(prefix: 56) && one.key(prefix: 48) == further.key(prefix: 48))
        }
    }

    // MARK: Proxies

    private static let proxies = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])

    private func client(_ peer: String, _ lines: [String]) throws -> ClientAddress {
        try #require(Self.proxies).client(peer: try #require(ClientAddress(peer)), forwardedFor: lines)
    }

    @Test(arguments: [
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"), ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.9.9.9", "fd00::5"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, junk, 10.0.0.3"], "10.0.0.3"), ("10.0.0.1", ["junk"], "10.0.0.1"),
        ("10.0.0.1", [","], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.9:1234"], "203.0.113.9"), ("192.0.2.7", ["[2001:db8::9]:80"], "2001:db8::9"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
    ])
    func `the client is the nearest address that is no proxy of ours`(peer: String, lines: [String], found: String)
        throws
    {
        #expect(try client(peer, lines) == ClientAddress(found))
    }

    @Test(arguments: ["2002:a00:1::", "64:ff9b::10.0.0.1", "::10.0.0.1", "2001:0:1::f5ff:fffe"])
    func `an address that stands for a proxy's is no proxy`(peer: String) throws {
        #expect(ClientAddress(peer) == ClientAddress("10.0.0.1"), "it has that one's key")
        #expect(try client(peer, ["203.0.113.9"]) == ClientAddress("10.0.0.1"), "and not its word")
    }

    @Test func `what a client writes before it changes nothing`() throws {
        var random = SeededGenerator(seed: 9)
        let pieces = [
            "10.0.0.1", "1.1.1.1", "junk", "", " ", "\"", "[", "]:80", "::1", "fd00::1", ",", ";for=", "%", "é",
        ]
        for _ in 0..<250_000 {
            let words = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            let forged = words.joined(separator: ",")
            let lines =
                Bool.random(using: &random)
                ? [forged + ",203.0.113.9, 10.1.1.1"] : [forged, "203.0.113.9", "10.1.1.1"]
            #expect(try client("10.0.0.1", lines) == ClientAddress("203.0.113.9"), "\(lines)")
        }
    }

    @Test(arguments: [
        ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("2002::/16", "2002:a00:1::5", true),
        ("2002::/16", "10.0.0.1", false),
        ("64:ff9b:1::/48", "64:ff9b:1::9", true), ("64:ff9b::10.0.0.1", "10.0.0.1", false),
        ("::/0", "2001:db8::1", true),
    ])
    func `a network is taken by its bits`(network: String, address: String, isIn: Bool) throws {
        let proxies = try #require(TrustedProxies([network]))
        #expect(proxies.contains(try #require(ClientAddress(address))) == isIn)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/", "nowhere", "10.0.0.0/8/8", "::/129", "10.0.0.0/-1"])
    func `a network that is none is refused`(text: String) { #expect(TrustedProxies([text]) == nil) }
}
