// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel
internal import NIOCore
internal import NIOHTTPTypes

/// Ends a connection of HTTP/2 that nobody ends: one on which nothing comes any more, and, when the process ends, one that stays
/// after it was asked to go. Stands behind TLS, before the frames.
final class HTTP2Patience: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let silence: TimeAmount
    private var lastRead = NIODeadline.now()
    private var check: Scheduled<Void>?

    /// How long what is under way may take when the process ends.
    private static let farewell = TimeAmount.seconds(30)

    /// The longest call may go on with the client waiting in silence.
    init(idleTimeout: Duration) { silence = TimeAmount(max(idleTimeout * 2, Endpoint.longest)) }

    func handlerAdded(context: ChannelHandlerContext) { look(context, in: silence) }

    func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            let channel = context.channel
            context.eventLoop.scheduleTask(in: Self.farewell) { channel.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func look(_ context: ChannelHandlerContext, in delay: TimeAmount) {
        check = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: delay) { [self] in
            let left = lastRead + silence - .now()
            if left > .zero { look(context, in: left) } else { context.close(promise: nil) }
        }
    }
}

/// Leaves out of answers what is about a connection of HTTP/1.1 (RFC 9113 section 8.2.2).
final class ConnectionFieldRemover: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), head.headerFields[.connection] != nil else {
            return context.write(data, promise: promise)
        }
        head.headerFields[.connection] = nil
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
