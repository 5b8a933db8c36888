// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Accounts with which customers sign in, and let apps act in their name.
extension IdentityModule {
    var customerAccountEndpoints: [Endpoint] {
        [
            .get("/v1/customers/{id}/account", "getCustomerAccount", "Read a customer's account", use: getAccount)
                .scope(.readCustomers).forCustomers(.own),
            .act(
                .post, "/v1/customers/{id}/account-links", "createAccountLink",
                "Make a link with which a customer chooses a password", status: 201, use: createLink
            ).scope(.writeCustomers).confidential().mayAnswer(.conflict, .insufficientScope),
            .act(
                .delete, "/v1/customers/{id}/account", "deleteCustomerAccount",
                "End a customer's account, with all tokens in its name", status: 204, use: deleteAccount
            ).scope(.writeCustomers),
            .act(
                .delete, "/v1/customers/{id}/account/second-factor", "removeCustomerSecondFactor",
                "Take the second factor off the account of a customer who has lost it", status: 204, use: removeFactor
            ).scope(.writeCustomers).mayAnswer(.insufficientScope),
        ]
    }

    private func getAccount(_ call: Call, _ path: AccountPath) async throws -> Answer<AccountBody> {
        guard call.reach.includes(path.id) else { throw IdentityError.customerNotFound }
        let user = try await call.read { try customerAccounts.account(of: path.id, in: $0) }
        return .ok(AccountBody(user, path.id))
    }

    private func createLink(_ call: Call, _ path: AccountPath) async throws -> Answer<AccountLinkBody> {
        // Whoever has the link can do what the customer can.
        try require(Role.customer.scopes, .standard, nil, of: call)
        return try await call.commit { transaction in
            let (link, secret) = try customerAccounts.makeLink(for: path.id, by: call.actor, in: transaction)
            let body = AccountLinkBody(
                url: settings.issuer + CustomerAccountPage.path + "?key=" + secret, email: link.email,
                expiresAt: link.expiresAt)
            return .created(body, at: "/v1/customers/\(path.id)/account")
        }
    }

    private func deleteAccount(_ call: Call, _ path: AccountPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try customerAccounts.account(of: path.id, in: transaction)
            try customerAccounts.remove(of: path.id, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func removeFactor(_ call: Call, _ path: AccountPath) async throws -> Answer<NoBody> {
        try require(Role.customer.scopes, .standard, nil, of: call)
        return try await call.commit { transaction in
            let user = try customerAccounts.account(of: path.id, in: transaction)
            try secondFactor.remove(from: user.id, by: call.actor, in: transaction)
            return .noContent
        }
    }
}

// The page behind the link.
extension IdentityModule {
    var customerAccountPages: [Endpoint] {
        let accounts = customerAccounts
        let link = PasswordLink(
            path: CustomerAccountPage.path, over: CustomerAccountPage.over, note: CustomerAccountPage.note,
            address: { try await accounts.link(with: $0)?.email },
            open: { key, password, transaction in
                // With the new password, and with the second factor where there is one.
                try accounts.open(with: key, password: password, in: transaction).map { _ in "/sign-in?again=1" }
            })
        return pages(of: link, "accountLinkPage", "useAccountLink")
    }
}

struct AccountPath: WireBody {
    let id: CustomerID
    static let schema = Schema.object("AccountPath", AccountPath.init, .required("id", \.id, .id()))
}

struct AccountLinkBody: WireBody {
    let url: String
    let email: String
    let expiresAt: Timestamp

    static let schema = Schema.object(
        "AccountLink", AccountLinkBody.init,
        .required(
            "url", \.url, .string(), "Send it to `email`, and to nobody else. It is shown only now, and good once."),
        .required("email", \.email, .string(), "What the customer will sign in with."),
        .required("expires_at", \.expiresAt, .timestamp))
}

struct AccountBody: WireBody {
    let customer: CustomerID
    let user: UserID
    let email: String
    let hasSecondFactor: Bool
    let createdAt: Timestamp

    static let schema = Schema.object(
        "CustomerAccount", AccountBody.init,
        .required("customer_id", \.customer, .id()),
        .required("user_id", \.user, .id(), "The `sub` of tokens in the customer's name."),
        .required("email", \.email, .string(), "What they sign in with."),
        .required("second_factor", \.hasSecondFactor, .boolean, "Whether signing in takes more than a password."),
        .required("created_at", \.createdAt, .timestamp))

    private init(customer: CustomerID, user: UserID, email: String, hasSecondFactor: Bool, createdAt: Timestamp) {
        self.customer = customer
        self.user = user
        self.email = email
        self.hasSecondFactor = hasSecondFactor
        self.createdAt = createdAt
    }

    init(_ user: User, _ customer: CustomerID) {
        self.init(
            customer: customer, user: user.id, email: user.email, hasSecondFactor: user.hasSecondFactor,
            createdAt: user.createdAt)
    }
}
