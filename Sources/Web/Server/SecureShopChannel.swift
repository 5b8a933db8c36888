// SPDX-License-Identifier: Apache-2.0

internal import HummingbirdCore
internal import HummingbirdHTTP2
package import Logging
package import NIOCore
internal import NIOHTTP2
internal import TLS

/// A connection over TLS: HTTP/2 where the client can (RFC 7301), else what ``ShopChannel`` does.
package struct SecureShopChannel: ServerChildChannel {
    package struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<NIONegotiatedHTTPVersion<ShopChannel.Value, HTTP2Channel.Value>>
        package let channel: any Channel
    }

    private let plain: ShopChannel
    private let http2: HTTP2Channel
    private let certificates: Certificates

    init(_ plain: ShopChannel, _ certificates: Certificates) {
        self.plain = plain
        self.certificates = certificates
        http2 = HTTP2Channel(
            responder: plain.responder,
            configuration: .init(
                idleTimeout: plain.idleTimeout, gracefulCloseTimeout: .seconds(30),
                streamConfiguration: .init(additionalChannelHandlers: [ConnectionFieldRemover(), BodyTimer()])))
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        do { try certificates.secure(channel) } catch { return channel.eventLoop.makeFailedFuture(error) }
        let (plain, http2) = (plain, http2)
        return channel.configureHTTP2AsyncSecureUpgrade {
            plain.setup(channel: $0, logger: logger)
        } http2ConnectionInitializer: { connection -> EventLoopFuture<HTTP2Channel.Value> in
            do {
                try connection.pipeline.syncOperations.addHandler(HTTP2Patience(idleTimeout: plain.idleTimeout))
            } catch {
                return connection.eventLoop.makeFailedFuture(error)
            }
            return http2.setup(channel: connection, logger: logger)
        }.map { Value(negotiated: $0, channel: channel) }
    }

    package func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http1_1(let connection): await plain.handle(value: connection, logger: logger)
            case .http2(let connection): await http2.handle(value: connection, logger: logger)
            }
        } catch {
            // Scanners and clients that do not trust us; nothing that anybody here could mend.
            logger.debug("A connection came to no agreement", metadata: ["error": "\(error)"])
        }
    }
}
