// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Logging
internal import Persistence
internal import Resilience

/// Carries out what was decided and committed before: captures, voids and refunds.
///
/// Each step has its own key at the provider, so doing it again after a crash is harmless.
struct SettlePayments: Sendable {
    let database: Database
    let provider: any PaymentProvider
    let outbox: Outbox
    let clock: WallClock
    let logger: Logger

    private static let batch = 50
    private static let actor = "payments.settle"

    /// Works off everything that is intended now. What fails stays intended, and comes round again.
    func run() async throws {
        for payment in try await database.read({ try PaymentStore.intended(limit: Self.batch, in: $0) }) {
            await attempt("payment", payment.id.rawValue) { try await settle(payment) }
        }
        for refund in try await database.read({ try PaymentStore.intendedRefunds(limit: Self.batch, in: $0) }) {
            await attempt("refund", refund.id.rawValue) { try await settle(refund) }
        }
    }

    private func attempt(_ kind: String, _ id: String, _ work: @escaping @Sendable () async throws -> Void) async {
        do {
            try await withDeadline(AuthorizePayment.deadline) { try await work() }
        } catch {
            logger.warning(
                "A payment step failed and is tried again", metadata: ["\(kind)": "\(id)", "error": "\(error)"])
        }
    }

    private func settle(_ payment: Payment) async throws {
        let key = payment.idempotencyKey + ":" + payment.status.rawValue
        let done: PaymentStatus
        if payment.status == .capturePending {
            if let reference = payment.providerReference {
                try await provider.capture(reference: reference, amount: payment.amount, key: key)
            }
            done = .captured
        } else {
            if let reference = payment.providerReference { try await provider.void(reference: reference, key: key) }
            done = .voided
        }
        try await database.write { transaction in
            guard var current = try PaymentStore.find(payment.id, in: transaction), current.status == payment.status
            else { return }
            current.status = done
            current.updatedAt = clock.now()
            try PaymentStore.update(current, in: transaction)
            try outbox.publish(
                done == .captured ? "payment.captured" : "payment.voided", subject: payment.id.rawValue,
                actor: Self.actor, ["order_id": .string(payment.order.rawValue)], in: transaction)
        }
    }

    private func settle(_ refund: Refund) async throws {
        var status = RefundStatus.succeeded
        do {
            try await pay(refund)
        } catch ProviderFault.refused(let reason) {
            logger.error("A refund was refused", metadata: ["refund": "\(refund.id)", "reason": "\(reason)"])
            status = .failed
        }
        let settled = status
        try await database.write { transaction in
            guard try PaymentStore.settle(refund.id, as: settled, in: transaction) else { return }
            try outbox.publish(
                settled == .succeeded ? "refund.succeeded" : "refund.failed", subject: refund.id.rawValue,
                actor: Self.actor, ["order_id": .string(refund.order.rawValue)], in: transaction)
        }
    }

    private func pay(_ refund: Refund) async throws {
        guard let payment = try await database.read({ try PaymentStore.find(refund.payment, in: $0) }) else { return }
        // What was paid outside is given back outside.
        guard case .card = payment.method, let reference = payment.providerReference else { return }
        try await provider.refund(reference: reference, amount: refund.amount, key: refund.id.rawValue)
    }
}
