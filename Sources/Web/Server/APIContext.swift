// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
internal import Kernel
package import Logging
internal import NIOCore
internal import RateLimiting

/// What middleware and endpoints share about one request.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Names this request in answers and logs.
    package let requestID: String
    /// Who asks, once the authentication middleware has run.
    package var principal: Principal?

    /// The method that was sent, where it is one that no route knows.
    var unknownMethod: String?

    /// What is learnt of the request on its way in, for those who count and trace it.
    let signals = RequestSignals()

    /// When it came, in the count of changes; what is looked up for it is at least so new.
    var moment = 0

    /// Who is connected, which may be a proxy; nobody on a socket of this machine.
    let peer: ClientAddress?

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peer = source.channel.remoteAddress.flatMap { ClientAddress($0) }
        requestID = Self.makeRequestID()
    }

    /// Of a request that comes from this process.
    package init(logger: Logger) {
        coreContext = .init(source: InProcessSource(logger: logger))
        peer = nil
        requestID = Self.makeRequestID()
    }

    private struct InProcessSource: RequestContextSource {
        let logger: Logger
    }

    static func makeRequestID(at time: Timestamp = WallClock.system.now()) -> String {
        Identifier<RequestKind>.make(at: time).rawValue
    }

    private enum RequestKind: EntityKind { static let prefix = "req" }
}
