// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

extension OrderingModule {
    /// What a person may ask of the shop: their data, and to be forgotten. Orders hold most of it, so it stands here.
    var privacyEndpoints: [Endpoint] {
        [
            .act(.post, "/v1/customers/{id}/export", "exportCustomer", "Export all data of a customer", use: export)
                .scope(.readCustomers),
            .act(
                .post, "/v1/customers/{id}/erase", "eraseCustomer", "Erase who a customer is, and keep the ledgers",
                use: erase
            ).scope(.writeCustomers),
        ]
    }

    private func export(_ call: Call, _ path: CustomerPath) async throws -> Answer<CustomerExport> {
        try call.requires(.readOrders)
        return try await call.commit { transaction in
            guard let customer = try customers.find(path.id, in: transaction) else { throw CustomersError.notFound }
            let orders = try OrderStore.page(
                OrderStore.Filter(customer: path.id), PageRequest(limit: 10_000), withLines: true, in: transaction)
            let returns = try ReturnStore.returns(of: path.id, in: transaction)
            try publish("customer.exported", path.id, call, in: transaction)
            return .ok(
                CustomerExport(
                    customer: CustomerBody(customer),
                    addresses: try customers.savedAddresses(of: path.id, in: transaction),
                    orders: orders.elements.map { OrderBody($0) }, returns: returns.map { ReturnBody($0) }))
        }
    }

    private func erase(_ call: Call, _ path: CustomerPath) async throws -> Answer<CustomerBody> {
        try await call.commit { transaction in
            try customers.erase(path.id, in: transaction)
            try OrderStore.anonymize(customer: path.id, in: transaction)
            try publish("customer.erased", path.id, call, in: transaction)
            guard let customer = try customers.find(path.id, in: transaction) else { throw CustomersError.notFound }
            return .ok(CustomerBody(customer))
        }
    }

    private func publish(_ type: String, _ id: CustomerID, _ call: Call, in transaction: Transaction) throws {
        try outbox.publish(type, subject: id.rawValue, actor: call.actor, [:], in: transaction)
    }
}

struct CustomerExport: WireBody {
    let customer: CustomerBody
    let addresses: [AddressBody]
    let orders: [OrderBody]
    let returns: [ReturnBody]

    static let schema = Schema.object(
        "CustomerExport", CustomerExport.init,
        .required("customer", \.customer, CustomerBody.schema),
        .required("addresses", \.addresses, .array(of: AddressBody.schema)),
        .required("orders", \.orders, .array(of: OrderBody.schema, countMax: 10_000)),
        .required("returns", \.returns, .array(of: ReturnBody.schema)))
}
