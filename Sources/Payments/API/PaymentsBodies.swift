// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

struct PaymentPath: WireBody {
    let id: PaymentID
    static let schema = Schema.object("PaymentPath", PaymentPath.init, .required("id", \.id, .id()))
}

package struct PaymentBody: WireBody {
    let id: PaymentID
    let order: OrderID
    let status: PaymentStatus
    let amount: Money
    let refunded: Money
    let capture: CaptureMode
    let declineReason: DeclineReason?
    let actionURL: String?
    let clientSecret: String?
    let createdAt: Timestamp

    package static let schema = Schema.object(
        "Payment", PaymentBody.init,
        .required("id", \.id, .id()), .required("order_id", \.order, .id()), .required("status", \.status, .word),
        .required("amount", \.amount, .money), .required("refunded", \.refunded, .money),
        .required("capture", \.capture, .word), .optional("decline_reason", \.declineReason, .word),
        .optional("action_url", \.actionURL, .string(format: "uri"), "Where the customer must go for the second step."),
        .optional(
            "client_secret", \.clientSecret, .string(),
            "With what the provider's own script takes the second step, where there is no page to go to."),
        .required("created_at", \.createdAt, .timestamp))
}

extension PaymentBody {
    package init(_ payment: Payment) {
        self.init(
            id: payment.id, order: payment.order, status: payment.status, amount: payment.amount,
            refunded: payment.refunded, capture: payment.capture, declineReason: payment.declineReason,
            actionURL: payment.action?.url, clientSecret: payment.action?.clientSecret, createdAt: payment.createdAt)
    }
}

package struct RefundBody: WireBody {
    let id: RefundID
    let payment: PaymentID
    let order: OrderID
    let amount: Money
    let reason: String?
    let status: RefundStatus
    let createdAt: Timestamp

    package static let schema = Schema.object(
        "Refund", RefundBody.init,
        .required("id", \.id, .id()), .required("payment_id", \.payment, .id()),
        .required("order_id", \.order, .id()), .required("amount", \.amount, .money),
        .optional("reason", \.reason, .string()),
        .required("status", \.status, .word, "`pending` until the provider has confirmed it."),
        .required("created_at", \.createdAt, .timestamp))
}

extension RefundBody {
    package init(_ refund: Refund) {
        self.init(
            id: refund.id, payment: refund.payment, order: refund.order, amount: refund.amount, reason: refund.reason,
            status: refund.status, createdAt: refund.createdAt)
    }
}
