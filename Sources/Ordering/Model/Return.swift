// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Goods that came back, with or without an order that we know.
package struct Return: Sendable {
    package let id: ReturnID
    /// `nil` for goods whose sale is not on record.
    package let order: OrderID?
    package let customer: CustomerID?
    package let externalID: String?
    package let lines: [ReturnLine]
    package let total: Money
    package let receivedAt: Timestamp
    package let createdAt: Timestamp
}

package struct ReturnLine: Sendable {
    /// The line of the order; `nil` without an order.
    package let orderLine: OrderLineID?
    package let variant: VariantID
    package let sku: String
    package let quantity: Int
    package let unitPrice: Money
    package let total: Money
}

/// Units on their way to the customer.
package struct Fulfilment: Sendable {
    package let id: FulfilmentID
    package let order: OrderID
    package let carrier: String?
    package let tracking: String?
    package let lines: [FulfilmentLine]
    package let createdAt: Timestamp
}

package struct FulfilmentLine: Sendable {
    package let line: OrderLineID
    package let quantity: Int
}

/// One booking in the sales ledger, which is append-only.
package struct LedgerEntry: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// An order that stands.
        case sale
        /// Money or credit that goes back to a customer.
        case credit
        /// A correction that is neither, such as a bad debt.
        case adjustment
    }

    package let id: LedgerEntryID
    package let kind: Kind
    /// Sales are positive, credits negative, adjustments either.
    package let amount: Money
    /// The order, return, refund or correction it is about.
    package let reference: String
    package let reason: String?
    /// The day of the business, which for imported records lies before the booking.
    package let occurredAt: Timestamp
}

/// The sums of the sales ledger in one currency.
package struct LedgerSummary: Sendable {
    package let sales: Money
    package let credits: Money
    package let adjustments: Money
    package let entries: Int

    package func net() throws -> Money { try sales.adding(credits).adding(adjustments) }
}

package enum ReturnKind: EntityKind { package static let prefix = "ret" }
package typealias ReturnID = Identifier<ReturnKind>
package enum LedgerEntryKind: EntityKind { package static let prefix = "led" }
package typealias LedgerEntryID = Identifier<LedgerEntryKind>
