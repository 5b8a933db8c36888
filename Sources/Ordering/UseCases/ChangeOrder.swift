// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Payments
internal import Persistence
internal import Web

/// Cancels, completes, captures and refunds orders. Money moves after the commit, by `PaymentsModule.settle()`.
struct ChangeOrder: Sendable {
    let placing: PlaceOrder
    let payments: PaymentsModule
    let outbox: Outbox
    let clock: WallClock

    /// The order, where a caller may reach it. Another one's is not told from one that there is not.
    func find(
        _ id: OrderID, for reach: Reach, if precondition: Precondition = .none, in connection: Connection
    ) throws -> Order {
        guard let order = try OrderStore.find(id, in: connection), reach.includes(order.customer) else {
            throw OrderingError.orderNotFound
        }
        try precondition.check(order.version)
        return order
    }

    /// Changes what an order says about where it goes and to whom.
    func edit(
        _ order: inout Order, by actor: String, in transaction: Transaction, _ change: (inout Order) -> Void
    ) throws {
        change(&order)
        try OrderStore.update(&order, at: clock.now(), in: transaction)
        try outbox.publish(
            "order.updated", subject: order.id.rawValue, actor: actor, ["number": .string(order.number)],
            in: transaction)
    }

    /// Brings an order to the state a person asked for, by the one event that leads there.
    func bring(_ order: inout Order, to state: OrderState, by actor: String, in transaction: Transaction) throws {
        switch state {
        case .cancelled: try placing.advance(&order, .cancelled, by: actor, in: transaction)
        case .completed: try placing.advance(&order, .completed, by: actor, in: transaction)
        case .paid: try capture(&order, by: actor, in: transaction)
        case .confirmed: throw OrderingError.illegalTransition(from: order.state, event: .paymentAuthorized)
        case .pending: throw OrderingError.illegalTransition(from: order.state, event: .expired)
        case .partiallyFulfilled, .fulfilled:
            throw OrderingError.illegalTransition(from: order.state, event: .fullyShipped)
        case .returned: throw OrderingError.illegalTransition(from: order.state, event: .fullyReturned)
        }
    }

    /// Decides to take the money that was set aside. The order is paid once the provider has confirmed it.
    func capture(_ order: inout Order, by actor: String, in transaction: Transaction) throws {
        guard order.state == .confirmed, let payment = order.payment else {
            throw OrderingError.illegalTransition(from: order.state, event: .paymentCaptured)
        }
        _ = try payments.intendCapture(payment, in: transaction)
    }

    /// Decides to give money back, at most what was paid and is not on its way back already.
    func refund(
        _ order: inout Order, _ amount: Money?, reason: String?, by actor: String, in transaction: Transaction
    ) throws -> Refund {
        guard let payment = order.payment else { throw OrderingError.noPayment }
        let amount = try amount ?? order.totals.total.subtracting(order.refunded)
        guard amount.currency == order.currency else { throw OrderingError.currencyMismatch(expected: order.currency) }
        guard amount.thousandths > 0 else { throw OrderingError.zeroAmount }
        let refund = try payments.intendRefund(amount, of: payment, reason: reason, in: transaction)
        order.refunded = try order.refunded.adding(amount)
        try OrderStore.update(&order, at: clock.now(), in: transaction)
        try LedgerStore.book(
            .credit, amount.negated, about: order.id.rawValue, reason: reason ?? "refund", occurredAt: clock.now(),
            bookedAt: clock.now(), in: transaction)
        try outbox.publish(
            "order.refunded", subject: order.id.rawValue, actor: actor,
            [
                "number": .string(order.number), "amount": .string(amount.decimal),
                "refund_id": .string(refund.id.rawValue),
            ],
            in: transaction)
        return refund
    }
}
