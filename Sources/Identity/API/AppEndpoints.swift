// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// Apps, as the shop's people manage them.
extension IdentityModule {
    var appEndpoints: [Endpoint] {
        [
            .list("/v1/apps", "listApps", "List apps", use: listApps).scope(.readApps),
            .change(.post, "/v1/apps", "createApp", "Register an app", status: 201, use: createApp)
                .scope(.writeApps).confidential().mayAnswer(.insufficientScope),
            .get("/v1/apps/{id}", "getApp", "Read an app", use: getApp).scope(.readApps),
            .change(.patch, "/v1/apps/{id}", "patchApp", "Change an app", use: patchApp)
                .scope(.writeApps).conditional().mayAnswer(.insufficientScope),
            .act(
                .delete, "/v1/apps/{id}", "deleteApp", "Remove an app with all its tokens, at once", status: 204,
                use: deleteApp
            ).scope(.writeApps),
            .get("/v1/apps/{id}/secrets", "listAppSecrets", "List an app's secrets", use: listSecrets)
                .scope(.readApps),
            .change(
                .post, "/v1/apps/{id}/secrets", "rotateAppSecret", "Replace an app's secret, with an overlap",
                status: 201, use: rotateSecret
            ).scope(.writeApps).confidential().mayAnswer(.conflict, .insufficientScope),
        ]
    }

    private func listApps(_ call: Call, _: NoBody) async throws -> Listing<AppBody> {
        let page = try await call.read { try AppStore.page(call.page, in: $0) }
        return Listing(page.map { AppBody($0) })
    }

    private func getApp(_ call: Call, _ path: AppPath) async throws -> Answer<AppBody> {
        guard let app = try await call.read({ try AppStore.find(path.id, in: $0) }), app.removedAt == nil else {
            throw IdentityError.appNotFound
        }
        return .ok(AppBody(app), version: app.version)
    }

    private func createApp(_ call: Call, _: NoBody, _ input: AppInput) async throws -> Answer<AppBody> {
        let draft = try input.draft()
        // What an app asks people for is theirs to give; what it does for itself, only who may do it can give.
        try require(input.ownScopes, input.tier, nil, of: call)
        return try await call.commit { transaction in
            let made = try apps.register(draft, by: call.actor, in: transaction)
            return .created(
                AppBody(made.app, secret: made.secret), at: "/v1/apps/\(made.app.id)", version: made.app.version)
        }
    }

    private func patchApp(_ call: Call, _ path: AppPath, _ patch: AppPatch) async throws -> Answer<AppBody> {
        try await call.commit { transaction in
            let app = try apps.change(path.id, if: call.precondition, by: call.actor, in: transaction) { app in
                try require(Array(app.ownScopes.scopes), app.tier, nil, of: call)
                patch.apply(to: &app)
                try require(Array(app.ownScopes.scopes), app.tier, nil, of: call)
            }
            return .ok(AppBody(app), version: app.version)
        }
    }

    private func deleteApp(_ call: Call, _ path: AppPath) async throws -> Answer<NoBody> {
        try await call.commit { transaction in
            try apps.remove(path.id, if: call.precondition, by: call.actor, in: transaction) { app in
                try require(Array(app.ownScopes.scopes), app.tier, nil, of: call)
            }
            return .noContent
        }
    }

    private func listSecrets(_ call: Call, _ path: AppPath) async throws -> Answer<AppSecretsBody> {
        let now = call.now
        let secrets = try await call.read { connection in
            guard try AppStore.registered(path.id, in: connection) != nil else { throw IdentityError.appNotFound }
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
            let made = try apps.rotateSecret(
                of: path.id, overlap: .seconds(input.overlapSeconds), by: call.actor, in: transaction)
            // Whoever has the secret can do what the app may.
            try require(Array(made.app.ownScopes.scopes), made.app.tier, nil, of: call)
            return .created(
                AppSecretBody(
                    id: made.secret.id, hint: made.secret.hint, createdAt: made.secret.createdAt,
                    expiresAt: made.secret.expiresAt, secret: made.text), at: "/v1/apps/\(path.id)/secrets")
        }
    }
}
