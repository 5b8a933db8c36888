// SPDX-License-Identifier: Apache-2.0

package import Kernel

package enum OrderingError: Error, Equatable {
    case orderNotFound
    case cartNotFound
    case lineNotFound(String)
    case cartEmpty
    case cartNotOpen(CartState)
    case outOfStock([LineShortage])
    case unknownVariant(line: Int, String)
    case unknownCustomer(CustomerID)
    case notForSale(line: Int, sku: String)
    case noPrice(line: Int, sku: String, Currency)
    case illegalTransition(from: OrderState, event: OrderEvent)
    case externalIDTaken(String, existing: String)
    /// More units than the line still has to ship or take back.
    case tooManyUnits(line: OrderLineID, available: Int)
    case nothingToShip
    case nothingToReturn
    case noPayment
    case currencyMismatch(expected: Currency)
    case zeroAmount
}

/// A line that cannot be had as ordered.
package struct LineShortage: Hashable, Sendable {
    /// Its place in the request, from 0.
    package let line: Int
    package let variant: VariantID
    package let sku: String
    package let requested: Int
    /// All that is available of the variant, for all lines of it together.
    package let available: Int
}
