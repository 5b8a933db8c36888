// SPDX-License-Identifier: Apache-2.0

package import HummingbirdCore
internal import Logging
internal import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1, over TLS where there are `certificates`.
    package static func http1(
        _ configuration: HTTP1Channel.Configuration, _ certificates: Certificates?
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            HTTP1Channel(responder: responder, configuration: configuration).secured(by: certificates)
        }
    }
}

extension ServerChildChannel {
    /// The same over TLS, where there are `certificates`.
    package func secured(by certificates: Certificates?) -> any ServerChildChannel {
        certificates.map { SecureChannel(self, $0) } ?? self
    }
}

/// A connection over TLS with the certificate of the moment, which Hummingbird's own takes once and for all.
private struct SecureChannel<Plain: ServerChildChannel>: ServerChildChannel {
    private let plain: Plain
    private let certificates: Certificates

    init(_ plain: Plain, _ certificates: Certificates) {
        self.plain = plain
        self.certificates = certificates
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Plain.Value> {
        do { try certificates.secure(channel) } catch { return channel.eventLoop.makeFailedFuture(error) }
        return plain.setup(channel: channel, logger: logger)
    }

    func handle(value: Plain.Value, logger: Logger) async { await plain.handle(value: value, logger: logger) }
}
