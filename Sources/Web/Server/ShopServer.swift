// SPDX-License-Identifier: Apache-2.0

package import HummingbirdCore
package import Kernel
internal import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 as the shop speaks it.
    package static func shop(idleTimeout: Duration, baseURL: String, clock: WallClock) -> HTTPServerBuilder {
        .http1(
            configuration: .init(
                additionalChannelHandlers: [BrokenRequestHandler(baseURL: baseURL, clock: clock)],
                idleTimeout: TimeAmount(idleTimeout)))
    }
}
