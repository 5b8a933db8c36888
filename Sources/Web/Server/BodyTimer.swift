// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTPTypes

/// A body did not arrive in time.
struct BodyTooSlow: Error {
    let limit: TimeAmount
}

/// Gives up on a body that comes too slowly: whoever reads it learns ``BodyTooSlow``, and can still answer. A body that arrives
/// with its head, as nearly all do, costs nothing.
final class BodyTimer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    /// From the head on.
    static let limit = TimeAmount.seconds(30)

    private var isArriving = false
    private var timer: Scheduled<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isArriving = true
        case .body: break
        case .end: stop()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isArriving, timer == nil {
            timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.limit) {
                context.fireErrorCaught(BodyTooSlow(limit: Self.limit))
            }
        }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        isArriving = false
        timer?.cancel()
        timer = nil
    }
}
