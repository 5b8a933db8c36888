// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel

/// Moves the rows of one database into another of the same schema, whatever the engines, and proves that they arrived.
package struct TableCopy: Sendable {
    private let source: Database
    private let target: Database
    /// Tables that are left out: the target has its own.
    private let excluded: @Sendable (String) -> Bool
    /// Columns by which rows go first whose table refers to itself, so that parents come before children.
    private let firstBy: [String: SQL]

    private static let batch = 500

    package init(
        from source: Database, to target: Database, excluding excluded: @escaping @Sendable (String) -> Bool,
        firstBy: [String: SQL] = [:]
    ) {
        self.source = source
        self.target = target
        self.excluded = excluded
        self.firstBy = firstBy
    }

    /// A table that was moved.
    package struct Report: Sendable {
        package let table: String
        package let rows: Int
        /// SHA-256 over all rows in the order of their primary key, in hexadecimal.
        package let checksum: String
    }

    /// Copies every table, parents before children, each batch in a transaction of its own.
    ///
    /// - Throws: `Failure` with `misconfigured` where the target has rows or lacks a column, `corrupt` where a table has
    ///   not arrived as it left.
    package func run(onTable report: @Sendable (Report) -> Void) async throws {
        let tables = try await source.read { try Self.tables(in: $0) }.filter { !excluded($0.name) }
        let targets = try await target.read { try Self.tables(in: $0) }
        let shapes = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
        for table in tables {
            guard let shape = shapes[table.name] else {
                throw Failure(.misconfigured, "The target has no table \(table.name). Migrate it first.")
            }
            let shared = table.sharing(shape)
            let isEmpty = try await target.read { try !$0.exists("SELECT 1 FROM \(shared.sqlName) LIMIT 1") }
            guard isEmpty else {
                throw Failure(.misconfigured, "The target has rows in \(table.name). Copy into an empty database.")
            }
            try await copy(shared)
            let left = try await checksum(shared, of: source)
            let arrived = try await checksum(shared, of: target)
            guard left == arrived else {
                throw Failure(
                    .corrupt,
                    "\(table.name) did not arrive as it left: \(left.rows) rows and \(arrived.rows). "
                        + "Stop whatever writes to the source, and copy into a new database.")
            }
            report(Report(table: table.name, rows: left.rows, checksum: left.checksum))
        }
        try await target.write { try Self.advanceSequences(in: $0) }
    }

    private func copy(_ table: TableShape) async throws {
        var position: [SQLValue]?
        while true {
            let (after, first) = (position, firstBy[table.name])
            let rows = try await source.read { try table.rows(after: after, limit: Self.batch, first: first, in: $0) }
            guard let last = rows.last else { return }
            try await target.write { transaction in
                for row in rows { try transaction.send(table.insertion(of: row)) }
            }
            // A table that is ordered otherwise comes in one piece.
            if first != nil { return }
            position = table.keyValues(of: last)
        }
    }

    private func checksum(_ table: TableShape, of database: Database) async throws -> (rows: Int, checksum: String) {
        try await database.read { connection in
            var hash = SHA256()
            var count = 0
            var position: [SQLValue]?
            while true {
                let rows = try table.rows(after: position, limit: 5_000, first: nil, in: connection)
                guard let last = rows.last else { break }
                for row in rows { hash.update(data: Self.canonical(row)) }
                count += rows.count
                position = table.keyValues(of: last)
            }
            return (count, hash.finalize().hexadecimal)
        }
    }

    /// Kind, length and bytes of each value, so that no two rows look the same.
    private static func canonical(_ row: [SQLValue]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ kind: UInt8, _ content: some Collection<UInt8>) {
            bytes.append(kind)
            withUnsafeBytes(of: content.count.littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: content)
        }
        for value in row {
            switch value {
            case .null: append(0, [])
            case .integer(let value): append(1, Array(String(value).utf8))
            case .real(let value): append(2, Array(value.description.utf8))
            case .text(let value): append(3, Array(value.utf8))
            case .blob(let value): append(4, value)
            case .integers, .texts: preconditionFailure("A row holds no sets.")
            }
        }
        append(5, [])
        return bytes
    }

    /// Numbers that are drawn later come after those that were copied.
    private static func advanceSequences(in transaction: Transaction) throws {
        guard transaction.dialect == .postgres else { return }
        let columns = try transaction.all(
            """
            SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND is_identity = 'YES'
            """
        ) { (try $0.next(String.self), try $0.next(String.self)) }
        for (table, column) in columns {
            try transaction.send(
                SQL(
                    stringLiteral: """
                        SELECT setval(pg_get_serial_sequence('\(table)', '\(column)'),
                            COALESCE((SELECT MAX(\(column)) FROM \(table)), 0) + 1, false)
                        """))
        }
    }
}
