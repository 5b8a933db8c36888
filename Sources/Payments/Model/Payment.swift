// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// One attempt to be paid for one order.
package struct Payment: Sendable {
    package let id: PaymentID
    /// The order it is for.
    package let order: OrderID
    package let provider: String
    /// What the customer pays with, as the provider takes it; never a card number of a real card.
    package let method: PaymentMethod
    package let amount: Money
    package let capture: CaptureMode
    package internal(set) var status: PaymentStatus
    /// The provider's own identifier, once there is one.
    package internal(set) var providerReference: String?
    package internal(set) var declineReason: DeclineReason?
    /// How the customer takes a second step, while one is asked for.
    package internal(set) var action: PaymentAction?
    package internal(set) var refunded: Money
    package let createdAt: Timestamp
    package internal(set) var updatedAt: Timestamp

    /// The key under which the provider knows this attempt, however often it is asked.
    package var idempotencyKey: String { id.rawValue }
}

package enum PaymentMethod: Hashable, Sendable {
    /// A provider's token for a card.
    case card(token: String)
    /// Paid outside: cash, transfer, or another system, under its reference.
    case external(reference: String)
}

package enum CaptureMode: String, CaseIterable, Sendable {
    /// The money is taken with the authorisation.
    case automatic
    /// The money is set aside now and taken later.
    case manual
}

/// Where a payment stands. Each state names its successors.
package enum PaymentStatus: String, CaseIterable, Sendable {
    /// The provider is being asked: authorized, captured, declined, requires_action, unknown, cancelled.
    case pending
    /// The customer must take a second step: authorized, captured, declined, cancelled.
    case requiresAction = "requires_action"
    /// The provider did not say; it is asked again: as pending.
    case unknown
    /// The money is set aside: capture_pending, void_pending.
    case authorized
    case capturePending = "capture_pending"
    /// The money is ours: refunded in parts or whole.
    case captured
    case voidPending = "void_pending"
    case voided
    case declined
    /// Given up before anything was set aside; money that comes all the same goes back: authorized, captured.
    case cancelled

    /// Whether it may still turn out either way.
    package var isOpen: Bool {
        switch self {
        case .pending, .requiresAction, .unknown, .cancelled: true
        case .authorized, .capturePending, .captured, .voidPending, .voided, .declined: false
        }
    }
}

package enum DeclineReason: String, CaseIterable, Sendable {
    case cardDeclined = "card_declined"
    case insufficientFunds = "insufficient_funds"
    case expiredCard = "expired_card"
    case fraudSuspected = "fraud_suspected"
    case authenticationFailed = "authentication_failed"
    case invalidMethod = "invalid_method"
    /// Cancelled at the provider.
    case cancelled
}

/// A second step that the customer must take, as with 3-D Secure.
package struct PaymentAction: Hashable, Sendable {
    /// Where the customer must go.
    package let url: String?
    /// With what the provider's own script takes the step, where there is no page to go to.
    package let clientSecret: String?

    package init(url: String?, clientSecret: String? = nil) {
        self.url = url
        self.clientSecret = clientSecret
    }
}

/// What is known after asking a provider.
package enum PaymentOutcome: Hashable, Sendable {
    case authorized(reference: String)
    case captured(reference: String)
    case declined(DeclineReason)
    case requiresAction(reference: String, PaymentAction)
    /// No answer, or none that says whether money moved.
    case unknown
    /// The provider has never been asked for this money.
    case notFound
}

/// Money that goes back.
package struct Refund: Sendable {
    package let id: RefundID
    package let payment: PaymentID
    package let order: OrderID
    package let amount: Money
    package let reason: String?
    package internal(set) var status: RefundStatus
    package let createdAt: Timestamp
}

package enum RefundStatus: String, CaseIterable, Sendable {
    /// Decided and not yet carried out: succeeded, failed.
    case pending
    case succeeded
    case failed
}

package enum PaymentsError: Error, Equatable {
    case notFound
    /// More than what is left of the payment.
    case refundTooLarge(available: Money)
    case notRefundable(PaymentStatus)
    case notCapturable(PaymentStatus)
    case unknownProvider(String)
    /// A notification that its provider has not signed, or too long ago.
    case unsignedNotification
}

package enum RefundKind: EntityKind { package static let prefix = "ref" }
package typealias RefundID = Identifier<RefundKind>
