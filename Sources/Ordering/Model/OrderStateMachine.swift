// SPDX-License-Identifier: Apache-2.0

/// Where an order stands. Each state names its successors.
package enum OrderState: String, CaseIterable, Sendable {
    /// Stock is held, the payment is open: confirmed, paid, cancelled.
    case pending
    /// The money is set aside: paid, cancelled.
    case confirmed
    /// The money is taken: partially_fulfilled, fulfilled, cancelled.
    case paid
    /// Some units are on their way: fulfilled.
    case partiallyFulfilled = "partially_fulfilled"
    /// Everything is on its way: completed, returned.
    case fulfilled
    /// The customer has it and is content: returned.
    case completed
    case cancelled
    case returned
}

package enum OrderEvent: String, Sendable {
    case paymentAuthorized = "payment_authorized"
    case paymentCaptured = "payment_captured"
    case paymentDeclined = "payment_declined"
    case expired
    case cancelled
    case partlyShipped = "partly_shipped"
    case fullyShipped = "fully_shipped"
    case completed
    case partlyReturned = "partly_returned"
    case fullyReturned = "fully_returned"
}

/// What has to be done because of an event.
package enum OrderAction: Equatable, Sendable {
    case none
    /// The sale stands: stock is sold, the ledger books it, `order.placed` goes out.
    case confirmSale
    /// Nothing was sold: stock goes back, the cart opens again.
    case abandon(CancelReason)
    /// A sale is undone: stock goes back, the money too, the ledger books it.
    case undoSale
    /// Money came for an order that was given up meanwhile: it goes back.
    case returnMoney
}

/// Decides what may happen to an order, and what follows from it. No clock, no database, no waiting.
package struct OrderStateMachine: Equatable, Sendable {
    package private(set) var state: OrderState

    package init(_ state: OrderState) { self.state = state }

    /// - Throws: ``OrderingError/illegalTransition(from:event:)``; the state stays.
    package mutating func handle(_ event: OrderEvent) throws(OrderingError) -> OrderAction {
        switch (state, event) {
        case (.pending, .paymentAuthorized): return move(to: .confirmed, .confirmSale)
        case (.pending, .paymentCaptured): return move(to: .paid, .confirmSale)
        case (.pending, .paymentDeclined): return move(to: .cancelled, .abandon(.paymentDeclined))
        case (.pending, .expired): return move(to: .cancelled, .abandon(.expired))
        case (.pending, .cancelled): return move(to: .cancelled, .abandon(.requested))

        case (.confirmed, .paymentCaptured): return move(to: .paid, .none)
        case (.confirmed, .cancelled), (.paid, .cancelled): return move(to: .cancelled, .undoSale)

        case (.paid, .partlyShipped), (.partiallyFulfilled, .partlyShipped): return move(to: .partiallyFulfilled, .none)
        case (.paid, .fullyShipped), (.partiallyFulfilled, .fullyShipped): return move(to: .fulfilled, .none)
        case (.fulfilled, .completed): return move(to: .completed, .none)

        case (.partiallyFulfilled, .partlyReturned), (.fulfilled, .partlyReturned), (.completed, .partlyReturned):
            return .none
        case (.fulfilled, .fullyReturned), (.completed, .fullyReturned): return move(to: .returned, .none)

        // A provider may be heard twice, or later than the order could wait.
        case (.confirmed, .paymentAuthorized), (.paid, .paymentCaptured): return .none
        case (.cancelled, .paymentAuthorized), (.cancelled, .paymentCaptured): return .returnMoney
        case (.cancelled, .paymentDeclined), (.cancelled, .expired): return .none

        default: throw .illegalTransition(from: state, event: event)
        }
    }

    /// The states that can come next, for people who tried another.
    package static func successors(of state: OrderState) -> [OrderState] {
        switch state {
        case .pending: [.confirmed, .paid, .cancelled]
        case .confirmed: [.paid, .cancelled]
        case .paid: [.partiallyFulfilled, .fulfilled, .cancelled]
        case .partiallyFulfilled: [.fulfilled]
        case .fulfilled: [.completed, .returned]
        case .completed: [.returned]
        case .cancelled, .returned: []
        }
    }

    private mutating func move(to next: OrderState, _ action: OrderAction) -> OrderAction {
        state = next
        return action
    }
}
