// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A customer as far as an account needs to know: who may be let in, and under which mail address.
package struct KnownCustomer: Sendable {
    package let id: CustomerID
    package let email: String?
    package let name: String?

    package init(id: CustomerID, email: String?, name: String?) {
        self.id = id
        self.email = email
        self.name = name
    }
}

/// What a customer is sent, so that whoever reads the mail of that address can choose a password, once.
struct AccountLink: Sendable {
    let customer: CustomerID
    let email: String
    let expiresAt: Timestamp
}
