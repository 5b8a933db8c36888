// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// What of an operation is for customers, whose tokens reach nothing that is not declared to be.
package enum CustomerAccess: String, Hashable, Sendable {
    case none
    /// Their own things; the handler asks ``Call/reach`` whose each is.
    case own
    /// What is the same for everybody.
    case all
}

/// Whose things a caller reaches.
package struct Reach: Sendable {
    /// The only one whose; `nil` for whoever works in the shop, who reaches everybody's.
    package let customer: CustomerID?

    package static let everybody = Reach(customer: nil)

    package func includes(_ owner: CustomerID?) -> Bool { customer == nil || customer == owner }

    /// Whose a new thing is to be: who is `named`, or whoever is confined to their own.
    ///
    /// - Throws: ``Problem`` where a customer names another one.
    package func owner(_ named: CustomerID?) throws -> CustomerID? {
        guard let customer else { return named }
        guard named == nil || named == customer else {
            throw Problem(.notForCustomers, "customer_id names another customer; leave it out.")
        }
        return customer
    }

    /// - Throws: ``Problem`` where a customer sends a `field` that is the shop's.
    package func requireShop(for field: String, where isSent: Bool) throws {
        guard isSent, customer != nil else { return }
        throw Problem(.notForCustomers, "\(field) is for the shop; leave it out.")
    }
}
