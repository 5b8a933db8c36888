// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Who works in the shop, and what their roles let them do.
extension IdentityModule {
    var userEndpoints: [Endpoint] {
        [
            .list("/v1/users", "listUsers", "List users", use: listUsers).scope(.readUsers),
            .change(.post, "/v1/users", "createUser", "Let somebody in", status: 201, use: createUser)
                .scope(.writeUsers).confidential().mayAnswer(.conflict, .insufficientScope),
            .get("/v1/users/{id}", "getUser", "Read a user", use: getUser).scope(.readUsers),
            .change(
                .patch, "/v1/users/{id}", "patchUser", "Change a user's name or role, or show them out", use: patchUser
            )
            .scope(.writeUsers).conditional().mayAnswer(.conflict, .insufficientScope),
            .act(
                .delete, "/v1/users/{id}/second-factor", "removeUserSecondFactor",
                "Take the second factor off an account whose owner has lost it", status: 204, use: removeUserFactor
            ).scope(.writeUsers).mayAnswer(.insufficientScope),
            .get("/v1/roles", "listRoles", "List roles", use: listRoles).scope(.readUsers),
            .change(.put, "/v1/roles/{name}", "putRole", "Put a role together from scopes", use: putRole)
                .scope(.writeUsers).mayAnswer(.conflict, .insufficientScope),
        ]
    }

    private func listUsers(_ call: Call, _: NoBody) async throws -> Listing<UserBody> {
        let page = try await call.read { try UserStore.page(call.page, in: $0) }
        return Listing(page.map { UserBody($0) })
    }

    private func getUser(_ call: Call, _ path: UserPath) async throws -> Answer<UserBody> {
        guard let user = try await call.read({ try UserStore.find(path.id, in: $0) }), !user.isCustomer else {
            throw IdentityError.userNotFound
        }
        return .ok(UserBody(user), version: user.version)
    }

    private func createUser(_ call: Call, _: NoBody, _ input: UserInput) async throws -> Answer<UserBody> {
        let hash = try await users.hash(input.password)
        return try await call.commit { transaction in
            let user = try users.add(
                email: input.email, name: input.name, role: input.role, password: hash, by: call.actor,
                in: transaction)
            try require(user.scopes, of: call)
            return .created(UserBody(user), at: "/v1/users/\(user.id)", version: user.version)
        }
    }

    private func patchUser(_ call: Call, _ path: UserPath, _ patch: UserPatch) async throws -> Answer<UserBody> {
        try await call.commit { transaction in
            let user = try users.change(path.id, if: call.precondition, by: call.actor, in: transaction) { user in
                try require(user.scopes, of: call)
                user.name = patch.name.applied(to: user.name)
                user.role = patch.role.applied(to: user.role)
                if case .set(let isDisabled) = patch.disabled {
                    user.disabledAt = isDisabled ? user.disabledAt ?? call.now : nil
                }
            }
            guard let now = try UserStore.find(path.id, in: transaction) else { throw IdentityError.userNotFound }
            try require(now.scopes, of: call)
            return .ok(UserBody(now), version: user.version)
        }
    }

    private func removeUserFactor(_ call: Call, _ path: UserPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            guard let user = try UserStore.find(path.id, in: transaction), !user.isCustomer else {
                throw IdentityError.userNotFound
            }
            try require(user.scopes, of: call)
            try secondFactor.remove(from: path.id, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func listRoles(_ call: Call, _: NoBody) async throws -> Answer<RolesBody> {
        let roles = try await call.read { try UserStore.roles(in: $0) }
        return .ok(RolesBody(roles: roles.map { RoleBody(name: $0.name, scopes: $0.scopes) }))
    }

    private func putRole(_ call: Call, _ path: RolePath, _ input: RoleInput) async throws -> Answer<RoleBody> {
        try require(Set(input.scopes), of: call)
        return try await call.commit { transaction in
            // Whoever changes a role changes what its holders may; so they must have had no more than the caller.
            let before = try UserStore.role(path.name, in: transaction)
            try require(Set(before?.scopes ?? []), of: call)
            let role = Role(name: path.name, scopes: input.scopes)
            try users.save(role, by: call.actor, in: transaction)
            return .ok(RoleBody(name: role.name, scopes: role.scopes))
        }
    }

    private func require(_ scopes: Set<Scope>, of call: Call) throws {
        try require(Array(scopes), .standard, nil, of: call)
    }
}

struct UserPath: WireBody {
    let id: UserID
    static let schema = Schema.object("UserPath", UserPath.init, .required("id", \.id, .id()))
}

struct UserInput: WireBody {
    let email: String
    let name: String
    let role: String
    let password: String

    static let schema = Schema.object(
        "UserInput", UserInput.init,
        .required("email", \.email, .email), .required("name", \.name, .string(1...100)),
        .required("role", \.role, .handle, "owner, developer, support, viewer, partner, or one that was put together."),
        .required("password", \.password, .string(12...200), "For the first time; they change it in their account."))
}

struct UserPatch: WireBody {
    let name: Patch<String>
    let role: Patch<String>
    let disabled: Patch<Bool>

    static let schema = Schema.object(
        "UserPatch", UserPatch.init,
        .patch("name", \.name, .string(1...100)), .patch("role", \.role, .handle),
        .patch("disabled", \.disabled, .boolean))
}

struct UserBody: WireBody {
    let id: UserID
    let email: String
    let name: String
    let role: String
    let scopes: [Scope]
    let hasSecondFactor: Bool
    let createdAt: Timestamp
    let disabledAt: Timestamp?

    static let schema = Schema.object(
        "User", UserBody.init,
        .required("id", \.id, .id()), .required("email", \.email, .string()), .required("name", \.name, .string()),
        .required("role", \.role, .string()),
        .required("scopes", \.scopes, .array(of: .word), "What they may do, and so what they can let an app do."),
        .required("second_factor", \.hasSecondFactor, .boolean, "Whether signing in takes more than a password."),
        .required("created_at", \.createdAt, .timestamp), .optional("disabled_at", \.disabledAt, .timestamp))

    init(_ user: User) {
        self.init(
            id: user.id, email: user.email, name: user.name, role: user.role,
            scopes: user.scopes.sorted { $0.rawValue < $1.rawValue }, hasSecondFactor: user.hasSecondFactor,
            createdAt: user.createdAt,
            disabledAt: user.disabledAt)
    }

    private init(
        id: UserID, email: String, name: String, role: String, scopes: [Scope], hasSecondFactor: Bool,
        createdAt: Timestamp, disabledAt: Timestamp?
    ) {
        self.id = id
        self.email = email
        self.name = name
        self.role = role
        self.scopes = scopes
        self.hasSecondFactor = hasSecondFactor
        self.createdAt = createdAt
        self.disabledAt = disabledAt
    }
}

struct RolePath: WireBody {
    let name: String
    static let schema = Schema.object("RolePath", RolePath.init, .required("name", \.name, .handle))
}

struct RoleInput: WireBody {
    let scopes: [Scope]
    static let schema = Schema.object(
        "RoleInput", RoleInput.init, .required("scopes", \.scopes, .array(of: .word, countMax: 50)))
}

struct RoleBody: WireBody {
    let name: String
    let scopes: [Scope]
    static let schema = Schema.object(
        "Role", RoleBody.init,
        .required("name", \.name, .string()), .required("scopes", \.scopes, .array(of: .word)))
}

struct RolesBody: WireBody {
    let roles: [RoleBody]
    static let schema = Schema.object(
        "Roles", RolesBody.init, .required("roles", \.roles, .array(of: RoleBody.schema)))
}
