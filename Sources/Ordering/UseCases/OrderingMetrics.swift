// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Metrics
internal import Persistence

/// What a shop wants to know of its orders at a glance: by currency, never by person. Counted once a transaction is durable.
enum OrderingMetrics {
    static func created(_ order: Order, in transaction: Transaction) {
        let currency = order.currency.code
        transaction.afterCommit {
            Counter(label: "vitrine.orders.created", dimensions: [("currency", currency)]).increment()
        }
    }

    static func placed(_ order: Order, in transaction: Transaction) {
        let (currency, value) = (order.currency.code, order.totals.total.approximately)
        transaction.afterCommit {
            let labels = [("currency", currency)]
            Counter(label: "vitrine.orders.placed", dimensions: labels).increment()
            FloatingPointCounter(label: "vitrine.revenue", dimensions: labels).increment(by: value)
            Recorder(label: "vitrine.order.value", dimensions: labels).record(value)
        }
    }

    static func cancelled(_ order: Order, in transaction: Transaction) {
        let labels = [("currency", order.currency.code), ("reason", order.cancelReason?.rawValue ?? "requested")]
        transaction.afterCommit { Counter(label: "vitrine.orders.cancelled", dimensions: labels).increment() }
    }

    static func declined(_ reason: String, provider: String, in transaction: Transaction) {
        let labels = [("reason", reason), ("provider", provider)]
        transaction.afterCommit { Counter(label: "vitrine.payments.declined", dimensions: labels).increment() }
    }

    static func cartCreated(_ currency: Currency, in transaction: Transaction) {
        let labels = [("currency", currency.code)]
        transaction.afterCommit { Counter(label: "vitrine.carts.created", dimensions: labels).increment() }
    }

    /// The steps of a checkout after the cart was begun: `filled` with its first line, `ordered`; then its order is placed.
    static func cartMoved(to step: String, _ currency: Currency, in transaction: Transaction) {
        let labels = [("currency", currency.code), ("step", step)]
        transaction.afterCommit { Counter(label: "vitrine.carts.steps", dimensions: labels).increment() }
    }

    /// A refusal is counted where it is made: nothing is committed that could tell of it.
    static func outOfStock() {
        Counter(label: "vitrine.orders.refused", dimensions: [("reason", "out_of_stock")]).increment()
    }
}

extension Money {
    /// In major units; metrics are no ledger.
    fileprivate var approximately: Double { Double(decimal) ?? 0 }
}
