// SPDX-License-Identifier: Apache-2.0

/// A table as its engine describes it: columns with what they hold, and the primary key.
struct TableShape: Sendable {
    enum Kind: Sendable { case integer, real, text, blob }

    struct Column: Sendable {
        let name: String
        let kind: Kind
    }

    let name: String
    let columns: [Column]
    let key: [String]

    /// Names come from the engine's own catalogue, and stand in quotes.
    var sqlName: SQL { Self.quoted(name) }

    private static func quoted(_ name: String) -> SQL { SQL(stringLiteral: "\"\(name)\"") }

    private static func list(_ names: [String]) -> SQL {
        SQL(stringLiteral: names.map { "\"\($0)\"" }.joined(separator: ", "))
    }

    /// The columns that `other` has, too, by name; an engine may keep some of its own, and have its own order.
    func sharing(_ other: TableShape) -> TableShape {
        let known = Set(other.columns.map(\.name))
        // Where the engines have different keys, the same one is taken in both directions.
        let key = [self.key, other.key].min { $0.joined() < $1.joined() } ?? self.key
        return TableShape(
            name: name, columns: columns.filter { known.contains($0.name) }.sorted { $0.name < $1.name }, key: key)
    }

    // MARK: Rows

    func rows(after position: [SQLValue]?, limit: Int, first: SQL?, in connection: Connection) throws -> [[SQLValue]] {
        var sql: SQL = "SELECT \(Self.list(columns.map(\.name))) FROM \(sqlName)"
        if let position {
            sql += " WHERE (\(Self.list(key))) > ("
            for (place, value) in position.enumerated() { sql += place == 0 ? "\(value)" : ", \(value)" }
            sql += ")"
        }
        if let first {
            sql += " ORDER BY \(first), \(Self.list(key))"
        } else {
            sql += " ORDER BY \(Self.list(key)) LIMIT \(limit)"
        }
        return try connection.all(sql) { row in
            try columns.map { column in
                switch column.kind {
                case .integer: try row.next(Int64?.self).map { .integer($0) } ?? .null
                case .real: try row.next(Double?.self).map { .real($0) } ?? .null
                case .text: try row.next(String?.self).map { .text($0) } ?? .null
                case .blob: try row.next([UInt8]?.self).map { .blob($0) } ?? .null
                }
            }
        }
    }

    func keyValues(of row: [SQLValue]) -> [SQLValue] {
        key.compactMap { name in columns.firstIndex { $0.name == name }.map { row[$0] } }
    }

    func insertion(of row: [SQLValue]) -> SQL {
        var sql: SQL = "INSERT INTO \(sqlName) (\(Self.list(columns.map(\.name)))) VALUES ("
        for (place, value) in row.enumerated() { sql += place == 0 ? "\(value)" : ", \(value)" }
        return sql + ")"
    }
}

extension SQLValue: SQLConvertible {
    package var sqlValue: SQLValue { self }
    package init(column: Column) throws { self = column.isNull ? .null : .text(column.text) }
}

extension TableCopy {
    /// The tables in the order in which they were made, so that what is referred to comes first.
    static func tables(in connection: Connection) throws -> [TableShape] {
        switch connection.dialect {
        case .sqlite:
            let names = try connection.all(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
            ) { try $0.next(String.self) }
            return try names.map { name in
                let columns = try connection.all(
                    "SELECT name, type, pk FROM pragma_table_info(\(name)) ORDER BY cid"
                ) { (name: try $0.next(String.self), type: try $0.next(String.self), key: try $0.next(Int.self)) }
                return TableShape(
                    name: name, columns: columns.map { .init(name: $0.name, kind: .init(declared: $0.type)) },
                    key: columns.filter { $0.key > 0 }.sorted { $0.key < $1.key }.map(\.name))
            }
        case .postgres:
            let names = try connection.all(
                """
                SELECT relname::text FROM pg_class
                WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY oid
                """
            ) { try $0.next(String.self) }
            return try names.map { name in
                let columns = try connection.all(
                    """
                    SELECT column_name::text, data_type::text FROM information_schema.columns
                    WHERE table_schema = current_schema() AND table_name = \(name) ORDER BY ordinal_position
                    """
                ) { TableShape.Column(name: try $0.next(), kind: .init(declared: try $0.next())) }
                let key = try connection.all(
                    """
                    SELECT a.attname::text FROM pg_index i
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                    WHERE i.indisprimary AND i.indrelid = CAST(\(name) AS regclass)
                    ORDER BY array_position(CAST(i.indkey AS int2[]), a.attnum)
                    """
                ) { try $0.next(String.self) }
                return TableShape(name: name, columns: columns, key: key)
            }
        }
    }
}

extension TableShape.Kind {
    init(declared: String) {
        self =
            switch declared.lowercased() {
            case "integer", "bigint": .integer
            case "real", "double precision": .real
            case "blob", "bytea": .blob
            default: .text
            }
    }
}
