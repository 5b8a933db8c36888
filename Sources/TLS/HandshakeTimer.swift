// SPDX-License-Identifier: Apache-2.0

package import NIOCore
internal import NIOTLS

/// Closes a connection on which nobody agrees on TLS in time. Stands behind the handler that does.
package final class HandshakeTimer: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private var timer: Scheduled<Void>?

    /// From the connection on.
    private static let limit = TimeAmount.seconds(10)

    package init() {}

    package func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.limit) { context.close(promise: nil) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { timer?.cancel() }
        context.fireUserInboundEventTriggered(event)
    }
}
