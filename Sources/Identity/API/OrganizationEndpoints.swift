// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Organisations of developers from outside the shop, for themselves and for the shop that looks after them.
extension IdentityModule {
    var organizationEndpoints: [Endpoint] {
        [
            .list("/v1/organizations", "listOrganizations", "List organisations of developers", use: listOrganizations)
                .scope(.readApps).forPartners(),
            .change(
                .post, "/v1/organizations", "createOrganization", "Make an organisation", status: 201,
                use: createOrganization
            ).scope(.writeApps).forPartners().mayAnswer(.conflict),
            .get("/v1/organizations/{id}", "getOrganization", "Read an organisation", use: getOrganization)
                .scope(.readApps).forPartners(),
            .change(
                .patch, "/v1/organizations/{id}", "patchOrganization", "Rename an organisation", use: patchOrganization
            ).scope(.writeApps).conditional().forPartners(),
            .act(
                .delete, "/v1/organizations/{id}", "deleteOrganization", "Remove an organisation that has no apps",
                status: 204, use: deleteOrganization
            ).scope(.writeApps).forPartners().mayAnswer(.conflict),
            .get(
                "/v1/organizations/{id}/members", "listOrganizationMembers", "Who belongs to an organisation",
                use: listMembers
            ).scope(.readApps).forPartners(),
            .change(
                .put, "/v1/organizations/{id}/members/{user_id}", "changeOrganizationMember",
                "Say what somebody is in an organisation", use: changeMember
            ).scope(.writeApps).forPartners().mayAnswer(.conflict),
            .act(
                .delete, "/v1/organizations/{id}/members/{user_id}", "removeOrganizationMember",
                "Take somebody out of an organisation", status: 204, use: removeMember
            ).scope(.writeApps).forPartners().mayAnswer(.conflict),
            .change(
                .post, "/v1/organizations/{id}/invitations", "createInvitation",
                "Make a link with which a developer joins an organisation", status: 201, use: invite
            ).scope(.writeApps).confidential().forPartners(),
            .change(
                .post, "/v1/organizations/join", "joinOrganization", "Join an organisation with an invitation",
                use: join
            ).scope(.writeApps).forPartners().mayAnswer(.conflict),
        ]
    }

    private func listOrganizations(_ call: Call, _: NoBody) async throws -> Listing<OrganizationBody> {
        let page = try await call.read { try OrganizationStore.page(call.page, of: call.partner, in: $0) }
        return Listing(page.map { OrganizationBody($0) })
    }

    private func createOrganization(
        _ call: Call, _: NoBody, _ input: OrganizationInput
    ) async throws -> Answer<OrganizationBody> {
        try await call.commit { transaction in
            let made = try organizations.make(
                input.name, for: call.partner.flatMap { UserID($0) }, by: call.actor, in: transaction)
            return .created(OrganizationBody(made), at: "/v1/organizations/\(made.id)", version: made.version)
        }
    }

    private func getOrganization(_ call: Call, _ path: OrganizationPath) async throws -> Answer<OrganizationBody> {
        let found = try await call.read { try organizations.find(path.id, for: call.partner, in: $0) }
        return .ok(OrganizationBody(found), version: found.version)
    }

    private func patchOrganization(
        _ call: Call, _ path: OrganizationPath, _ input: OrganizationInput
    ) async throws -> Answer<OrganizationBody> {
        try await call.commit { transaction in
            let changed = try organizations.rename(
                path.id, to: input.name, if: call.precondition, for: call.partner, by: call.actor, in: transaction)
            return .ok(OrganizationBody(changed), version: changed.version)
        }
    }

    private func deleteOrganization(_ call: Call, _ path: OrganizationPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try organizations.remove(
                path.id, if: call.precondition, for: call.partner, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func listMembers(_ call: Call, _ path: OrganizationPath) async throws -> Answer<MembersBody> {
        let members = try await call.read { connection in
            _ = try organizations.find(path.id, for: call.partner, in: connection)
            return try OrganizationStore.members(of: path.id, in: connection)
        }
        return .ok(MembersBody(members: members.map { MemberBody($0) }))
    }

    private func changeMember(
        _ call: Call, _ path: MemberPath, _ input: MemberInput
    ) async throws -> Answer<MemberBody> {
        try await call.commit { transaction in
            let member = try organizations.change(
                path.user, in: path.id, to: input.role, for: call.partner, by: call.actor, in: transaction)
            return .ok(MemberBody(member))
        }
    }

    private func removeMember(_ call: Call, _ path: MemberPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try organizations.remove(
                path.user, from: path.id, for: call.partner, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func invite(
        _ call: Call, _ path: OrganizationPath, _ input: InvitationInput
    ) async throws -> Answer<InvitationBody> {
        try await call.commit { transaction in
            let (invitation, secret) = try organizations.invite(
                to: path.id, as: input.role, for: call.partner, by: call.actor, in: transaction)
            let body = InvitationBody(
                url: settings.issuer + "/developers/join?key=" + secret, role: invitation.role,
                expiresAt: invitation.expiresAt)
            return .created(body, at: "/v1/organizations/\(path.id)/members")
        }
    }

    private func join(_ call: Call, _: NoBody, _ input: JoinInput) async throws -> Answer<OrganizationBody> {
        guard let partner = call.partner.flatMap({ UserID($0) }) else {
            throw Problem(.conflict, "Only developers from outside the shop belong to organisations.")
        }
        return try await call.commit { transaction in
            let joined = try organizations.join(with: input.key, as: partner, in: transaction)
            return .ok(OrganizationBody(joined), version: joined.version)
        }
    }
}

struct OrganizationPath: WireBody {
    let id: OrganizationID
    static let schema = Schema.object("OrganizationPath", OrganizationPath.init, .required("id", \.id, .id()))
}

struct MemberPath: WireBody {
    let id: OrganizationID
    let user: UserID
    static let schema = Schema.object(
        "MemberPath", MemberPath.init, .required("id", \.id, .id()), .required("user_id", \.user, .id()))
}

struct OrganizationInput: WireBody {
    let name: String
    static let schema = Schema.object(
        "OrganizationInput", OrganizationInput.init, .required("name", \.name, .string(1...100)))
}

struct OrganizationBody: WireBody {
    let id: OrganizationID
    let name: String
    let createdAt: Timestamp

    static let schema = Schema.object(
        "Organization", OrganizationBody.init,
        .required("id", \.id, .id()), .required("name", \.name, .string()),
        .required("created_at", \.createdAt, .timestamp))

    private init(id: OrganizationID, name: String, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }

    init(_ organization: Organization) {
        self.init(id: organization.id, name: organization.name, createdAt: organization.createdAt)
    }
}

struct MemberBody: WireBody {
    let user: UserID
    let name: String
    let email: String
    let role: Member.Role
    let since: Timestamp

    static let schema = Schema.object(
        "OrganizationMember", MemberBody.init,
        .required("user_id", \.user, .id()), .required("name", \.name, .string()),
        .required("email", \.email, .string()), .required("role", \.role, .word),
        .required("since", \.since, .timestamp))

    private init(user: UserID, name: String, email: String, role: Member.Role, since: Timestamp) {
        self.user = user
        self.name = name
        self.email = email
        self.role = role
        self.since = since
    }

    init(_ member: Member) {
        self.init(
            user: member.user, name: member.name, email: member.email, role: member.role, since: member.since)
    }
}

struct MembersBody: WireBody {
    let members: [MemberBody]
    static let schema = Schema.object(
        "OrganizationMembers", MembersBody.init, .required("members", \.members, .array(of: MemberBody.schema)))
}

struct InvitationInput: WireBody {
    let role: Member.Role
    static let schema = Schema.object(
        "InvitationInput", InvitationInput.init,
        .standard(
            "role", \.role, .word, .developer,
            "A viewer sees the apps; support what they have asked, too; a member manages them; an owner says who belongs to it."
        ))
}

struct MemberInput: WireBody {
    let role: Member.Role
    static let schema = Schema.object(
        "OrganizationMemberInput", MemberInput.init,
        .required("role", \.role, .word, "What they are from now on."))
}

struct InvitationBody: WireBody {
    let url: String
    let role: Member.Role
    let expiresAt: Timestamp

    static let schema = Schema.object(
        "Invitation", InvitationBody.init,
        .required(
            "url", \.url, .string(), "Pass it on to whoever is to join. It is shown only now, and good once."),
        .required("role", \.role, .word), .required("expires_at", \.expiresAt, .timestamp))
}

struct JoinInput: WireBody {
    let key: String
    static let schema = Schema.object(
        "JoinInput", JoinInput.init, .required("key", \.key, .string(1...100), "The `key` of the link."))
}
