// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Web

package enum UserKind: EntityKind { package static let prefix = "usr" }
package typealias UserID = Identifier<UserKind>

/// Somebody who works in this shop, builds something for it, or buys in it.
package struct User: Sendable {
    package let id: UserID
    /// In lower case.
    package let email: String
    package var name: String
    package var role: String
    /// Who it is where they buy here; they reach only what is theirs.
    let customer: CustomerID?
    /// What the role lets them do, and so what they can let an app do.
    let scopes: Set<Scope>
    /// Also of one who was removed.
    var isCustomer: Bool { role == Role.customer.name }
    /// Whether they build something for the shop and do not work in it.
    var isPartner: Bool { role == Role.partner.name }
    package let createdAt: Timestamp
    package var disabledAt: Timestamp?
    /// Whether a password alone does not let them in.
    let hasSecondFactor: Bool
    package var version: Int64
}

/// What somebody may do, under one word.
package struct Role: Sendable {
    package let name: String
    package let scopes: [Scope]

    /// What customers may do with what is theirs. Nobody who works in the shop has this role.
    static let customer = Role(
        name: "customer",
        scopes: [
            .readProducts, .readCustomers, .writeCustomers, .readCarts, .writeCarts, .readOrders, .writeOrders,
        ])

    /// Of developers from outside the shop, to whom nothing in it is open. What they may do with the apps of their organisations
    /// is no scope, because an app that acts in their name must not do it.
    static let partner = Role(name: "partner", scopes: [])

    /// The shop's own; others are put together from scopes.
    package static let builtIn: [Role] = [
        Role(name: "owner", scopes: Scope.allCases),
        Role(
            name: "developer",
            scopes: [
                .readProducts, .readInventory, .readOrders, .readCarts, .writeCarts, .readKeys, .readApps, .writeApps,
                .introspectTokens, .readTelemetry,
            ]),
        Role(
            name: "support",
            scopes: [
                .readProducts, .readInventory, .readCustomers, .writeCustomers, .readCarts, .writeCarts, .readOrders,
                .writeOrders,
            ]),
        Role(
            name: "viewer",
            scopes: [.readProducts, .readInventory, .readCustomers, .readCarts, .readOrders, .readTelemetry]),
        partner,
    ]
}

/// A mail address as accounts are known by it.
enum MailAddress {
    static func normal(_ text: String) -> String { text.trimmingSpaces.lowercased() }
}

extension MailAddress {
    /// Whether somebody can be written to there, as the API has it, too.
    static func isOne(_ text: String) -> Bool {
        var decoding = Decoding()
        return Schema.email.decode(.string(text), &decoding) != nil
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
