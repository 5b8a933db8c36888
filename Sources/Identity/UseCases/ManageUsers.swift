// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
package import Persistence
internal import Web

/// Lets people in, says what they may do, and shows them out.
package struct ManageUsers: Sendable {
    let outbox: Outbox
    let clock: WallClock
    let passwords: PasswordKeeper
    let tokens: AccessTokens

    /// - Throws: ``IdentityError/passwordTooShort``.
    package func hash(_ password: String) async throws -> String {
        guard PasswordKeeper.lengths.contains(password.unicodeScalars.count) else {
            throw IdentityError.passwordTooShort
        }
        return try await passwords.hash(password)
    }

    /// Lets somebody in, with a `password` as ``hash(_:)`` makes it.
    @discardableResult
    package func add(
        email: String, name: String, role: String, password: String, by actor: String, in transaction: Transaction
    ) throws -> User {
        let email = MailAddress.normal(email)
        guard let known = try UserStore.role(role, in: transaction) else { throw IdentityError.roleUnknown(role) }
        try transaction.serialize(on: "address " + email)
        try UserStore.release(email, in: transaction)
        guard try UserStore.find(email: email, in: transaction) == nil else { throw IdentityError.emailTaken }
        let user = User(
            id: .make(at: clock.now()), email: email, name: name, role: role, customer: nil, scopes: Set(known.scopes),
            createdAt: clock.now(), disabledAt: nil, hasSecondFactor: false, version: 1)
        try UserStore.insert(user, password: password, in: transaction)
        try outbox.publish(
            "user.added", subject: user.id.rawValue, actor: actor, ["role": .string(role)], in: transaction)
        return user
    }

    func change(
        _ id: UserID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ change: (inout User) throws -> Void
    ) throws -> User {
        try UserStore.lock(id, in: transaction)
        guard var user = try UserStore.find(id, in: transaction), !user.isCustomer else {
            throw IdentityError.userNotFound
        }
        try precondition.check(user.version)
        let before = user
        try change(&user)
        guard let role = try UserStore.role(user.role, in: transaction) else {
            throw IdentityError.roleUnknown(user.role)
        }
        try UserStore.update(user, in: transaction)
        try transaction.serialize(on: "owners")
        let wasOwner = before.role == "owner" && before.disabledAt == nil
        if wasOwner, try !UserStore.hasOwner(in: transaction) { throw IdentityError.lastOwner }
        // Whoever may do less than before must ask again, and so must what acts in his name.
        if user.disabledAt != nil || !before.scopes.isSubset(of: role.scopes) {
            try endEverything(of: id, in: transaction)
        }
        try outbox.publish(
            "user.changed", subject: id.rawValue, actor: actor,
            [
                "role": .string(user.role), "disabled": .bool(user.disabledAt != nil),
                "changes": Changes.between(before.told, user.told),
            ], in: transaction)
        user.version += 1
        return user
    }

    /// Replaces a password, and signs out every browser but that of `session`. Apps go on: they were let in by the person, not
    /// by the password.
    func setPassword(
        _ hash: String, of id: UserID, keeping session: String?, by actor: String, in transaction: Transaction
    ) throws {
        try UserStore.setPassword(hash, of: id, in: transaction)
        try SessionStore.endAll(of: id, but: session, in: transaction)
        try outbox.publish("user.password_changed", subject: id.rawValue, actor: actor, [:], in: transaction)
    }

    func save(_ role: Role, by actor: String, in transaction: Transaction) throws {
        guard !(Role.builtIn + [.customer]).contains(where: { $0.name == role.name }) else {
            throw IdentityError.roleIsBuiltIn(role.name)
        }
        // Held before it is saved, so that nobody gets a token by the role as it was.
        let holders = try UserStore.all(withRole: role.name, in: transaction)
        let before = try UserStore.role(role.name, in: transaction)
        try UserStore.save(role, in: transaction)
        if let before, !Set(before.scopes).isSubset(of: role.scopes) {
            for user in holders { try endEverything(of: user, in: transaction) }
        }
        try outbox.publish(
            "role.saved", subject: role.name, actor: actor,
            [
                "scope": .string(ScopeSet(role.scopes).text),
                "changes": Changes.between(
                    ["scope": before.map { .string(ScopeSet($0.scopes).text) } ?? .null],
                    ["scope": .string(ScopeSet(role.scopes).text)]),
            ], in: transaction)
    }

    func endEverything(of id: UserID, in transaction: Transaction) throws {
        let now = clock.now()
        try SessionStore.endAll(of: id, in: transaction)
        try AuthorizationStore.revoke(
            .all(app: nil, user: id), at: now, tokensUntil: tokens.endOfAll(at: now), in: transaction)
    }
}

extension User {
    /// What decides what somebody may do. What is about the person is not told, because what is erased of a person would stay there.
    fileprivate var told: JSON { ["role": .string(role), "disabled": .bool(disabledAt != nil)] }
}
