// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTPTypes

/// A body did not arrive in time.
struct BodyTooSlow: Error {
    let limit: TimeAmount
}

/// Gives up on a body that comes too slowly: whoever reads it learns ``BodyTooSlow``, and can still answer. A body that arrives
/// with its head, as nearly all do, costs nothing, and while the server itself does not read nobody is slow.
final class BodyTimer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// From the head on, and once more for each time that it passes while the server does not read.
    static let limit = TimeAmount.seconds(30)

    private var isArriving = false
    /// Whether the server waits for more.
    private var isReading = false
    private var timer: Scheduled<Void>?

    func read(context: ChannelHandlerContext) {
        isReading = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        switch unwrapInboundIn(data) {
        case .head: isArriving = true
        case .body: break
        case .end: stop()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isArriving, timer == nil { start(context) }
        context.fireChannelReadComplete()
    }

    private func start(_ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.limit) {
            guard self.isReading else { return self.start(context) }
            context.fireErrorCaught(BodyTooSlow(limit: Self.limit))
        }
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
