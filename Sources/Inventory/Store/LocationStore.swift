// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum LocationStore {
    private static let columns: SQL = "id, code, name, country, priority, version"

    static func find(_ id: LocationID, in connection: Connection) throws -> Location? {
        try connection.first("SELECT \(columns) FROM locations WHERE id = \(id)", location)
    }

    /// The same for whoever is about to change it.
    static func claim(_ id: LocationID, in transaction: Transaction) throws -> Location {
        let sql: SQL = "SELECT \(columns) FROM locations WHERE id = \(id)\(transaction.forUpdate)"
        guard let location = try transaction.first(sql, location) else { throw InventoryError.locationNotFound }
        return location
    }

    static func require(_ id: LocationID, in connection: Connection) throws -> Location {
        guard let location = try find(id, in: connection) else { throw InventoryError.locationNotFound }
        return location
    }

    static func find(code: String, in connection: Connection) throws -> Location? {
        try connection.first("SELECT \(columns) FROM locations WHERE code = \(code)", location)
    }

    /// Where returned goods go, and where orders look first.
    static func primary(in connection: Connection) throws -> Location? {
        try connection.first("SELECT \(columns) FROM locations ORDER BY priority, id LIMIT 1", location)
    }

    static func page(_ request: PageRequest, in connection: Connection) throws -> Page<Location> {
        let keyset = Keyset((expression: "id", order: .ascending))
        let rows = try connection.all(
            "SELECT \(columns) FROM locations WHERE 1 = 1 \(keyset.clause(request))", location)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func insert(_ location: Location, in transaction: Transaction) throws {
        try explainingConflicts(location.code) {
            _ = try transaction.execute(
                """
                INSERT INTO locations (id, code, name, country, priority, version)
                VALUES (\(location.id), \(location.code), \(location.name), \(location.country), \(location.priority),
                    \(location.version))
                """)
        }
    }

    static func update(_ location: Location, in transaction: Transaction) throws {
        try explainingConflicts(location.code) {
            _ = try transaction.execute(
                """
                UPDATE locations SET code = \(location.code), name = \(location.name), country = \(location.country),
                    priority = \(location.priority), version = \(location.version)
                WHERE id = \(location.id)
                """)
        }
    }

    private static func explainingConflicts(_ code: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as DatabaseError where error.kind == .unique {
            throw InventoryError.locationCodeTaken(code)
        }
    }

    private static func location(_ row: inout Row) throws -> Location {
        var location = try Location(
            id: row.next(), code: row.next(), name: row.next(), country: row.next(), priority: row.next())
        location.version = try row.next()
        return location
    }
}
