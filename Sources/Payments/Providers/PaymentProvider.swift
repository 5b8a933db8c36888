// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A company that moves money. Every call carries a key under which repeating it is harmless.
package protocol PaymentProvider: Sendable {
    /// Names the provider in the shop's data; never changed.
    var name: String { get }

    /// - Throws: ``ProviderFault`` when there was no usable answer; money may have moved.
    func authorize(_ request: AuthorizationRequest) async throws -> PaymentOutcome
    /// What became of the authorisation under `key`.
    func find(key: String) async throws -> PaymentOutcome
    func capture(reference: String, amount: Money, key: String) async throws
    func void(reference: String, key: String) async throws
    func refund(reference: String, amount: Money, key: String) async throws
    /// The customer took the second step; what came of it. The sandbox is told, a real provider knows.
    func completeAction(reference: String, succeeded: Bool) async throws -> PaymentOutcome
}

package struct AuthorizationRequest: Sendable {
    package let key: String
    package let amount: Money
    package let token: String
    package let capture: CaptureMode
}

package enum ProviderFault: Error, Equatable {
    /// No connection or no answer in time.
    case noAnswer
    /// An answer that says to try again.
    case temporary
    /// The provider refuses this step for good.
    case refused(String)
}
