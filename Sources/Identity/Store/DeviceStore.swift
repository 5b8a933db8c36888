// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// What an app on a device without a browser asks for (RFC 8628), until somebody has decided and the app has heard of it.
struct DeviceRequest: Sendable {
    enum State: String, Sendable {
        /// Nobody has decided.
        case pending
        case approved
        case denied
        /// Its tokens were given out.
        case spent
    }

    let hash: [UInt8]
    /// Without the hyphen that people see.
    let userCode: String
    let app: AppID
    var scopes: ScopeSet
    var state: State
    /// Who has decided, and when they had proved who they are.
    var user: UserID?
    var authenticatedAt: Timestamp?
    var askedAt: Timestamp?
    /// How long the app is to wait between two questions.
    var intervalSeconds: Int
    let expiresAt: Timestamp
}

enum DeviceStore {
    private static let columns: SQL =
        """
        hash, user_code, app, scopes, state, user_id, authenticated_at, asked_at, interval_seconds, expires_at
        """

    static func insert(_ request: DeviceRequest, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO device_requests (\(columns))
            VALUES (\(request.hash), \(request.userCode), \(request.app), \(request.scopes.text),
                \(request.state.rawValue), \(request.user), \(request.authenticatedAt), \(request.askedAt),
                \(request.intervalSeconds), \(request.expiresAt))
            """)
    }

    static func find(hash: [UInt8], in connection: Connection) throws -> DeviceRequest? {
        try connection.first(
            "SELECT \(columns) FROM device_requests WHERE hash = \(hash)\(connection.forUpdate)", request)
    }

    static func find(userCode: String, in connection: Connection) throws -> DeviceRequest? {
        try connection.first(
            "SELECT \(columns) FROM device_requests WHERE user_code = \(userCode)\(connection.forUpdate)", request)
    }

    static func noteQuestion(_ request: DeviceRequest, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE device_requests SET asked_at = \(request.askedAt), interval_seconds = \(request.intervalSeconds)
            WHERE hash = \(request.hash)
            """)
    }

    /// - Returns: whether nobody had decided before.
    static func decide(_ request: DeviceRequest, in transaction: Transaction) throws -> Bool {
        try transaction.execute(
            """
            UPDATE device_requests SET state = \(request.state.rawValue), user_id = \(request.user), scopes = \(request.scopes.text),
                authenticated_at = \(request.authenticatedAt)
            WHERE hash = \(request.hash) AND state = 'pending'
            """) > 0
    }

    /// - Returns: whether it was approved and not spent before.
    static func spend(_ request: DeviceRequest, in transaction: Transaction) throws -> Bool {
        try transaction.execute(
            "UPDATE device_requests SET state = 'spent' WHERE hash = \(request.hash) AND state = 'approved'") > 0
    }

    private static func request(_ row: inout Row) throws -> DeviceRequest {
        try DeviceRequest(
            hash: row.next(), userCode: row.next(), app: row.next(), scopes: ScopeSet(stored: row.next()),
            state: DeviceRequest.State(rawValue: row.next()) ?? .denied, user: row.next(),
            authenticatedAt: row.next(), askedAt: row.next(), intervalSeconds: row.next(), expiresAt: row.next())
    }
}
