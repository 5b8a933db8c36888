// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Payments
internal import Persistence

/// A provider said that a payment has moved on: its order moves accordingly.
struct HearOfPayment: Sendable {
    let database: Database
    let placing: PlaceOrder
    let payments: PaymentsModule

    /// Asks the provider what became of the payment, because a notification may be late, doubled or out of order.
    ///
    /// - Returns: `false` where the provider did not say.
    func hear(of payment: Payment, from provider: String) async throws -> Bool {
        guard payment.status.isOpen else { return true }
        let outcome = await payments.resolve(payment)
        if outcome == .unknown { return false }
        let order = try await database.write { transaction in
            try placing.settle(payment.order, outcome, by: "payments.\(provider)", in: transaction).order
        }
        if order.state == .cancelled { await payments.settle() }
        return true
    }
}
