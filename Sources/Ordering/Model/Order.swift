// SPDX-License-Identifier: Apache-2.0

package import Customers
package import Kernel

/// What somebody bought, from the moment the stock was held.
package struct Order: Sendable {
    package let id: OrderID
    /// For people: ten digits in three groups, the last of them a check digit.
    package internal(set) var number: String
    /// The number by which another system knows the order; unique.
    package internal(set) var externalID: String?
    package let customer: CustomerID?
    package internal(set) var email: String?
    package let currency: Currency
    package internal(set) var state: OrderState
    package internal(set) var lines: [OrderLine]
    package let totals: Totals
    /// What went back to the customer so far.
    package internal(set) var refunded: Money
    package internal(set) var shippingAddress: PostalAddress?
    package internal(set) var billingAddress: PostalAddress?
    package internal(set) var metadata: JSON
    package internal(set) var payment: PaymentID?
    package let cart: CartID?
    package internal(set) var cancelReason: CancelReason?
    package let placedAt: Timestamp
    package internal(set) var updatedAt: Timestamp
    /// When a pending order gives its stock back; nothing for orders that are settled.
    package internal(set) var expiresAt: Timestamp?
    /// Until then somebody is at work on a pending order, and no one else should be.
    package internal(set) var attemptUntil: Timestamp?
    package internal(set) var version: Int64

    /// The name under which stock is held for it.
    package var stockOwner: String { id.rawValue }

    package var isFullyShipped: Bool { lines.allSatisfy { $0.fulfilled == $0.quantity } }
    package var isFullyReturned: Bool { lines.allSatisfy { $0.returned == $0.quantity } }
}

package struct OrderLine: Sendable {
    package let id: OrderLineID
    package let variant: VariantID
    package let product: ProductID
    package let sku: String
    package let title: String
    package let quantity: Int
    package let unitPrice: Money
    package let total: Money
    package internal(set) var fulfilled = 0
    package internal(set) var returned = 0
}

package enum CancelReason: String, CaseIterable, Sendable {
    case requested
    case paymentDeclined = "payment_declined"
    case expired
}

/// Numbers that can be read aloud: digits only, grouped as in a telephone number, with a check digit that finds every
/// single wrong digit and every exchange of neighbours (H. M. Damm, 2004).
package enum OrderNumber {
    package static func make() -> String {
        // One draw, because each is a call of the system.
        let digits = (1_000_000_000 + Int.random(in: 0..<1_000_000_000)).description.dropFirst().compactMap(
            \.wholeNumberValue)
        let text = (digits + [checkDigit(digits)]).map(String.init).joined()
        return "\(text.prefix(3))-\(text.dropFirst(3).prefix(3))-\(text.suffix(4))"
    }

    /// Whether `number` is one that ``make()`` could have made, and not a misread one.
    package static func isValid(_ number: String) -> Bool {
        let digits = number.filter { $0 != "-" && $0 != " " }.compactMap(\.wholeNumberValue)
        return digits.count == 10 && digits.dropLast().count == 9 && checkDigit(digits) == 0
    }

    private static func checkDigit(_ digits: [Int]) -> Int { digits.reduce(0) { quasigroup[$0][$1] } }

    private static let quasigroup = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2], [7, 0, 9, 2, 1, 5, 4, 8, 6, 3], [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6], [6, 1, 2, 3, 0, 4, 5, 9, 7, 8], [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4], [8, 9, 4, 5, 3, 6, 2, 0, 1, 7], [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ]
}

package enum FulfilmentKind: EntityKind { package static let prefix = "ful" }
package typealias FulfilmentID = Identifier<FulfilmentKind>
