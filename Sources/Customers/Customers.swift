// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
package import Persistence
package import Web

/// The front door: who buys.
package struct CustomersModule: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock

    package init(database: Database, jobs: JobsModule, clock: WallClock) {
        self.database = database
        self.clock = clock
        outbox = jobs.outbox
    }

    package static let migrations = CustomersMigrations.all

    package func find(_ id: CustomerID, in connection: Connection) throws -> Customer? {
        try CustomerStore.find(id, in: connection)
    }

    package func create(_ draft: CustomerDraft, by actor: String, in transaction: Transaction) throws -> Customer {
        let now = clock.now()
        let customer = Customer(id: .make(at: now), draft: draft, at: now)
        try CustomerStore.insert(customer, in: transaction)
        try publish("customer.created", customer.id, by: actor, in: transaction)
        return customer
    }

    package func find(externalID: String, in connection: Connection) throws -> Customer? {
        try CustomerStore.find(externalID: externalID, in: connection)
    }

    /// Removes whatever tells who the customer is; the row stays, so that ledgers keep their reference.
    package func erase(_ id: CustomerID, in transaction: Transaction) throws {
        guard var customer = try CustomerStore.claim(id, in: transaction) else { throw CustomersError.notFound }
        customer.erase(at: clock.now())
        try CustomerStore.update(customer, in: transaction)
        try CustomerStore.deleteAddresses(of: id, in: transaction)
    }

    /// All addresses that a customer keeps, as the API shows them.
    package func savedAddresses(of id: CustomerID, in connection: Connection) throws -> [AddressBody] {
        try CustomerStore.addresses(of: id, PageRequest(limit: 1_000), in: connection).elements.map { AddressBody($0) }
    }

    /// The customer, where a caller may reach them. Another one's is not told from one that there is not.
    package func existing(_ id: CustomerID, for reach: Reach, in connection: Connection) throws -> Customer {
        try requireReach(of: id, for: reach)
        guard let customer = try find(id, in: connection) else { throw CustomersError.notFound }
        return customer
    }

    /// For whoever then looks for something of a customer's: asks whether they may, and not whether there is one.
    func requireReach(of id: CustomerID, for reach: Reach) throws {
        guard reach.includes(id) else { throw CustomersError.notFound }
    }

    func change(
        _ id: CustomerID, for reach: Reach, if precondition: Precondition, by actor: String,
        in transaction: Transaction,
        _ edit: (inout Customer) throws -> Void
    ) throws -> Customer {
        try requireReach(of: id, for: reach)
        guard var customer = try CustomerStore.claim(id, in: transaction) else { throw CustomersError.notFound }
        try precondition.check(customer.version)
        guard customer.erasedAt == nil else { throw CustomersError.erased }
        try edit(&customer)
        customer.version += 1
        customer.updatedAt = clock.now()
        try CustomerStore.update(customer, in: transaction)
        try publish("customer.updated", id, by: actor, in: transaction)
        return customer
    }

    func save(
        _ address: SavedAddress, isNew: Bool, by actor: String, in transaction: Transaction
    ) throws {
        try CustomerStore.save(address, in: transaction)
        try publish(
            isNew ? "address.created" : "address.updated", address.id, of: address.customer, by: actor, in: transaction)
    }

    func delete(
        _ address: AddressID, of customer: CustomerID, by actor: String, in transaction: Transaction
    ) throws {
        guard try CustomerStore.delete(address, of: customer, in: transaction) else {
            throw CustomersError.addressNotFound
        }
        try publish("address.deleted", address, of: customer, by: actor, in: transaction)
    }

    private func publish(
        _ type: String, _ address: AddressID, of customer: CustomerID, by actor: String, in transaction: Transaction
    ) throws {
        try outbox.publish(
            type, subject: address.rawValue, actor: actor, ["customer_id": .string(customer.rawValue)], in: transaction)
    }

    private func publish(_ type: String, _ id: CustomerID, by actor: String, in transaction: Transaction) throws {
        try outbox.publish(type, subject: id.rawValue, actor: actor, [:], in: transaction)
    }
}
