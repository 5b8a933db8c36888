// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Web

struct BodyTimerTests {
    /// Remembers what ended a request.
    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = HTTPRequestPart
        var failures = 0

        func errorCaught(context: ChannelHandlerContext, error: any Error) { if error is BodyTooSlow { failures += 1 } }
    }

    private func run(_ test: (EmbeddedChannel, Reader) throws -> Void) throws {
        let (channel, reader) = (EmbeddedChannel(), Reader())
        try channel.pipeline.syncOperations.addHandlers(BodyTimer(), reader)
        try test(channel, reader)
        _ = try? channel.finish()
    }

    private let head = HTTPRequestPart.head(HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/"))
    private let piece = HTTPRequestPart.body(ByteBuffer(string: "x"))

    @Test func `a body that trickles in is given up after thirty seconds, however much has come`() throws {
        try run { channel, reader in
            try channel.writeInbound(head)
            for _ in 0..<29 {
                channel.embeddedEventLoop.advanceTime(by: .seconds(1))
                try channel.writeInbound(piece)
                channel.read()
            }
            #expect(reader.failures == 0)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(reader.failures == 1)
        }
    }

    @Test func `while the server does not read nobody is slow`() throws {
        try run { channel, reader in
            try channel.writeInbound(head)
            channel.embeddedEventLoop.advanceTime(by: .seconds(50))
            channel.read()
            channel.embeddedEventLoop.advanceTime(by: .seconds(9))
            #expect(reader.failures == 0)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(reader.failures == 1)
        }
    }

    @Test func `one that is there, and what lies between two requests, is not timed`() throws {
        try run { channel, reader in
            for _ in 0..<3 {
                try channel.writeInbound(head)
                channel.embeddedEventLoop.advanceTime(by: .seconds(20))
                try channel.writeInbound(piece)
                try channel.writeInbound(HTTPRequestPart.end(nil))
                channel.embeddedEventLoop.advanceTime(by: .seconds(100))
            }
            #expect(reader.failures == 0)
        }
    }

    @Test func `a connection that is gone is not timed either`() throws {
        try run { channel, reader in
            try channel.writeInbound(head)
            channel.pipeline.fireChannelInactive()
            channel.embeddedEventLoop.advanceTime(by: .seconds(100))
            #expect(reader.failures == 0)
        }
    }
}
