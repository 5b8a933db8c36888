// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

enum AppStore {
    /// What ``RegisteredApp`` is read from.
    static let tables = ["apps", "app_secrets"]

    private static let columns: SQL =
        """
        id, organization, name, confidentiality, redirect_uris, origins, scopes, own_scopes, people, tier, keys, requires_binding, requires_push, identity_algorithm, homepage, api_version, grant_types, installation,
        created_at, created_by, removed_at, version
        """

    static func find(_ id: AppID, in connection: Connection) throws -> App? {
        try connection.first("SELECT \(columns) FROM apps WHERE id = \(id)\(connection.forUpdate)", app)
    }

    /// The app as it is and stays until the transaction ends; `nil` where it was removed.
    static func held(_ id: AppID, in transaction: Transaction) throws -> App? {
        try transaction.first(
            "SELECT \(columns) FROM apps WHERE id = \(id) AND removed_at IS NULL\(transaction.forShare)", app)
    }

    static func registered(_ id: AppID, in connection: Connection) throws -> RegisteredApp? {
        guard let app = try find(id, in: connection), app.removedAt == nil else { return nil }
        return RegisteredApp(app: app, secrets: try secrets(of: id, in: connection))
    }

    /// Those of an app; of all where that is `nil`.
    static func origins(of app: AppID?, in connection: Connection) throws -> [String] {
        let which: SQL = app.map { "id = \($0) AND" } ?? ""
        let all = try connection.all("SELECT redirect_uris, origins FROM apps WHERE \(which) removed_at IS NULL") {
            row in
            let uris = try (row.next(JSON.self).array ?? []).compactMap(\.string)
            return try uris.map { FormTargets.origin(of: $0) } + (row.next(JSON.self).array ?? []).compactMap(\.string)
        }
        return Array(all.joined())
    }

    /// Those that were removed, too.
    static func all(in connection: Connection) throws -> [App] {
        try connection.all("SELECT \(columns) FROM apps ORDER BY id", app)
    }

    /// Those of an organisation, and those of all to which `partner` belongs.
    static func page(
        _ request: PageRequest, of organization: OrganizationID?, for partner: String?, in connection: Connection
    ) throws -> Page<App> {
        let keyset = Keyset((expression: "id", order: .descending))
        var whose: SQL = organization.map { "organization = \($0)" } ?? "1 = 1"
        if let partner {
            whose += " AND organization IN (SELECT organization FROM organization_members WHERE member = \(partner))"
        }
        let rows = try connection.all(
            "SELECT \(columns) FROM apps WHERE removed_at IS NULL AND \(whose) \(keyset.clause(request))", app)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func insert(_ app: App, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO apps (\(columns))
            VALUES (\(app.id), \(app.organization), \(app.name), \(app.confidentiality.rawValue), \(list(app.redirectURIs)), \(list(app.origins)), \(app.scopes.text),
                \(app.ownScopes.text), \(app.people.rawValue), \(app.tier.rawValue), \(JSON.array(app.keys.map(\.json))), \(app.requiresBinding), \(app.requiresPush), \(app.identityAlgorithm.rawValue),
                \(app.homepage), \(app.apiVersion), \(app.grantTypes.map(list)), \(app.installation), \(app.createdAt), \(app.createdBy), \(app.removedAt), \(app.version))
            """)
    }

    static func update(_ app: App, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE apps SET name = \(app.name), redirect_uris = \(list(app.redirectURIs)), origins = \(list(app.origins)), scopes = \(app.scopes.text),
                own_scopes = \(app.ownScopes.text), people = \(app.people.rawValue), tier = \(app.tier.rawValue),
                keys = \(JSON.array(app.keys.map(\.json))), requires_binding = \(app.requiresBinding), requires_push = \(app.requiresPush), identity_algorithm = \(app.identityAlgorithm.rawValue),
                homepage = \(app.homepage), api_version = \(app.apiVersion), grant_types = \(app.grantTypes.map(list)), installation = \(app.installation), removed_at = \(app.removedAt), version = version + 1
            WHERE id = \(app.id)
            """)
    }

    /// Makes the row what `app` is, its version included.
    static func replace(_ app: App, in transaction: Transaction) throws {
        guard try find(app.id, in: transaction) != nil else { return try insert(app, in: transaction) }
        try update(app, in: transaction)
        try transaction.execute("UPDATE apps SET version = \(app.version) WHERE id = \(app.id)")
    }

    // MARK: Secrets

    /// The apps of an organisation: those that there are, and with those that were removed.
    static func count(of organization: OrganizationID, in connection: Connection) throws -> (present: Int, ever: Int) {
        try connection.first(
            """
            SELECT COUNT(CASE WHEN removed_at IS NULL THEN 1 END), COUNT(*) FROM apps WHERE organization = \(organization)
            """
        ) { try ($0.next(), $0.next()) } ?? (0, 0)
    }

    static func secrets(of app: AppID, in connection: Connection) throws -> [AppSecret] {
        try connection.all(
            "SELECT id, hint, hash, created_at, expires_at FROM app_secrets WHERE app = \(app) ORDER BY id DESC"
        ) { row in
            try AppSecret(
                id: row.next(), hint: row.next(), hash: row.next(), createdAt: row.next(), expiresAt: row.next())
        }
    }

    static func insert(_ secret: AppSecret, of app: AppID, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO app_secrets (id, app, hint, hash, created_at, expires_at)
            VALUES (\(secret.id), \(app), \(secret.hint), \(secret.hash), \(secret.createdAt), \(secret.expiresAt))
            """)
    }

    /// Has every secret of the app but one end at `time` at the latest.
    static func end(secretsOf app: AppID, but kept: AppSecretID?, at time: Timestamp, in transaction: Transaction)
        throws
    {
        try transaction.execute(
            """
            UPDATE app_secrets SET expires_at = \(time)
            WHERE app = \(app) AND id <> \(kept?.rawValue ?? "") AND (expires_at IS NULL OR expires_at > \(time))
            """)
    }

    private static func list(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }

    private static func app(_ row: inout Row) throws -> App {
        try App(
            id: row.next(), organization: row.next(), name: row.next(),
            confidentiality: App.Confidentiality(rawValue: row.next()) ?? .public,
            redirectURIs: (row.next(JSON.self).array ?? []).compactMap(\.string),
            origins: (row.next(JSON.self).array ?? []).compactMap(\.string),
            scopes: ScopeSet(stored: row.next()), ownScopes: ScopeSet(stored: row.next()),
            people: App.People(rawValue: row.next()) ?? .staff, tier: Tier(rawValue: row.next()) ?? .standard,
            keys: (row.next(JSON.self).array ?? []).compactMap(JWK.init), requiresBinding: row.next(),
            requiresPush: row.next(), identityAlgorithm: SigningAlgorithm(rawValue: row.next()) ?? .es256,
            homepage: row.next(), apiVersion: row.next(),
            grantTypes: row.next(JSON?.self)?.array?.compactMap(\.string), installation: row.next(),
            createdAt: row.next(),
            createdBy: row.next(),
            removedAt: row.next(), version: row.next())
    }
}
