// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

enum UserStore {
    static func find(_ id: UserID, in connection: Connection) throws -> User? {
        try connection.first("\(select) WHERE users.id = \(id)", user)
    }

    /// The user as they are and stay until the transaction ends; `nil` for nobody, and for who was shown out.
    static func held(_ id: UserID, in transaction: Transaction) throws -> User? {
        try lock(id, transaction.forShare, in: transaction)
        return try find(id, in: transaction).flatMap { $0.disabledAt == nil ? $0 : nil }
    }

    /// Keeps others from changing a user, and those that rely on them waiting.
    static func lock(_ id: UserID, in transaction: Transaction) throws {
        try lock(id, transaction.forUpdate, in: transaction)
    }

    private static func lock(_ id: UserID, _ mode: SQL, in transaction: Transaction) throws {
        guard !mode.isEmpty else { return }
        _ = try transaction.exists("SELECT 1 FROM users WHERE id = \(id)\(mode)")
    }

    /// The user and the hash of their password.
    static func find(email: String, in connection: Connection) throws -> (user: User, password: String)? {
        guard let user = try connection.first("\(select) WHERE users.email = \(email)", user) else { return nil }
        let password = try connection.first("SELECT password FROM users WHERE id = \(user.id)") {
            try $0.next(String.self)
        }
        return password.map { (user, $0) }
    }

    static func find(customer: CustomerID, in connection: Connection) throws -> User? {
        try connection.first("\(select) WHERE users.customer = \(customer)", user)
    }

    /// Those who work here.
    static func page(_ request: PageRequest, in connection: Connection) throws -> Page<User> {
        let keyset = Keyset((expression: "users.id", order: .descending))
        let rows = try connection.all("\(select) WHERE role <> \(Role.customer.name) \(keyset.clause(request))", user)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func all(withRole role: String, in connection: Connection) throws -> [UserID] {
        try connection.all("SELECT id FROM users WHERE role = \(role)\(connection.forUpdate)") { try $0.next() }
    }

    /// Whether somebody can let others in.
    static func hasOwner(in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM users WHERE role = 'owner' AND disabled_at IS NULL")
    }

    static func insert(_ user: User, password: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO users (id, email, name, password, role, customer, created_at, version)
            VALUES (\(user.id), \(user.email), \(user.name), \(password), \(user.role), \(user.customer),
                \(user.createdAt), \(user.version))
            """)
    }

    static func update(_ user: User, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE users SET name = \(user.name), role = \(user.role), disabled_at = \(user.disabledAt),
                version = version + 1
            WHERE id = \(user.id)
            """)
    }

    static func setPassword(_ password: String, of id: UserID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE users SET password = \(password), version = version + 1 WHERE id = \(id)")
    }

    /// Whether somebody has shown that they read the mail to the address.
    static func isProved(_ id: UserID, in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM users WHERE id = \(id) AND address_proved <> 0")
    }

    static func setProved(_ id: UserID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE users SET address_proved = 1 WHERE id = \(id)")
    }

    static func setEmail(_ email: String, of id: UserID, in transaction: Transaction) throws {
        try transaction.execute("UPDATE users SET email = \(email) WHERE id = \(id)")
    }

    /// Takes an address from a developer from outside whom the shop has shut out, so that it is free for whoever has the mailbox.
    static func release(_ email: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE users SET email = id, version = version + 1
            WHERE email = \(email) AND role = \(Role.partner.name) AND disabled_at IS NOT NULL
            """)
    }

    /// Removes who somebody is. The row stays, because the audit log names it.
    static func forget(_ id: UserID, at now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE users SET email = \(id.rawValue), name = '', password = '', customer = NULL, disabled_at = \(now),
                version = version + 1
            WHERE id = \(id)
            """)
    }

    // MARK: Roles

    /// The shop's own roles and those that were put together.
    static func roles(in connection: Connection) throws -> [Role] {
        Role.builtIn
            + (try connection.all("SELECT name, scopes FROM roles ORDER BY name") { row in
                try Role(name: row.next(), scopes: scopes(row.next()))
            })
    }

    static func role(_ name: String, in connection: Connection) throws -> Role? {
        try roles(in: connection).first { $0.name == name }
    }

    static func save(_ role: Role, in transaction: Transaction) throws {
        let scopes = ScopeSet(role.scopes).text
        try transaction.execute(
            """
            INSERT INTO roles (name, scopes) VALUES (\(role.name), \(scopes))
            ON CONFLICT (name) DO UPDATE SET scopes = excluded.scopes
            """)
    }

    // MARK: Rows

    private static let select: SQL =
        """
        SELECT users.id, email, users.name, role, customer, scopes, created_at, disabled_at,
            CASE WHEN second_factor IS NULL THEN 0 ELSE 1 END, version
        FROM users LEFT JOIN roles ON roles.name = users.role
        """

    private static func scopes(_ text: String) -> [Scope] { Array(ScopeSet(stored: text).scopes) }

    private static func user(_ row: inout Row) throws -> User {
        let (id, email, name, role) = try (
            row.next(UserID.self), row.next(String.self), row.next(String.self), row.next(String.self)
        )
        let customer = try row.next(CustomerID?.self)
        let own = try row.next(String?.self).map(scopes)
        let known = role == Role.customer.name ? Role.customer : Role.builtIn.first { $0.name == role }
        return try User(
            id: id, email: email, name: name, role: role, customer: customer,
            scopes: Set(known?.scopes ?? own ?? []), createdAt: row.next(),
            disabledAt: row.next(), hasSecondFactor: row.next(), version: row.next())
    }
}
