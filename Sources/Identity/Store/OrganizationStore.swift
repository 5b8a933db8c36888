// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

enum OrganizationStore {
    private static let columns: SQL = "id, name, created_at, created_by, version"

    static func find(_ id: OrganizationID, in connection: Connection) throws -> Organization? {
        try connection.first(
            "SELECT \(columns) FROM organizations WHERE id = \(id)\(connection.forUpdate)", organization)
    }

    /// Those to which `member` belongs; all where nobody is named.
    static func page(
        _ request: PageRequest, of member: String?, in connection: Connection
    ) throws -> Page<Organization> {
        let keyset = Keyset((expression: "id", order: .descending))
        let whose: SQL =
            member.map { "id IN (SELECT organization FROM organization_members WHERE member = \($0))" } ?? "1 = 1"
        let rows = try connection.all(
            "SELECT \(columns) FROM organizations WHERE \(whose) \(keyset.clause(request))", organization)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func insert(_ organization: Organization, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO organizations (\(columns))
            VALUES (\(organization.id), \(organization.name), \(organization.createdAt), \(organization.createdBy),
                \(organization.version))
            """)
    }

    static func rename(_ id: OrganizationID, to name: String, in transaction: Transaction) throws {
        try transaction.execute("UPDATE organizations SET name = \(name), version = version + 1 WHERE id = \(id)")
    }

    static func remove(_ id: OrganizationID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM organization_invitations WHERE organization = \(id)")
        try transaction.execute("DELETE FROM organization_members WHERE organization = \(id)")
        try transaction.execute("DELETE FROM organizations WHERE id = \(id)")
    }

    static func hasApps(_ id: OrganizationID, in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM apps WHERE organization = \(id) AND removed_at IS NULL")
    }

    // MARK: Members

    static func members(of id: OrganizationID, in connection: Connection) throws -> [Member] {
        try connection.all(
            """
            SELECT member, users.name, users.email, organization_members.role, since
            FROM organization_members JOIN users ON users.id = member
            WHERE organization = \(id) ORDER BY since, member
            """
        ) { row in
            try Member(
                user: row.next(), name: row.next(), email: row.next(),
                role: Member.Role(rawValue: row.next()) ?? .viewer, since: row.next())
        }
    }

    static func role(of member: String, in id: OrganizationID, _ connection: Connection) throws -> Member.Role? {
        try connection.first(
            "SELECT role FROM organization_members WHERE organization = \(id) AND member = \(member)"
        ) { try Member.Role(rawValue: $0.next()) ?? .viewer }
    }

    static func set(
        _ role: Member.Role, of member: UserID, in id: OrganizationID, _ transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE organization_members SET role = \(role.rawValue) WHERE organization = \(id) AND member = \(member)
            """)
    }

    static func add(
        _ member: UserID, to id: OrganizationID, as role: Member.Role, at now: Timestamp, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO organization_members (organization, member, role, since)
            VALUES (\(id), \(member), \(role.rawValue), \(now))
            """)
    }

    static func remove(_ member: UserID, from id: OrganizationID, in transaction: Transaction) throws {
        try transaction.execute(
            "DELETE FROM organization_members WHERE organization = \(id) AND member = \(member)")
    }

    // MARK: Invitations

    static func insert(_ invitation: Invitation, hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO organization_invitations (hash, organization, role, expires_at)
            VALUES (\(hash), \(invitation.organization), \(invitation.role.rawValue), \(invitation.expiresAt))
            """)
    }

    static func invitation(hash: [UInt8], in connection: Connection) throws -> Invitation? {
        try connection.first(
            """
            SELECT organization, role, expires_at FROM organization_invitations
            WHERE hash = \(hash)\(connection.forUpdate)
            """
        ) { row in
            try Invitation(
                organization: row.next(), role: Member.Role(rawValue: row.next()) ?? .viewer, expiresAt: row.next())
        }
    }

    static func spend(hash: [UInt8], in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM organization_invitations WHERE hash = \(hash)")
    }

    static func purge(at now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM organization_invitations WHERE expires_at < \(now)")
    }

    private static func organization(_ row: inout Row) throws -> Organization {
        try Organization(
            id: row.next(), name: row.next(), createdAt: row.next(), createdBy: row.next(), version: row.next())
    }
}
