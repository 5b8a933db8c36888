// SPDX-License-Identifier: Apache-2.0

internal import Jobs
package import Kernel
package import Persistence
internal import Web

/// Looks a customer up; `nil` where there is none, and where they were erased.
package typealias FindCustomer = @Sendable (CustomerID, Connection) throws -> KnownCustomer?

/// Accounts of customers: opened, and opened again after a lost password, with a link that the shop sends.
///
/// The shop sends it and not we, so that it comes from where its customers know their mail to come from. That they got it is
/// what proves the address, so a link is good for one address, once, and a new one ends the one before.
struct CustomerAccounts: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper
    let users: ManageUsers
    let find: FindCustomer

    static let linkLifetime = Duration.seconds(3 * 86_400)

    /// - Returns: the link with its secret, which cannot be had again.
    /// - Throws: ``IdentityError`` where the customer has no mail address, or another user has it.
    func makeLink(
        for id: CustomerID, by actor: String, in transaction: Transaction
    ) throws -> (link: AccountLink, secret: String) {
        let customer = try existing(id, in: transaction)
        guard let email = customer.email.map(MailAddress.normal) else { throw IdentityError.customerHasNoMail }
        try requireFree(email, for: id, in: transaction)
        let secret = RandomText.make()
        let link = AccountLink(
            customer: id, email: email, expiresAt: clock.now().advanced(by: Self.linkLifetime))
        try AccountLinkStore.save(link, hash: keeper.hash(secret), in: transaction)
        try outbox.publish("customer.account_link_made", subject: id.rawValue, actor: actor, [:], in: transaction)
        return (link, secret)
    }

    /// The link of that secret, as long as it is good. Looking at it spends nothing.
    func link(with secret: String) async throws -> AccountLink? {
        try await database.read { try link(with: secret, in: $0) }
    }

    private func link(with secret: String, in connection: Connection) throws -> AccountLink? {
        let link = try AccountLinkStore.find(hash: keeper.hash(secret), in: connection)
        return link.flatMap { clock.now() < $0.expiresAt ? $0 : nil }
    }

    /// Opens the account, or gives it another password, and spends the link.
    ///
    /// - Returns: `nil` where the link is not good any more.
    func open(with secret: String, password: String, in transaction: Transaction) throws -> User? {
        guard let link = try link(with: secret, in: transaction),
            let customer = try find(link.customer, transaction)
        else { return nil }
        try requireFree(link.email, for: link.customer, in: transaction)
        try AccountLinkStore.remove(of: link.customer, in: transaction)
        guard let known = try UserStore.find(customer: link.customer, in: transaction) else {
            let user = User(
                id: .make(at: clock.now()), email: link.email, name: customer.name ?? "", role: Role.customer.name,
                customer: link.customer, scopes: Set(Role.customer.scopes), createdAt: clock.now(), disabledAt: nil,
                hasSecondFactor: false, version: 1)
            try UserStore.insert(user, password: password, in: transaction)
            try publish("customer.account_opened", user, link.customer, by: user.id.rawValue, in: transaction)
            return user
        }
        try UserStore.lock(known.id, in: transaction)
        try UserStore.setEmail(link.email, of: known.id, in: transaction)
        try users.setPassword(password, of: known.id, keeping: nil, by: known.id.rawValue, in: transaction)
        // Another address may be another person, for whom nobody has let anything in.
        if link.email != known.email { try users.endEverything(of: known.id, in: transaction) }
        try publish("customer.account_reopened", known, link.customer, by: known.id.rawValue, in: transaction)
        return known
    }

    /// Ends an account with all that acts in its name, and forgets who had it.
    func remove(of customer: CustomerID, by actor: String, in transaction: Transaction) throws {
        try AccountLinkStore.remove(of: customer, in: transaction)
        guard let user = try UserStore.find(customer: customer, in: transaction) else { return }
        try UserStore.lock(user.id, in: transaction)
        try SecondFactorStore.remove(of: user.id, in: transaction)
        try UserStore.forget(user.id, at: clock.now(), in: transaction)
        try users.endEverything(of: user.id, in: transaction)
        try publish("customer.account_removed", user, customer, by: actor, in: transaction)
    }

    func account(of customer: CustomerID, in connection: Connection) throws -> User {
        _ = try existing(customer, in: connection)
        guard let user = try UserStore.find(customer: customer, in: connection) else {
            throw IdentityError.accountNotFound
        }
        return user
    }

    private func existing(_ id: CustomerID, in connection: Connection) throws -> KnownCustomer {
        guard let customer = try find(id, connection) else { throw IdentityError.customerNotFound }
        return customer
    }

    private func requireFree(_ email: String, for customer: CustomerID, in transaction: Transaction) throws {
        try UserStore.release(email, in: transaction)
        let holder = try UserStore.find(email: email, in: transaction)?.user
        guard holder == nil || holder?.customer == customer else { throw IdentityError.emailTaken }
    }

    private func publish(
        _ type: String, _ user: User, _ customer: CustomerID, by actor: String, in transaction: Transaction
    ) throws {
        try outbox.publish(
            type, subject: customer.rawValue, actor: actor, ["user": .string(user.id.rawValue)], in: transaction)
    }
}
