// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension CustomersModule {
    package var endpoints: [Endpoint] {
        [
            .list("/v1/customers", "listCustomers", "List customers, latest first", use: list).scope(.readCustomers),
            .change(.post, "/v1/customers", "createCustomer", "Create a customer", status: 201, use: create)
                .scope(.writeCustomers).mayAnswer(.conflict),
            .get("/v1/customers/{id}", "getCustomer", "Read a customer", use: get).scope(.readCustomers)
                .forCustomers(.own),
            .change(.patch, "/v1/customers/{id}", "patchCustomer", "Change parts of a customer", use: patch)
                .scope(.writeCustomers).forCustomers(.own).conditional().mayAnswer(.conflict, .customerErased),
            .list("/v1/customers/{id}/addresses", "listAddresses", "List a customer's addresses", use: listAddresses)
                .scope(.readCustomers).forCustomers(.own),
            .change(
                .post, "/v1/customers/{id}/addresses", "createAddress", "Add an address to a customer", status: 201,
                use: createAddress
            ).scope(.writeCustomers).forCustomers(.own).mayAnswer(.customerErased),
            .change(
                .put, "/v1/customers/{id}/addresses/{address_id}", "replaceAddress", "Replace an address",
                use: replaceAddress
            ).scope(.writeCustomers).forCustomers(.own),
            .act(
                .delete, "/v1/customers/{id}/addresses/{address_id}", "deleteAddress", "Delete an address", status: 204,
                use: deleteAddress
            ).scope(.writeCustomers).forCustomers(.own),
        ]
    }

    private func list(_ call: Call, _ query: CustomerQuery) async throws -> Listing<CustomerBody> {
        let page = try await call.read {
            try CustomerStore.page(email: query.email, externalID: query.externalID, call.page, in: $0)
        }
        return Listing(page.map { CustomerBody($0) })
    }

    private func get(_ call: Call, _ path: CustomerPath) async throws -> Answer<CustomerBody> {
        let customer = try await call.read { try existing(path.id, for: call.reach, in: $0) }
        return .ok(CustomerBody(customer.shown(to: call.reach)), version: customer.version)
    }

    private func create(_ call: Call, _: NoBody, _ input: CustomerInput) async throws -> Answer<CustomerBody> {
        try await call.commit { transaction in
            let draft = CustomerDraft(
                externalID: input.externalID, email: input.email, name: input.name, phone: input.phone,
                language: input.language, country: input.country, metadata: input.metadata)
            let customer = try create(draft, by: call.actor, in: transaction)
            return .created(CustomerBody(customer), at: "/v1/customers/\(customer.id)", version: customer.version)
        }
    }

    private func patch(_ call: Call, _ path: CustomerPath, _ patch: CustomerPatch) async throws -> Answer<CustomerBody>
    {
        try call.reach.requireShop(for: "external_id", where: patch.externalID.isChange)
        try call.reach.requireShop(for: "metadata", where: patch.metadata.isChange)
        // Links to the account go there, so that only the shop may say where that is.
        try call.reach.requireShop(for: "email", where: patch.email.isChange)
        return try await call.commit { transaction in
            let customer = try change(
                path.id, for: call.reach, if: call.precondition, by: call.actor, in: transaction, patch.apply)
            return .ok(CustomerBody(customer.shown(to: call.reach)), version: customer.version)
        }
    }

    // MARK: Addresses

    private func listAddresses(_ call: Call, _ path: CustomerPath) async throws -> Listing<AddressBody> {
        let page = try await call.read { connection in
            _ = try existing(path.id, for: call.reach, in: connection)
            return try CustomerStore.addresses(of: path.id, call.page, in: connection)
        }
        return Listing(page.map { AddressBody($0) })
    }

    private func createAddress(
        _ call: Call, _ path: CustomerPath, _ input: AddressInput
    ) async throws -> Answer<AddressBody> {
        try await call.commit { transaction in
            guard try existing(path.id, for: call.reach, in: transaction).erasedAt == nil else {
                throw CustomersError.erased
            }
            let saved = SavedAddress(
                id: .make(at: call.now), customer: path.id, address: input.address, isDefault: input.isDefault,
                version: 1)
            try save(saved, isNew: true, by: call.actor, in: transaction)
            return .created(
                AddressBody(saved), at: "/v1/customers/\(path.id)/addresses/\(saved.id)", version: saved.version)
        }
    }

    private func replaceAddress(
        _ call: Call, _ path: AddressPath, _ input: AddressInput
    ) async throws -> Answer<AddressBody> {
        try await call.commit { transaction in
            try requireReach(of: path.id, for: call.reach)
            guard var saved = try CustomerStore.address(path.address, of: path.id, in: transaction) else {
                throw CustomersError.addressNotFound
            }
            try call.precondition.check(saved.version)
            saved.address = input.address
            saved.isDefault = input.isDefault
            saved.version += 1
            try save(saved, isNew: false, by: call.actor, in: transaction)
            return .ok(AddressBody(saved), version: saved.version)
        }
    }

    private func deleteAddress(_ call: Call, _ path: AddressPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try requireReach(of: path.id, for: call.reach)
            try delete(path.address, of: path.id, by: call.actor, in: transaction)
            return .noContent
        }
    }
}
