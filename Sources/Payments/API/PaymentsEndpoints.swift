// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension PaymentsModule {
    package var endpoints: [Endpoint] {
        [.get("/v1/payments/{id}", "getPayment", "Read a payment", use: get).scope(.readOrders)]
    }

    private func get(_ call: Call, _ path: PaymentPath) async throws -> Answer<PaymentBody> {
        guard let payment = try await call.read({ try PaymentStore.find(path.id, in: $0) }) else {
            throw PaymentsError.notFound
        }
        return .ok(PaymentBody(payment))
    }
}

extension ProblemType {
    package static let paymentDeclined = ProblemType(
        "payment-declined", 402, "The payment was declined",
        "`reason` says why. Nothing was charged and the goods are free again; ask for another way to pay.")
    package static let refundTooLarge = ProblemType(
        "refund-too-large", 409, "More than what is left of the payment",
        "`available` is what can still be given back.")
    package static let paymentState = ProblemType(
        "payment-state", 409, "The payment does not allow this step now",
        "`payment_status` says where it stands.")
    package static let unsignedNotification = ProblemType(
        "unsigned-notification", 400, "The notification does not come from the provider",
        "Check the signing secret in the settings, and the clocks of both sides.")
}

extension PaymentsError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.notFound, "There is no such payment.")
        case .refundTooLarge(let available):
            Problem(.refundTooLarge, "At most \(available) can be given back.")
                .with("available", .string(available.decimal))
        case .notRefundable(let status):
            Problem(.paymentState, "A payment that is \(status.rawValue) cannot be refunded.")
                .with("payment_status", .string(status.rawValue))
        case .notCapturable(let status):
            Problem(.paymentState, "A payment that is \(status.rawValue) cannot be captured.")
                .with("payment_status", .string(status.rawValue))
        case .unknownProvider(let name): Problem(.notFound, "There is no payment provider \(name.prefix(40)) here.")
        case .unsignedNotification:
            Problem(.unsignedNotification, "The signature is missing, does not fit the body, or is too old.")
        }
    }
}
