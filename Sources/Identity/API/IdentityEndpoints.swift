// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension IdentityModule {
    package var endpoints: [Endpoint] {
        [
            .get("/v1/me", "getCaller", "Whose key this is, and what it may do", use: caller).anyKey()
                .forCustomers(.all),
            .list("/v1/keys", "listKeys", "List API keys", use: listKeys).scope(.readKeys),
            .change(.post, "/v1/keys", "createKey", "Make an API key", status: 201, use: createKey)
                .scope(.writeKeys).confidential().mayAnswer(.insufficientScope),
            .get("/v1/keys/{id}", "getKey", "Read an API key", use: getKey).scope(.readKeys),
            .change(
                .post, "/v1/keys/{id}/rotate", "rotateKey", "Replace an API key, with an overlap", status: 201,
                use: rotateKey
            ).scope(.writeKeys).confidential().mayAnswer(.conflict, .insufficientScope),
            .change(.patch, "/v1/keys/{id}", "patchKey", "Change a key's name, tier or limit", use: patchKey)
                .scope(.writeKeys).conditional().mayAnswer(.insufficientScope),
            .act(.delete, "/v1/keys/{id}", "revokeKey", "Revoke an API key at once", status: 204, use: revokeKey)
                .scope(.writeKeys),
            .list("/v1/audit-events", "listAuditEvents", "List sensitive operations, latest first", use: listAudit)
                .scope(.readAudit),
            .get("/v1/limits", "getLimits", "Read what keys and addresses may use", use: getLimits).scope(.readKeys),
            .change(.put, "/v1/limits/{name}", "putLimit", "Change a limit while the shop is open", use: putLimit)
                .scope(.writeKeys).mayAnswer(.insufficientScope),
            .act(
                .delete, "/v1/limits/{name}", "resetLimit", "Make a limit what the configuration says again",
                status: 204, use: resetLimit
            ).scope(.writeKeys).mayAnswer(.insufficientScope),
        ] + appEndpoints + userEndpoints + customerAccountEndpoints + organizationEndpoints + sandboxEndpoints
    }

    private func caller(_ call: Call, _: NoBody) async throws -> Answer<CallerBody> {
        guard let principal = call.principal else { throw Problem(.unauthenticated, "This needs an API key.") }
        let scopes = principal.scopes.sorted { $0.rawValue < $1.rawValue }
        return .ok(
            CallerBody(
                id: principal.id, name: principal.name, scopes: scopes, tier: principal.tier,
                user: principal.user.flatMap { UserID($0) }, customer: principal.customer))
    }

    private func listKeys(_ call: Call, _: NoBody) async throws -> Listing<KeyBody> {
        let page = try await call.read { try APIKeyStore.page(call.page, in: $0) }
        return Listing(page.map { KeyBody($0) })
    }

    private func getKey(_ call: Call, _ path: KeyPath) async throws -> Answer<KeyBody> {
        // A revoked key is gone; the list keeps it on record.
        guard let key = try await call.read({ try APIKeyStore.find(path.id, in: $0) }), key.revokedAt == nil else {
            throw IdentityError.keyNotFound
        }
        return .ok(KeyBody(key), version: key.version)
    }

    private func createKey(_ call: Call, _: NoBody, _ input: KeyInput) async throws -> Answer<KeyBody> {
        try require(input.scopes, input.tier, input.unitsPerMinute, of: call)
        return try await call.commit { transaction in
            let draft = APIKeyDraft(
                name: input.name, scopes: input.scopes, tier: input.tier, unitsPerMinute: input.unitsPerMinute,
                expiresAt: input.expiresAt)
            let issued = try keys.create(draft, by: call.actor, in: transaction)
            return .created(
                KeyBody(issued.key, secret: issued.secret), at: "/v1/keys/\(issued.key.id)", version: issued.key.version
            )
        }
    }

    private func patchKey(_ call: Call, _ path: KeyPath, _ patch: KeyPatch) async throws -> Answer<KeyBody> {
        try await call.commit { transaction in
            let key = try keys.change(path.id, if: call.precondition, by: call.actor, in: transaction) { key in
                try require(key.scopes, key.tier, key.unitsPerMinute, of: call)
                patch.apply(to: &key)
                try require(key.scopes, key.tier, key.unitsPerMinute, of: call)
            }
            return .ok(KeyBody(key), version: key.version)
        }
    }

    /// A key may not give, or take over, more than its holder has; nor a limit of its own, which only the shop's own systems set.
    func require(_ scopes: [Scope], _ tier: Tier, _ unitsPerMinute: Int?, of call: Call) throws {
        let excess = Set(scopes).subtracting(call.principal?.scopes ?? [])
        guard excess.isEmpty else {
            throw IdentityError.scopesExceedCaller(excess.sorted { $0.rawValue < $1.rawValue })
        }
        let own = call.principal?.tier ?? .standard
        guard tier <= own else { throw IdentityError.tierExceedsCaller(tier) }
        if let unitsPerMinute, own != .trusted, unitsPerMinute > call.principal?.unitsPerMinute ?? 0 {
            throw IdentityError.limitExceedsCaller(unitsPerMinute)
        }
    }

    private func getLimits(_ call: Call, _: NoBody) async throws -> Answer<LimitsBody> {
        .ok(LimitsBody(limits: LimitName.allCases.map { LimitBody($0, limits.limits.state(of: $0)) }))
    }

    private func putLimit(_ call: Call, _ path: LimitPath, _ input: LimitInput) async throws -> Answer<LimitBody> {
        guard call.principal?.tier == .trusted else { throw IdentityError.tierExceedsCaller(.trusted) }
        let answer: Answer<LimitBody> = try await call.commit { transaction in
            let changed = ChangedLimit(name: path.name, limit: input.limit, isEnabled: input.enabled)
            try limits.change(changed, by: call.actor, in: transaction)
            var state = limits.limits.state(of: path.name)
            (state.limit, state.isOff) = (input.limit, !input.enabled || state.isOffForGood)
            return .ok(LimitBody(path.name, state))
        }
        try await limits.refresh()
        return answer
    }

    private func resetLimit(_ call: Call, _ path: LimitPath) async throws -> Answer<NoBody> {
        guard call.principal?.tier == .trusted else { throw IdentityError.tierExceedsCaller(.trusted) }
        let answer: Answer<NoBody> = try await call.commit { transaction in
            try limits.reset(path.name, by: call.actor, in: transaction)
            return .noContent
        }
        try await limits.refresh()
        return answer
    }

    private func rotateKey(_ call: Call, _ path: KeyPath, _ input: RotationInput) async throws -> Answer<KeyBody> {
        try await call.commit { transaction in
            let overlap = Duration.seconds(input.overlapSeconds)
            let issued = try keys.rotate(path.id, overlap: overlap, by: call.actor, in: transaction) { key in
                try require(key.scopes, key.tier, key.unitsPerMinute, of: call)
            }
            return .created(
                KeyBody(issued.key, secret: issued.secret), at: "/v1/keys/\(issued.key.id)", version: issued.key.version
            )
        }
    }

    private func revokeKey(_ call: Call, _ path: KeyPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try keys.revoke(path.id, if: call.precondition, by: call.actor, in: transaction)
            return .noContent
        }
    }

    private func listAudit(_ call: Call, _ query: AuditQuery) async throws -> Listing<AuditBody> {
        let page = try await call.read {
            try AuditLog.page(query.filter, call.page, in: $0)
        }
        return Listing(
            page.map {
                AuditBody(
                    id: $0.event, action: $0.action, subject: $0.subject, actor: $0.actor, app: $0.app, user: $0.user,
                    address: $0.address, trace: $0.trace, data: $0.data, occurredAt: $0.occurredAt, hash: $0.hash)
            })
    }
}
