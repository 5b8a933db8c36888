// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A PaymentIntent as Stripe describes it, read as an outcome.
struct StripeIntent {
    private let body: JSON

    init(_ body: JSON) { self.body = body }

    var outcome: PaymentOutcome {
        let id = body["id"]?.string ?? ""
        switch body["status"]?.string {
        case "succeeded": return .captured(reference: id)
        case "requires_capture": return .authorized(reference: id)
        case "requires_action": return .requiresAction(reference: id, nextStep)
        // Nobody has asked for the money yet.
        case "requires_confirmation": return .notFound
        case "requires_payment_method": return .declined(Self.declineReason(body["last_payment_error"]))
        case "canceled": return .declined(.cancelled)
        // `processing`, and whatever else there may come to be.
        default: return .unknown
        }
    }

    private var nextStep: PaymentAction {
        let redirect = body["next_action"]?["redirect_to_url"]?["url"]?.string
        return PaymentAction(url: redirect, clientSecret: redirect == nil ? body["client_secret"]?.string : nil)
    }

    /// Reads an error of a card (docs.stripe.com/declines/codes).
    static func declineReason(_ error: JSON?) -> DeclineReason {
        switch error?["decline_code"]?.string ?? error?["code"]?.string {
        case "insufficient_funds": .insufficientFunds
        case "expired_card": .expiredCard
        case "fraudulent", "stolen_card", "lost_card", "merchant_blacklist": .fraudSuspected
        case "authentication_required", "payment_intent_authentication_failure": .authenticationFailed
        case "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_expiry_year", "invalid_account":
            .invalidMethod
        default: .cardDeclined
        }
    }
}
