// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// What a person may ask of the shop: a copy of their data, and to be forgotten.
struct ProtectPrivacy: Sendable {
    let customers: CustomersModule
    let outbox: Outbox

    struct File: Sendable {
        let customer: Customer
        let addresses: [AddressBody]
        let orders: [Order]
        let returns: [Return]
    }

    private static let ordersMax = 10_000

    func export(_ id: CustomerID, by actor: String, in transaction: Transaction) throws -> File {
        let customer = try find(id, in: transaction)
        let orders = try OrderStore.page(
            OrderStore.Filter(customer: id), PageRequest(limit: Self.ordersMax), withLines: true, in: transaction)
        try outbox.publish("customer.exported", subject: id.rawValue, actor: actor, [:], in: transaction)
        return File(
            customer: customer, addresses: try customers.savedAddresses(of: id, in: transaction),
            orders: orders.elements, returns: try ReturnStore.returns(of: id, in: transaction))
    }

    /// Removes the person from the customer, the orders, the carts and the answers that are kept for retries. Sums and
    /// dates stay, because the ledgers need them.
    func erase(_ id: CustomerID, by actor: String, in transaction: Transaction) throws -> Customer {
        try customers.erase(id, in: transaction)
        try OrderStore.anonymize(customer: id, in: transaction)
        try IdempotencyStore.forget(mentioning: id.rawValue, in: transaction)
        try outbox.publish("customer.erased", subject: id.rawValue, actor: actor, [:], in: transaction)
        return try find(id, in: transaction)
    }

    private func find(_ id: CustomerID, in connection: Connection) throws -> Customer {
        guard let customer = try customers.find(id, in: connection) else { throw CustomersError.notFound }
        return customer
    }
}
