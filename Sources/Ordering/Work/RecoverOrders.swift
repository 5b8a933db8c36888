// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
internal import Payments
internal import Persistence

/// Finishes or releases pending orders on which nobody is at work: after a crash, a lost answer, or a customer who left.
struct RecoverOrders: Sendable {
    let database: Database
    let placing: PlaceOrder
    let payments: PaymentsModule
    let clock: WallClock
    let logger: Logger

    private static let actor = "orders.recover"
    private static let batch = 50
    /// How long to wait before a provider that gave no answer is asked again.
    private static let pause = Duration.seconds(15)

    func run() async throws {
        let now = clock.now()
        let orders = try await database.read { try OrderStore.unsettled(at: now, limit: Self.batch, in: $0) }
        for order in orders {
            do {
                try await recover(order)
            } catch {
                logger.error(
                    "A pending order could not be recovered", metadata: ["order": "\(order.id)", "error": "\(error)"])
            }
        }
        if !orders.isEmpty { await payments.settle() }
    }

    private func recover(_ order: Order) async throws {
        let payment = try await database.read { try payments.payments(of: order.id, in: $0).last }
        let hasExpired = order.expiresAt.map { $0 < clock.now() } ?? true
        var outcome = if let payment { await payments.resolve(payment) } else { PaymentOutcome.notFound }
        if outcome == .notFound, !hasExpired, let payment {
            outcome = await payments.completeLater(payment) ?? .notFound
        }
        try await settle(order, outcome, hasExpired: hasExpired)
    }

    private func settle(_ order: Order, _ outcome: PaymentOutcome, hasExpired: Bool) async throws {
        try await database.write { transaction in
            switch outcome {
            case .authorized, .captured, .declined:
                _ = try placing.settle(order.id, outcome, by: Self.actor, in: transaction)
            case .requiresAction where !hasExpired:
                // What the customer has to do is written down for whoever reads the order.
                if let id = order.payment, let payment = try payments.find(id, in: transaction) {
                    _ = try payments.record(outcome, for: payment, in: transaction)
                }
                try postpone(order, in: transaction)
            case .requiresAction, .notFound:
                // Until the time to pay is over, the client may come back with the same key, or the customer act.
                if hasExpired {
                    try placing.expire(order.id, by: Self.actor, in: transaction)
                } else {
                    try postpone(order, in: transaction)
                }
            // Money may have moved, so the stock stays held until the provider says.
            case .unknown: try postpone(order, in: transaction)
            }
        }
    }

    private func postpone(_ order: Order, in transaction: Transaction) throws {
        guard var current = try OrderStore.find(order.id, in: transaction), current.state == .pending,
            current.attemptUntil == order.attemptUntil
        else { return }
        // Asked again after the pause, or as soon as the time to pay is over.
        let later = clock.now().advanced(by: Self.pause)
        current.attemptUntil = current.expiresAt.map { $0 > clock.now() ? min($0, later) : later } ?? later
        try OrderStore.update(&current, at: current.updatedAt, in: transaction)
    }
}
