// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
internal import Kernel

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

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        requestID = Self.makeRequestID()
    }

    static func makeRequestID() -> String { Identifier<RequestKind>.make(at: WallClock.system.now()).rawValue }

    private enum RequestKind: EntityKind { static let prefix = "req" }
}
