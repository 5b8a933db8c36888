// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Apps, as the shop's people manage them.
extension IdentityModule {
    var appEndpoints: [Endpoint] {
        [
            .list("/v1/apps", "listApps", "List apps", use: listApps).scope(.readApps).forPartners(),
            .change(.post, "/v1/apps", "createApp", "Register an app", status: 201, use: createApp)
                .scope(.writeApps).confidential().forPartners().mayAnswer(.insufficientScope),
            .get("/v1/apps/{id}", "getApp", "Read an app", use: getApp).scope(.readApps).forPartners(),
            .change(.patch, "/v1/apps/{id}", "patchApp", "Change an app", use: patchApp)
                .scope(.writeApps).conditional().forPartners().mayAnswer(.insufficientScope),
            .act(
                .delete, "/v1/apps/{id}", "deleteApp", "Remove an app with all its tokens, at once", status: 204,
                use: deleteApp
            ).scope(.writeApps).forPartners(),
            .list(
                "/v1/apps/{id}/requests", "listAppRequests",
                "What an app has asked, and what came of it, for thirty days",
                use: listRequests
            ).scope(.readApps).forPartners().uncached(),
            .get("/v1/apps/{id}/secrets", "listAppSecrets", "List an app's secrets", use: listSecrets)
                .scope(.readApps).forPartners(),
            .change(
                .post, "/v1/apps/{id}/secrets", "rotateAppSecret", "Replace an app's secret, with an overlap",
                status: 201, use: rotateSecret
            ).scope(.writeApps).confidential().forPartners().mayAnswer(.conflict, .insufficientScope),
        ]
    }

    private func listApps(_ call: Call, _ filter: AppFilter) async throws -> Listing<AppBody> {
        let page = try await call.read { connection in
            try AppStore.page(call.page, of: filter.organization, for: call.partner, in: connection)
        }
        return Listing(page.map { AppBody($0) })
    }

    private func getApp(_ call: Call, _ path: AppPath) async throws -> Answer<AppBody> {
        let app = try await call.read { try organizations.app(path.id, for: call.partner, in: $0) }
        return .ok(AppBody(app), version: app.version)
    }

    private func createApp(_ call: Call, _: NoBody, _ input: AppInput) async throws -> Answer<AppBody> {
        try await tokens.keys.prepare(input.identityAlgorithm)
        let draft = try input.draft()
        // What an app asks people for is theirs to give; what it does for itself, only who may do it can give.
        try requireShop(input.ownScopes, input.tier, of: call)
        try requireTrade(draft.scopes, beyond: ScopeSet([]), of: call)
        return try await call.commit { transaction in
            if let organization = input.organization {
                _ = try organizations.find(organization, for: call.partner, atLeast: .developer, in: transaction)
            } else if call.partner != nil {
                throw Problem(.invalidBody, "organization_id names the organisation whose the app is to be.")
            }
            let made = try apps.register(draft, by: call.actor, in: transaction)
            return .created(
                AppBody(made.app, secret: made.secret), at: "/v1/apps/\(made.app.id)", version: made.app.version)
        }
    }

    private func patchApp(_ call: Call, _ path: AppPath, _ patch: AppPatch) async throws -> Answer<AppBody> {
        try await tokens.keys.prepare(patch.identityAlgorithm.applied(to: .es256))
        return try await call.commit { transaction in
            _ = try organizations.app(path.id, for: call.partner, atLeast: .developer, in: transaction)
            let app = try apps.change(path.id, if: call.precondition, by: call.actor, in: transaction) { app in
                let (scopes, ownScopes, tier) = (app.scopes, app.ownScopes, app.tier)
                try requireHeld(app, by: call)
                patch.apply(to: &app)
                try requireTrade(app.scopes, beyond: scopes, of: call)
                guard app.ownScopes != ownScopes || app.tier != tier else { return }
                try requireShop(Array(app.ownScopes.scopes), app.tier, of: call)
            }
            return .ok(AppBody(app), version: app.version)
        }
    }

    private func deleteApp(_ call: Call, _ path: AppPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            _ = try organizations.app(path.id, for: call.partner, atLeast: .developer, in: transaction)
            try apps.remove(path.id, if: call.precondition, by: call.actor, in: transaction) { app in
                try requireHeld(app, by: call)
            }
            return .noContent
        }
    }

    /// Whoever is to change an app of the shop must be able to do what it does. What the shop has let an app of others do, it
    /// has let its organisation do.
    private func requireHeld(_ app: App, by call: Call) throws {
        guard call.partner == nil else { return }
        try require(Array(app.ownScopes.scopes), app.tier, nil, of: call)
    }

    /// - Throws: ``IdentityError`` where the caller gives an app what is not theirs to give.
    private func requireShop(_ ownScopes: [Scope], _ tier: Tier, of call: Call) throws {
        guard call.partner != nil else { return try require(ownScopes, tier, nil, of: call) }
        guard ownScopes.isEmpty else { throw IdentityError.shopDecides("own_scopes") }
        guard tier == .standard else { throw IdentityError.shopDecides("tier") }
    }

    /// An app of developers from outside asks for what is about trade, and for more only where the shop has said so before.
    private func requireTrade(_ scopes: ScopeSet, beyond known: ScopeSet, of call: Call) throws {
        guard call.partner != nil else { return }
        let others = Set(scopes.scopes).subtracting(known.scopes).subtracting(Scope.ofTrade)
        guard others.isEmpty else {
            throw IdentityError.shopDecides(others.map(\.rawValue).sorted().joined(separator: ", "))
        }
    }

    private func listRequests(_ call: Call, _ query: AppRequestsQuery) async throws -> Listing<RequestLogBody> {
        let organizations = organizations
        return try await call.requests(of: query.id.rawValue, query.filter) { connection in
            _ = try organizations.app(query.id, for: call.partner, atLeast: .support, in: connection)
        }
    }

    private func listSecrets(_ call: Call, _ path: AppPath) async throws -> Answer<AppSecretsBody> {
        let now = call.now
        let secrets = try await call.read { connection in
            _ = try organizations.app(path.id, for: call.partner, atLeast: .developer, in: connection)
            return try AppStore.secrets(of: path.id, in: connection).filter { $0.isValid(at: now) }
        }
        return .ok(
            AppSecretsBody(
                secrets: secrets.map {
                    AppSecretBody(
                        id: $0.id, hint: $0.hint, createdAt: $0.createdAt, expiresAt: $0.expiresAt, secret: nil)
                }))
    }

    private func rotateSecret(
        _ call: Call, _ path: AppPath, _ input: RotationInput
    ) async throws -> Answer<AppSecretBody> {
        guard !settings.isSandbox else {
            throw Problem(.conflict, "A sandbox has the apps of its shop, with their secrets.")
        }
        return try await call.commit { transaction in
            // Whoever has the secret can do what the app may.
            let app = try organizations.app(path.id, for: call.partner, atLeast: .developer, in: transaction)
            try requireHeld(app, by: call)
            let made = try apps.rotateSecret(
                of: path.id, overlap: .seconds(input.overlapSeconds), by: call.actor, in: transaction)
            return .created(
                AppSecretBody(
                    id: made.secret.id, hint: made.secret.hint, createdAt: made.secret.createdAt,
                    expiresAt: made.secret.expiresAt, secret: made.text), at: "/v1/apps/\(path.id)/secrets")
        }
    }
}
