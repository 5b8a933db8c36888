// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Payments
internal import Web

extension OrderingModule {
    var paymentEndpoints: [Endpoint] {
        [
            .notification(
                "/v1/payments/notifications/{provider}", "receivePaymentNotification",
                "Hear from a payment provider that a payment has moved on", signedBy: "Stripe-Signature",
                use: receiveNotification
            ).mayAnswer(.unsignedNotification, .notFound, .unavailable)
        ]
    }

    private func receiveNotification(
        _ call: Call, _ path: ProviderPath, _ body: [UInt8], _ signature: String?
    ) async throws {
        let payment = try await payments.payment(notifiedBy: path.provider, body, signature: signature)
        guard let payment else { return }
        // The provider sends again what was not taken.
        guard try await hearing.hear(of: payment, from: path.provider) else {
            throw Problem(.unavailable, "The provider did not say what became of the payment.")
        }
    }
}

private struct ProviderPath: WireBody {
    let provider: String
    static let schema = Schema.object(
        "ProviderPath", ProviderPath.init, .required("provider", \.provider, .string(1...40, example: "stripe")))
}
