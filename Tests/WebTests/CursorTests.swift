// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Web

struct CursorTests {
    private let clock = TestClock()
    private var codec: CursorCodec { CursorCodec(key: Array(repeating: 7, count: 32), clock: clock.wall) }
    private let position = PagePosition(
        keys: [.real(-1.25e-9), .text("é\u{0}"), .integer(Int64.min)], direction: .backward)

    @Test func `a position survives the way to the client and back`() throws {
        let cursor = codec.encode(position, binding: "list")
        #expect(try codec.decode(cursor, binding: "list") == position)
    }

    @Test func `a cursor of another list, another server or another time is refused`() throws {
        let cursor = codec.encode(position, binding: "list")
        #expect(throws: Problem.self) { try codec.decode(cursor, binding: "other") }
        let stranger = CursorCodec(key: Array(repeating: 8, count: 32), clock: clock.wall)
        #expect(throws: Problem.self) { try stranger.decode(cursor, binding: "list") }
        clock.advance(by: .seconds(7 * 86_400))
        #expect(try codec.decode(cursor, binding: "list") == position)
        clock.advance(by: .seconds(86_400))
        #expect(throws: Problem.self) { try codec.decode(cursor, binding: "list") }
    }

    @Test func `a position reads the same all day`() {
        let morning = TestClock(Timestamp(milliseconds: 20_000 * 86_400_000))
        let codec = CursorCodec(key: Array(repeating: 7, count: 32), clock: morning.wall)
        let first = codec.encode(position, binding: "list")
        morning.advance(by: .seconds(86_399))
        #expect(codec.encode(position, binding: "list") == first)
        morning.advance(by: .seconds(1))
        #expect(codec.encode(position, binding: "list") != first)
    }

    @Test func `no changed byte is accepted`() throws {
        let cursor = Array(codec.encode(position, binding: "list"))
        for index in cursor.indices {
            var changed = cursor
            changed[index] = changed[index] == "A" ? "B" : "A"
            let text = String(changed)
            // The last character holds bits that no byte needs; those alone change nothing.
            guard Base64URL.decode(text) != Base64URL.decode(String(cursor)) else { continue }
            #expect(throws: Problem.self) { try codec.decode(text, binding: "list") }
        }
        for text in ["", "x", "!!!!", "AAAA"] {
            #expect(throws: Problem.self) { try codec.decode(text, binding: "list") }
        }
    }
}
