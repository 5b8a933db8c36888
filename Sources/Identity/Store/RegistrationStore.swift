// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// What is kept of a client that has registered itself, beside the app that it is.
struct Registration: Sendable {
    let app: AppID
    /// Of the token by which it may look at what it is, change it and end it (RFC 7592).
    let hash: [UInt8]
    let method: String
    let grantTypes: [String]
}

enum RegistrationStore {
    static func find(_ app: AppID, in connection: Connection) throws -> Registration? {
        try connection.first("SELECT app, hash, method, grant_types FROM client_registrations WHERE app = \(app)") {
            row in
            try Registration(
                app: row.next(), hash: row.next(), method: row.next(),
                grantTypes: (row.next(JSON.self).array ?? []).compactMap(\.string))
        }
    }

    static func save(_ registration: Registration, in transaction: Transaction) throws {
        let grantTypes = JSON.array(registration.grantTypes.map { .string($0) })
        try transaction.execute(
            """
            INSERT INTO client_registrations (app, hash, method, grant_types)
            VALUES (\(registration.app), \(registration.hash), \(registration.method), \(grantTypes))
            ON CONFLICT (app) DO UPDATE
            SET hash = excluded.hash, method = excluded.method, grant_types = excluded.grant_types
            """)
    }

    static func remove(_ app: AppID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM client_registrations WHERE app = \(app)")
    }
}

extension IdentityMigrations {
    static let registrations = Migration(
        "identity-0010-registrations", .expand,
        """
        CREATE TABLE client_registrations (
            app TEXT PRIMARY KEY,
            hash BLOB NOT NULL,
            method TEXT NOT NULL,
            grant_types TEXT NOT NULL
        ) STRICT;
        """)
}
