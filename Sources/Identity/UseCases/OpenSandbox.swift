// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Persistence
internal import Web

/// Makes a shop the sandbox of another one: people to sign in as, a key, and the other's apps.
package struct OpenSandbox: Sendable {
    let database: Database
    let keys: ManageKeys
    let users: ManageUsers
    let apps: ManageApps

    /// One of each role.
    package static let people = Role.builtIn.map { (role: $0.name, email: "\($0.name)@sandbox.example") }

    private static let actor = "sandbox"

    /// Lets in the administrator's key and the people.
    package func begin(with credentials: TestCredentials) async throws {
        let hash = try await users.hash(credentials.password)
        let (keys, users) = (keys, users)
        try await database.write { transaction in
            let draft = APIKeyDraft(name: "Sandbox", scopes: Scope.allCases, tier: .trusted, expiresAt: nil)
            _ = try keys.create(draft, secret: credentials.administratorKey, by: Self.actor, in: transaction)
            for person in Self.people {
                try users.add(
                    email: person.email, name: person.role.prefix(1).uppercased() + person.role.dropFirst(),
                    role: person.role, password: hash, by: Self.actor, in: transaction)
            }
        }
    }

    /// Whatever was changed here counts as another app, too.
    private static func isNews(_ app: App, to ours: [AppID: App]) -> Bool {
        ours[app.id].map { $0 != ManageApps.inSandbox(app) } ?? (app.removedAt == nil)
    }

    private static func byID(_ apps: [App]) -> [AppID: App] {
        Dictionary(uniqueKeysWithValues: apps.map { ($0.id, $0) })
    }

    /// Makes the apps those of the `live` shop, each with its test secret.
    package func mirrorApps(of live: Database, with credentials: TestCredentials) async throws {
        let theirs = try await live.read { try AppStore.all(in: $0) }
        let ours = try await database.read { try Self.byID(AppStore.all(in: $0)) }
        guard theirs.contains(where: { Self.isNews($0, to: ours) }) else { return }
        let apps = apps
        try await database.write { transaction in
            // Asked again, because whoever mirrors the same change twice ends tokens that were given out in between.
            let ours = try Self.byID(AppStore.all(in: transaction))
            for app in theirs where Self.isNews(app, to: ours) {
                try apps.mirror(app, secret: credentials.secret(of: app.id), by: Self.actor, in: transaction)
            }
        }
    }
}
