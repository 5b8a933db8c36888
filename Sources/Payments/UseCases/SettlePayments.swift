// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Logging
internal import Persistence
internal import Resilience

/// Carries out what was decided and committed before: captures, voids and refunds.
///
/// Each step is taken in hand for a while before it is carried out, so that no two do it at once, and doing it again after a
/// crash is harmless.
struct SettlePayments: Sendable {
    let database: Database
    let providers: PaymentProviders
    let outbox: Outbox
    let clock: WallClock
    let logger: Logger

    private static let batch = 50
    private static let actor = "payments.settle"
    /// How long a step is in one hand; longer than any attempt.
    private static let handTime = Duration.seconds(20)

    /// Works off everything that is intended now. What fails stays intended, and comes round again.
    func run() async throws {
        let now = clock.now()
        let payments = try await database.read { try PaymentStore.intended(at: now, limit: Self.batch, in: $0) }
        for payment in payments {
            await attempt("payment", payment.id.rawValue) { try await settle(payment) }
        }
        let refunds = try await database.read { try PaymentStore.intendedRefunds(at: now, limit: Self.batch, in: $0) }
        for refund in refunds {
            await attempt("refund", refund.id.rawValue) { try await settle(refund) }
        }
    }

    private func attempt(_ kind: String, _ id: String, _ work: @escaping @Sendable () async throws -> Void) async {
        do {
            try await withDeadline(AuthorizePayment.longest - .seconds(2)) { try await work() }
        } catch {
            logger.warning(
                "A payment step failed and is tried again", metadata: ["\(kind)": "\(id)", "error": "\(error)"])
        }
    }

    private var untilLater: Timestamp { clock.now().advanced(by: Self.handTime) }

    // MARK: Captures and voids

    private func settle(_ payment: Payment) async throws {
        let isMine = try await database.write { transaction in
            try PaymentStore.take(payment, at: clock.now(), until: untilLater, in: transaction)
        }
        guard isMine else { return }
        let done = try await carryOut(payment)
        try await database.write { transaction in
            guard var current = try PaymentStore.find(payment.id, in: transaction), current.status == payment.status
            else { return }
            current.status = done
            current.updatedAt = clock.now()
            if payment.status == .voidPending, done == .captured { current.refunded = current.amount }
            try PaymentStore.update(current, in: transaction)
            try tell(of: current, intended: payment.status, in: transaction)
        }
    }

    /// - Returns: where the payment stands after it.
    private func carryOut(_ payment: Payment) async throws -> PaymentStatus {
        let intended: PaymentStatus = payment.status == .capturePending ? .captured : .voided
        guard let reference = payment.providerReference, case .card = payment.method else { return intended }
        let provider = try providers.provider(payment.provider)
        do {
            if intended == .captured {
                try await providers.ask("payment.capture", at: provider) {
                    try await provider.capture(reference: reference, amount: payment.amount)
                }
            } else {
                try await providers.ask("payment.void", at: provider) {
                    try await provider.void(reference: reference)
                }
            }
            return intended
        } catch ProviderFault.refused(let reason) {
            // It went another way at the provider: paid after all, or too late to be taken.
            let outcome = try await provider.find(reference: reference)
            logger.error(
                "A payment step was refused",
                metadata: [
                    "payment": "\(payment.id)", "intended": "\(intended.rawValue)", "reason": "\(reason)",
                    "found": "\(outcome)",
                ])
            switch outcome {
            case .captured: return .captured
            case .declined, .notFound: return .voided
            case .authorized, .requiresAction, .unknown: throw ProviderFault.refused(reason)
            }
        }
    }

    private func tell(of payment: Payment, intended: PaymentStatus, in transaction: Transaction) throws {
        let data: JSON = ["order_id": .string(payment.order.rawValue)]
        let type =
            switch (intended, payment.status) {
            case (.capturePending, .captured): "payment.captured"
            case (.capturePending, _): "payment.capture_failed"
            default: "payment.voided"
            }
        try outbox.publish(type, subject: payment.id.rawValue, actor: Self.actor, data, in: transaction)
        // What was to be voided and is paid after all goes back.
        guard intended == .voidPending, payment.status == .captured, !payment.amount.isZero else { return }
        let now = clock.now()
        let refund = Refund(
            id: .make(at: now), payment: payment.id, order: payment.order, amount: payment.amount,
            reason: "paid after it was given up", status: .pending, createdAt: now)
        try PaymentStore.insert(refund, in: transaction)
    }

    // MARK: Refunds

    private func settle(_ refund: Refund) async throws {
        let attempts = try await database.write { transaction in
            try PaymentStore.take(refund.id, at: clock.now(), until: untilLater, in: transaction)
        }
        guard let attempts else { return }
        var status = RefundStatus.succeeded
        do {
            try await pay(refund, attempt: attempts)
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

    private func pay(_ refund: Refund, attempt: Int) async throws {
        guard let payment = try await database.read({ try PaymentStore.find(refund.payment, in: $0) }) else { return }
        // What was paid outside is given back outside.
        guard case .card = payment.method, let reference = payment.providerReference else { return }
        let provider = try providers.provider(payment.provider)
        try await providers.ask("payment.refund", at: provider, attempt: attempt) {
            try await provider.refund(
                reference: reference, amount: refund.amount, key: refund.id.rawValue, isRepeated: attempt > 1)
        }
    }
}
