// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

/// What users let apps do: consents, codes on their way, and authorizations with their present refresh token.
enum AuthorizationStore {
    // MARK: Consents

    static func consent(of user: UserID, to app: AppID, in connection: Connection) throws -> ScopeSet {
        try connection.first("SELECT scopes FROM consents WHERE user_id = \(user) AND app = \(app)") { row in
            try ScopeSet(stored: row.next())
        } ?? .empty
    }

    static func saveConsent(
        of user: UserID, to app: AppID, _ scopes: ScopeSet, at now: Timestamp, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO consents (user_id, app, scopes, given_at) VALUES (\(user), \(app), \(scopes.text), \(now))
            ON CONFLICT (user_id, app) DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at
            """)
    }

    static func removeConsents(to app: AppID, of user: UserID?, in transaction: Transaction) throws {
        try transaction.execute(
            "DELETE FROM consents WHERE app = \(app) AND user_id = COALESCE(\(user?.rawValue), user_id)")
    }

    /// Has everybody asked anew; the app stays among those that they let in, where they can remove it.
    static func voidConsents(to app: AppID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE consents SET scopes = '' WHERE app = \(app)")
    }

    /// The apps that a user lets act in their name, latest first.
    static func consents(
        of user: UserID, in connection: Connection
    ) throws -> [(app: AppID, name: String, scopes: ScopeSet, givenAt: Timestamp)] {
        try connection.all(
            """
            SELECT apps.id, apps.name, consents.scopes, given_at FROM consents JOIN apps ON apps.id = consents.app
            WHERE user_id = \(user) AND removed_at IS NULL ORDER BY given_at DESC, apps.id
            """
        ) { row in
            try (app: row.next(), name: row.next(), scopes: ScopeSet(stored: row.next()), givenAt: row.next())
        }
    }

    // MARK: Codes

    static func insert(_ code: AuthorizationCode, hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO authorization_codes (
                hash, app, user_id, redirect_uri, challenge, scopes, nonce, bound_to, authenticated_at, expires_at
            )
            VALUES (\(hash), \(code.app), \(code.user), \(code.redirectURI), \(code.challenge), \(code.scopes.text),
                \(code.nonce), \(code.boundTo), \(code.authenticatedAt), \(code.expiresAt))
            """)
    }

    static func code(hash: [UInt8], in connection: Connection) throws -> AuthorizationCode? {
        try connection.first(
            """
            SELECT app, user_id, redirect_uri, challenge, scopes, nonce, bound_to, authenticated_at, expires_at,
                exchanged_for
            FROM authorization_codes WHERE hash = \(hash)\(connection.forUpdate)
            """
        ) { row in
            try AuthorizationCode(
                app: row.next(), user: row.next(), redirectURI: row.next(), challenge: row.next(),
                scopes: ScopeSet(stored: row.next()), nonce: row.next(), boundTo: row.next(),
                authenticatedAt: row.next(), expiresAt: row.next(), authorization: row.next())
        }
    }

    static func spend(codeWith hash: [UInt8], for id: AuthorizationID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE authorization_codes SET exchanged_for = \(id) WHERE hash = \(hash)")
    }

    // MARK: Authorizations

    static func insert(_ authorization: Authorization, in transaction: Transaction) throws {
        let refresh = authorization.refresh
        try transaction.execute(
            """
            INSERT INTO authorizations (
                id, app, user_id, scopes, authenticated_at, created_at, bound_to, refresh_number, refresh_hash,
                refresh_issued_at, refresh_expires_at
            )
            VALUES (\(authorization.id), \(authorization.app), \(authorization.user), \(authorization.scopes.text),
                \(authorization.authenticatedAt), \(authorization.createdAt), \(authorization.boundTo), \(refresh.number),
                \(refresh.hash), \(refresh.issuedAt), \(refresh.expiresAt))
            """)
    }

    static func find(_ id: AuthorizationID, in connection: Connection) throws -> Authorization? {
        try connection.first("\(select) WHERE id = \(id)\(connection.forUpdate)", authorization)
    }

    static func setRefresh(
        _ refresh: Authorization.Refresh, of id: AuthorizationID, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE authorizations SET refresh_number = \(refresh.number), refresh_hash = \(refresh.hash),
                refresh_issued_at = \(refresh.issuedAt), refresh_expires_at = \(refresh.expiresAt),
                refresh_answer = \(refresh.answer)
            WHERE id = \(id)
            """)
    }

    /// Ends authorizations, and until `end` refuses access tokens that were made under them.
    ///
    /// - Returns: how many ended.
    @discardableResult
    static func revoke(
        _ which: Which, at now: Timestamp, tokensUntil end: Timestamp, in transaction: Transaction
    ) throws -> Int {
        let condition: SQL =
            switch which {
            case .one(let id): "id = \(id)"
            case .all(let app, let user):
                "app = COALESCE(\(app?.rawValue), app) AND user_id = COALESCE(\(user?.rawValue), user_id)"
            }
        try transaction.execute(
            """
            INSERT INTO token_revocations (id, noted_at, expires_at)
            SELECT id, \(now), \(end) FROM authorizations WHERE \(condition) AND revoked_at IS NULL
            ON CONFLICT (id) DO NOTHING
            """)
        if case .all = which {
            // What would become one in a moment, too.
            try transaction.execute("DELETE FROM authorization_codes WHERE \(condition) AND exchanged_for IS NULL")
            try transaction.execute("DELETE FROM device_requests WHERE \(condition)")
        }
        return try transaction.execute(
            "UPDATE authorizations SET revoked_at = \(now) WHERE \(condition) AND revoked_at IS NULL")
    }

    enum Which {
        case one(AuthorizationID)
        /// Of an app, of a user, or of an app by a user; nothing stands for any.
        case all(app: AppID?, user: UserID?)
    }

    private static let select: SQL =
        """
        SELECT id, app, user_id, scopes, authenticated_at, created_at, bound_to, refresh_number, refresh_hash,
            refresh_issued_at, refresh_expires_at, refresh_answer, revoked_at
        FROM authorizations
        """

    private static func authorization(_ row: inout Row) throws -> Authorization {
        try Authorization(
            id: row.next(), app: row.next(), user: row.next(), scopes: ScopeSet(stored: row.next()),
            authenticatedAt: row.next(), createdAt: row.next(), boundTo: row.next(),
            refresh: .init(
                number: row.next(), hash: row.next(), issuedAt: row.next(), expiresAt: row.next(), answer: row.next()),
            revokedAt: row.next())
    }
}
