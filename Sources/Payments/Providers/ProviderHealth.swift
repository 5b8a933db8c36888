// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Whether the payment provider answers, as the last request to it found out. It is not asked for the sake of asking: providers
/// count requests.
package final class ProviderHealth: Sendable {
    private let fault = Mutex<String?>(nil)

    init() {}

    func answered() { fault.withLock { $0 = nil } }
    func failed(_ error: any Error) { fault.withLock { $0 = "\(error)" } }

    /// What was wrong last; `nil` where the last request was answered, or none was made.
    package var lastFault: String? { fault.withLock { $0 } }
}
