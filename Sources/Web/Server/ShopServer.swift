// SPDX-License-Identifier: Apache-2.0

package import HummingbirdCore
package import Kernel
package import Logging
package import NIOCore
internal import NIOHTTPTypes
package import TLS

extension HTTPServerBuilder {
    /// HTTP/1.1 as the shop speaks it; with `certificates` over TLS, and HTTP/2 beside it.
    package static func shop(
        answers: ReadyAnswers, idleTimeout: Duration, baseURL: String, clock: WallClock,
        certificates: Certificates? = nil
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            let plain = ShopChannel(
                responder: responder, answers: answers, idleTimeout: idleTimeout, baseURL: baseURL, clock: clock)
            return certificates.map { SecureShopChannel(plain, $0) } ?? plain
        }
    }
}

/// A connection: the lane for ready answers, then Hummingbird's HTTP/1.1.
package struct ShopChannel: ServerChildChannel {
    package typealias Value = HTTP1Channel.Value

    let responder: HTTPChannelHandler.Responder
    let answers: ReadyAnswers
    let idleTimeout: Duration
    let baseURL: String
    let clock: WallClock

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        do {
            let lane = ReadyLane(answers: answers, clock: clock, idleTimeout: idleTimeout)
            try channel.pipeline.syncOperations.addHandler(lane)
            let result = HTTP1Channel(responder: responder).setup(channel: channel, logger: logger)
            return result.assumeIsolated().flatMapThrowing { value in
                // Behind the codec, before the part that is read asynchronously.
                let codec = try channel.pipeline.syncOperations.handler(type: HTTPConnectionStateHandler.self)
                try channel.pipeline.syncOperations.addHandlers(
                    [
                        ReadyLaneWatch(lane: lane), BrokenRequestHandler(baseURL: baseURL, clock: clock), BodyTimer(),
                    ],
                    position: .before(codec))
                return value
            }.nonisolated()
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
    }

    package func handle(value: Value, logger: Logger) async {
        await HTTP1Channel(responder: responder).handle(value: value, logger: logger)
    }
}
