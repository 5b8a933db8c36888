// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// What somebody may buy. It holds no stock and no prices: both are the shop's until an order is placed.
package struct Cart: Sendable {
    package let id: CartID
    package let currency: Currency
    package var customer: CustomerID?
    package var email: String?
    /// Where it would go, for shipping and tax.
    package var country: String?
    package var lines: [CartLine]
    package internal(set) var state: CartState
    package internal(set) var expiresAt: Timestamp
    package let createdAt: Timestamp
    package internal(set) var version: Int64
}

package struct CartLine: Sendable {
    package let id: OrderLineID
    package let variant: VariantID
    package var quantity: Int
}

package enum CartState: String, CaseIterable, Sendable {
    /// Can be changed and ordered: converted, expired.
    case open
    /// Became an order; open again should that come to nothing.
    case converted
    case expired
}
