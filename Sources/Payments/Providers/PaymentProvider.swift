// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A company that moves money.
///
/// A payment is opened first and authorised second. Its reference is on our disk between the two, so that whatever happens
/// to the answer of the second, there is something to ask about; and what has only been opened has moved no money.
protocol PaymentProvider: Sendable {
    /// Names the provider in the shop's data; never changed.
    var name: String { get }

    /// Whether it is another system, which may be slow or down while the shop is well.
    var isRemote: Bool { get }

    /// The provider's reference where it follows from our key; `nil` where ``open(_:)`` gives it.
    func reference(of key: String) -> String?
    /// Announces a payment. No money moves.
    ///
    /// - Returns: the provider's reference.
    func open(_ request: AuthorizationRequest) async throws -> String
    /// Asks for the money. Harmless to repeat with the same `reference`.
    ///
    /// - Throws: ``ProviderFault`` when there was no usable answer; money may have moved.
    func authorize(_ request: AuthorizationRequest, reference: String) async throws -> PaymentOutcome
    /// What became of a payment; `notFound` where nobody has asked for its money.
    func find(reference: String) async throws -> PaymentOutcome
    func capture(reference: String, amount: Money) async throws
    func void(reference: String) async throws
    /// Gives money back, once for each `key`. `isRepeated` where an attempt with it may have arrived before.
    func refund(reference: String, amount: Money, key: String, isRepeated: Bool) async throws
    /// The customer took the second step; what came of it. The sandbox is told, a real provider knows.
    func completeAction(reference: String, succeeded: Bool) async throws -> PaymentOutcome
    /// Which payment a notification from outside is about; `nil` where it is about something else.
    ///
    /// - Throws: ``PaymentsError/unsignedNotification`` where it does not come from the provider.
    func reference(notifiedBy body: [UInt8], signature: String?, at time: Timestamp) throws -> String?
}

extension PaymentProvider {
    var isRemote: Bool { true }
    func reference(of key: String) -> String? { nil }
    func reference(notifiedBy body: [UInt8], signature: String?, at time: Timestamp) throws -> String? {
        throw PaymentsError.unsignedNotification
    }
}

struct AuthorizationRequest: Sendable {
    let key: String
    let amount: Money
    let token: String
    let capture: CaptureMode
}

enum ProviderFault: Error, Equatable {
    /// No connection or no answer in time.
    case noAnswer
    /// An answer that says to try again, perhaps not before some time.
    case temporary(after: Duration? = nil)
    /// Another request is at work on the same payment; try again.
    case busy
    /// The provider refuses this step for good.
    case refused(String)
}
