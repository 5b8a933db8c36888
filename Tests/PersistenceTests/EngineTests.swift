// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Persistence

/// What both engines promise, on each of them.
struct EngineTests {
    private func withDatabase(
        _ engine: TestEngine, readers: Int = 2, queueMax: Int = 8_192, _ test: (Database) async throws -> Void
    ) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let database: Database
        if let url = try engine.freshDatabase() {
            var configuration = PostgresEngine.Configuration(url: url)
            (configuration.readers, configuration.queueMax) = (readers, queueMax)
            database = Database(engine: try PostgresEngine(configuration))
        } else {
            var configuration = SQLiteEngine.Configuration(path: directory.path + "/test.sqlite")
            (configuration.readerThreads, configuration.queueMax) = (readers, queueMax)
            database = Database(engine: try SQLiteEngine(configuration))
        }
        try await database.write {
            try $0.run(
                script: $0.dialect.render(
                    script: """
                        CREATE TABLE things (
                            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL CHECK (name <> 'bad')) STRICT;
                        """))
        }
        try await test(database)
        await database.close()
    }

    @Test(arguments: TestEngine.available)
    func `one body that fails in a group undoes itself and nobody else`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            let failures = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        do {
                            try await database.write { transaction in
                                try transaction.execute(
                                    "INSERT INTO things (id, name) VALUES (\(number), \("n\(number)"))")
                                if number % 7 == 0 {
                                    try transaction.execute("INSERT INTO things (name) VALUES (\("bad"))")
                                }
                            }
                            return false
                        } catch { return true }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            let ids = try await database.read {
                try $0.all("SELECT id FROM things ORDER BY id") { try $0.next(Int.self) }
            }
            #expect(failures == 58)
            #expect(ids == (0..<400).filter { $0 % 7 != 0 })
        }
    }

    private static let endless: SQL =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"

    @Test(arguments: TestEngine.available)
    func `a read ends with its deadline, and the thread serves the next`(engine: TestEngine) async throws {
        try await withDatabase(engine, readers: 1) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await Deadline.$current.withValue(.after(.milliseconds(50))) {
                    _ = try await database.read { try $0.first(Self.endless) { try $0.next(Int.self) } }
                }
            }
            #expect(error?.kind == .timedOut)
            let isServed = try await database.read { try $0.exists("SELECT 1") }
            #expect(isServed)
        }
    }

    @Test(arguments: TestEngine.available)
    func `a write past its deadline changes nothing and harms nobody in its group`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            async let other: Int = database.write {
                try $0.execute("INSERT INTO things (name) VALUES (\("other"))")
            }
            let error = await #expect(throws: DatabaseError.self) {
                try await Deadline.$current.withValue(.after(.milliseconds(50))) {
                    _ = try await database.write { transaction in
                        try transaction.execute("INSERT INTO things (name) VALUES (\("late"))")
                        return try transaction.first(Self.endless) { try $0.next(Int.self) }
                    }
                }
            }
            #expect(error?.kind == .timedOut)
            let inserted = try await other
            #expect(inserted == 1)
            let waited = await #expect(throws: Failure.self) {
                try await Deadline.$current.withValue(.after(.zero)) {
                    _ = try await database.write { try $0.execute("INSERT INTO things (name) VALUES (\("late"))") }
                }
            }
            #expect(waited?.code == .timedOut)
            let names = try await database.read { try $0.all("SELECT name FROM things") { try $0.next(String.self) } }
            #expect(names == ["other"])
        }
    }

    @Test(arguments: TestEngine.available)
    func `constraints are told apart by kind`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            func kind(_ sql: SQL) async -> DatabaseError.Kind? {
                do { _ = try await database.write { try $0.execute(sql) } } catch {
                    return (error as? DatabaseError)?.kind
                }
                return nil
            }
            #expect(await kind("INSERT INTO things (id, name) VALUES (1, \("a"))") == nil)
            #expect(await kind("INSERT INTO things (id, name) VALUES (2, \("a"))") == .unique)
            #expect(await kind("INSERT INTO things (id, name) VALUES (3, \("bad"))") == .check)
            #expect(await kind("INSERT INTO things (id, name) VALUES (4, \(String?.none))") == .notNull)
            #expect(await kind("INSERT INTO nowhere VALUES (1)") == .statement)
        }
    }

    @Test(arguments: TestEngine.available)
    func `values come back as they went in, and never become SQL`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            let hostile = "'); DROP TABLE things; -- é 😀 ?"
            let row = try await database.read { connection in
                let bytes: SQL =
                    connection.dialect == .sqlite
                    ? "\([UInt8]([0, 255]))" : "CAST(\([UInt8]([0, 255])) AS bytea)"
                return try connection.first(
                    """
                    SELECT CAST(\(hostile) AS TEXT), CAST(\(Int64.min) AS BIGINT), CAST(\(0.1) AS DOUBLE PRECISION),
                        \(bytes), CAST(\(Int?.none) AS BIGINT), CAST(\("") AS TEXT)
                    """
                ) {
                    (
                        try $0.next(String.self), try $0.next(Int64.self), try $0.next(Double.self),
                        try $0.next([UInt8].self), try $0.next(Int?.self), try $0.next(String.self)
                    )
                }
            }
            let found = try #require(row)
            #expect(found.0 == hostile && found.1 == Int64.min && found.2 == 0.1)
            #expect(found.3 == [0, 255] && found.4 == nil && found.5 == "")
            let names = ["a,b", "c\"d", "e"]
            let members = try await database.read {
                try $0.all("SELECT \("e") IN \(anyOf: names)") { try $0.next(Bool.self) }
            }
            #expect(members == [true])
        }
    }

    @Test(arguments: TestEngine.available)
    func `a read sees one moment, whatever is written meanwhile`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            async let writes: Void = {
                for number in 0..<300 {
                    try await database.write { transaction in
                        try transaction.execute("INSERT INTO things (name) VALUES (\("x\(number)"))")
                        try transaction.execute("INSERT INTO things (name) VALUES (\("y\(number)"))")
                    }
                }
            }()
            for _ in 0..<200 {
                let (first, second) = try await database.read { connection in
                    let count: SQL = "SELECT COUNT(*) FROM things"
                    return (
                        try connection.first(count) { try $0.next(Int.self) } ?? -1,
                        try connection.first(count) { try $0.next(Int.self) } ?? -2
                    )
                }
                #expect(first == second && first % 2 == 0)
            }
            try await writes
        }
    }

    @Test(arguments: TestEngine.available)
    func `a reader cannot write`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            await #expect(throws: DatabaseError.self) {
                try await database.read {
                    try $0.all("INSERT INTO things (name) VALUES ('x') RETURNING id") { try $0.next(Int.self) }
                }
            }
        }
    }

    @Test(arguments: TestEngine.available)
    func `a full queue refuses at its door, and what it took is done`(engine: TestEngine) async throws {
        try await withDatabase(engine, queueMax: 4) { database in
            let outcomes = await withTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        do {
                            _ = try await database.write {
                                try $0.execute("INSERT INTO things (name) VALUES (\("n\(number)"))")
                            }
                            return "done"
                        } catch let failure as Failure { return failure.code.rawValue } catch { return "\(error)" }
                    }
                }
                return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            let count = try await database.read {
                try $0.first("SELECT COUNT(*) FROM things") { try $0.next(Int.self) }
            }
            #expect(outcomes["done", default: 0] == count)
            #expect(outcomes["done", default: 0] + outcomes["overloaded", default: 0] == 200)
        }
    }

    @Test(arguments: TestEngine.available)
    func `after closing, calls are refused instead of hanging`(engine: TestEngine) async throws {
        try await withDatabase(engine) { database in
            await database.close()
            let error = await #expect(throws: Failure.self) { try await database.read { try $0.exists("SELECT 1") } }
            #expect(error?.code == .unavailable)
        }
    }

    @Test(arguments: TestEngine.available)
    func `keyset pages neither skip nor repeat, forwards and backwards, with equal keys`(engine: TestEngine)
        async throws
    {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try transaction.run(script: "CREATE TABLE items (id INTEGER PRIMARY KEY, rank INTEGER NOT NULL)")
                for id in 0..<157 {
                    try transaction.execute("INSERT INTO items (id, rank) VALUES (\(id), \(id * 7 % 5))")
                }
            }
            let keyset = Keyset((expression: "rank", order: .descending), (expression: "id", order: .ascending))
            func page(_ request: PageRequest) async throws -> Page<(rank: Int64, id: Int64)> {
                try await database.read { connection in
                    let rows = try connection.all("SELECT rank, id FROM items WHERE 1 = 1 \(keyset.clause(request))") {
                        (rank: try $0.next(Int64.self), id: try $0.next(Int64.self))
                    }
                    return Page(rows: rows, for: request) { [.integer($0.rank), .integer($0.id)] }
                }
            }
            var forward: [Int64] = []
            var request = PageRequest(limit: 10)
            var last: Page<(rank: Int64, id: Int64)>
            repeat {
                last = try await page(request)
                forward += last.elements.map(\.id)
                request = PageRequest(limit: 10, position: last.next)
            } while last.next != nil
            let expected = (0..<157).sorted { (-($0 * 7 % 5), $0) < (-($1 * 7 % 5), $1) }.map(Int64.init)
            #expect(forward == expected)
            var backward = last.elements.map(\.id)
            while let previous = last.previous {
                last = try await page(PageRequest(limit: 10, position: previous))
                backward = last.elements.map(\.id) + backward
            }
            #expect(backward == expected)
        }
    }
}
