// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Whose apps are whose: organisations of developers from outside the shop, who belongs to them, and who may do what there.
///
/// `partner` is the developer who asks, and reaches only organisations that they belong to; others are not told from those
/// that there are not. Where nobody is named it is the shop itself, which reaches all.
struct Organizations: Sendable {
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper

    static let invitationLifetime = Duration.seconds(7 * 86_400)
    /// Of one developer, so that nobody fills the shop with names.
    private static let countMax = 20
    private static let membersMax = 100

    // MARK: Who may

    /// - Throws: ``IdentityError/organizationNotFound`` where there is none, or it is none of the partner's;
    ///   ``IdentityError/roleTooLow`` where the partner is less than `role` there.
    func find(
        _ id: OrganizationID, for partner: String?, atLeast role: Member.Role = .viewer, in connection: Connection
    ) throws -> Organization {
        guard let organization = try OrganizationStore.find(id, in: connection) else {
            throw IdentityError.organizationNotFound
        }
        guard let partner else { return organization }
        guard let own = try OrganizationStore.role(of: partner, in: id, connection) else {
            throw IdentityError.organizationNotFound
        }
        guard own >= role else { throw IdentityError.roleTooLow(role.rawValue) }
        return organization
    }

    /// - Throws: ``IdentityError/appNotFound`` where there is none, or it is none of the partner's; ``IdentityError/roleTooLow``.
    func app(
        _ id: AppID, for partner: String?, atLeast role: Member.Role = .viewer, in connection: Connection
    ) throws -> App {
        guard let app = try AppStore.find(id, in: connection), app.removedAt == nil else {
            throw IdentityError.appNotFound
        }
        guard let partner else { return app }
        guard let owner = app.organization, let own = try OrganizationStore.role(of: partner, in: owner, connection)
        else { throw IdentityError.appNotFound }
        guard own >= role else { throw IdentityError.roleTooLow(role.rawValue) }
        return app
    }

    // MARK: Organisations

    /// Whoever makes one as a partner owns it.
    func make(
        _ name: String, for partner: UserID?, by actor: String, in transaction: Transaction
    ) throws -> Organization {
        let now = clock.now()
        let organization = Organization(
            id: .make(at: now), name: name, createdAt: now, createdBy: actor, version: 1)
        try OrganizationStore.insert(organization, in: transaction)
        if let partner {
            try requireRoom(for: partner, transaction)
            try OrganizationStore.add(partner, to: organization.id, as: .owner, at: now, in: transaction)
        }
        try publish("organization.created", organization.id, by: actor, ["name": .string(name)], in: transaction)
        return organization
    }

    private func requireRoom(for partner: UserID, _ transaction: Transaction) throws {
        try transaction.serialize(on: "organizations of " + partner.rawValue)
        let request = PageRequest(limit: Self.countMax)
        let count = try OrganizationStore.page(request, of: partner.rawValue, in: transaction).elements.count
        guard count < Self.countMax else { throw IdentityError.tooManyOrganizations(Self.countMax) }
    }

    func rename(
        _ id: OrganizationID, to name: String, if precondition: Precondition, for partner: String?, by actor: String,
        in transaction: Transaction
    ) throws -> Organization {
        var organization = try find(id, for: partner, atLeast: .owner, in: transaction)
        try precondition.check(organization.version)
        try OrganizationStore.rename(id, to: name, in: transaction)
        try publish(
            "organization.changed", id, by: actor,
            [
                "name": .string(name),
                "changes": Changes.between(["name": .string(organization.name)], ["name": .string(name)]),
            ], in: transaction)
        organization.name = name
        organization.version += 1
        return organization
    }

    /// - Throws: ``IdentityError/organizationInUse`` while it has apps.
    func remove(
        _ id: OrganizationID, if precondition: Precondition, for partner: String?, by actor: String,
        in transaction: Transaction
    ) throws {
        let organization = try find(id, for: partner, atLeast: .owner, in: transaction)
        try precondition.check(organization.version)
        guard try !OrganizationStore.hasApps(id, in: transaction) else { throw IdentityError.organizationInUse }
        try OrganizationStore.remove(id, in: transaction)
        try publish(
            "organization.removed", id, by: actor, ["name": .string(organization.name)], in: transaction)
    }

    // MARK: Members

    /// - Returns: the invitation's secret, which cannot be had again.
    func invite(
        to id: OrganizationID, as role: Member.Role, for partner: String?, by actor: String,
        in transaction: Transaction
    ) throws -> (invitation: Invitation, secret: String) {
        _ = try find(id, for: partner, atLeast: .owner, in: transaction)
        let invitation = Invitation(
            organization: id, role: role, expiresAt: clock.now().advanced(by: Self.invitationLifetime))
        let secret = RandomText.make()
        try OrganizationStore.insert(invitation, hash: keeper.hash(secret), in: transaction)
        try publish("organization.invited", id, by: actor, ["role": .string(role.rawValue)], in: transaction)
        return (invitation, secret)
    }

    /// Takes a partner in who has an invitation, and spends it.
    func join(with secret: String, as partner: UserID, in transaction: Transaction) throws -> Organization {
        let hash = keeper.hash(secret)
        guard let invitation = try OrganizationStore.invitation(hash: hash, in: transaction),
            clock.now() < invitation.expiresAt,
            let organization = try OrganizationStore.find(invitation.organization, in: transaction)
        else { throw IdentityError.invitationOver }
        let known = try OrganizationStore.members(of: organization.id, in: transaction)
        // Whoever belongs to it already leaves the invitation to whom it was meant for.
        guard !known.contains(where: { $0.user == partner }) else { throw IdentityError.alreadyMember }
        try requireRoom(for: partner, transaction)
        guard known.count < Self.membersMax else { throw IdentityError.tooManyMembers(Self.membersMax) }
        try OrganizationStore.spend(hash: hash, in: transaction)
        try OrganizationStore.add(
            partner, to: organization.id, as: invitation.role, at: clock.now(), in: transaction)
        try publish(
            "organization.joined", organization.id, by: partner.rawValue,
            ["role": .string(invitation.role.rawValue)], in: transaction)
        return organization
    }

    /// Makes somebody more or less than they are. The last owner stays one, unless the shop says otherwise.
    func change(
        _ member: UserID, in id: OrganizationID, to role: Member.Role, for partner: String?, by actor: String,
        in transaction: Transaction
    ) throws -> Member {
        _ = try find(id, for: partner, atLeast: .owner, in: transaction)
        try transaction.serialize(on: "members of " + id.rawValue)
        let members = try OrganizationStore.members(of: id, in: transaction)
        guard var found = members.first(where: { $0.user == member }) else { throw IdentityError.memberNotFound }
        let isLast = found.role == .owner && members.count { $0.role == .owner } == 1
        guard role == .owner || !isLast || partner == nil else { throw IdentityError.lastOwner }
        try OrganizationStore.set(role, of: member, in: id, transaction)
        try publish(
            "organization.member_changed", id, by: actor,
            [
                "user": .string(member.rawValue),
                "changes": Changes.between(
                    ["role": .string(found.role.rawValue)], ["role": .string(role.rawValue)]),
            ], in: transaction)
        found.role = role
        return found
    }

    /// Owners take anybody out, and everybody may go. The last owner stays, because somebody must be able to take others in.
    func remove(
        _ member: UserID, from id: OrganizationID, for partner: String?, by actor: String,
        in transaction: Transaction
    ) throws {
        let isOwn = partner == member.rawValue
        _ = try find(id, for: partner, atLeast: isOwn ? .viewer : .owner, in: transaction)
        try transaction.serialize(on: "members of " + id.rawValue)
        let members = try OrganizationStore.members(of: id, in: transaction)
        guard let found = members.first(where: { $0.user == member }) else { throw IdentityError.memberNotFound }
        let owners = members.count { $0.role == .owner }
        guard found.role != .owner || owners > 1 || partner == nil else { throw IdentityError.lastOwner }
        try OrganizationStore.remove(member, from: id, in: transaction)
        try publish("organization.left", id, by: actor, ["user": .string(member.rawValue)], in: transaction)
    }

    private func publish(
        _ type: String, _ id: OrganizationID, by actor: String, _ data: JSON, in transaction: Transaction
    ) throws {
        try outbox.publish(type, subject: id.rawValue, actor: actor, data, in: transaction)
    }
}
