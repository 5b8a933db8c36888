// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Jobs
internal import Kernel
internal import Web

extension OrderingModule {
    /// What a person may ask of the shop: their data, and to be forgotten. Orders hold most of it, so it stands here.
    var privacyEndpoints: [Endpoint] {
        [
            .act(.post, "/v1/customers/{id}/export", "exportCustomer", "Export all data of a customer", use: export)
                .scope(.readCustomers).deferrable(),
            .act(
                .post, "/v1/customers/{id}/erase", "eraseCustomer", "Erase who a customer is, and keep the ledgers",
                use: erase
            ).scope(.writeCustomers),
        ]
    }

    private func export(_ call: Call, _ path: CustomerPath) async throws -> Answer<CustomerExport> {
        try call.requires(.readOrders)
        return try await call.commit { transaction in
            let file = try privacy.export(path.id, by: call.actor, in: transaction)
            return .ok(
                CustomerExport(
                    customer: CustomerBody(file.customer), addresses: file.addresses,
                    orders: file.orders.map { OrderBody($0) }, returns: file.returns.map { ReturnBody($0) }))
        }
    }

    private func erase(_ call: Call, _ path: CustomerPath) async throws -> Answer<CustomerBody> {
        try await call.commit { transaction in
            .ok(CustomerBody(try privacy.erase(path.id, by: call.actor, in: transaction)))
        }
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
