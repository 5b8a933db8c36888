// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Persistence

@Suite(.enabled(if: TestPostgres.isInstalled, "Postgres is not installed: apt-get install postgresql"))
struct PostgresEngineTests {
    private func withDatabase(
        _ configure: (inout PostgresEngine.Configuration) -> Void = { _ in },
        _ test: (Database, String) async throws -> Void
    ) async throws {
        let url = try TestPostgres.shared.get().freshDatabase()
        var configuration = PostgresEngine.Configuration(url: url)
        configure(&configuration)
        let database = Database(engine: try PostgresEngine(configuration))
        try await database.write {
            try $0.run(script: "CREATE TABLE tills (id text PRIMARY KEY, amount bigint NOT NULL CHECK (amount >= 0));")
            try $0.execute("INSERT INTO tills (id, amount) VALUES ('a', 0), ('b', 0)")
        }
        try await test(database, url)
        await database.close()
    }

    @Test func `what is read for update is not changed by others meanwhile`() async throws {
        try await withDatabase { database, url in
            // A second process, as far as the server can tell.
            let other = Database(engine: try PostgresEngine(.init(url: url)))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    let database = number % 2 == 0 ? database : other
                    group.addTask {
                        try await database.write { transaction in
                            let amount = try transaction.first(
                                "SELECT amount FROM tills WHERE id = 'a'\(transaction.forUpdate)"
                            ) { try $0.next(Int.self) }
                            try transaction.execute("UPDATE tills SET amount = \((amount ?? 0) + 1) WHERE id = 'a'")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let amount = try await database.read {
                try $0.first("SELECT amount FROM tills WHERE id = 'a'") { try $0.next(Int.self) }
            }
            #expect(amount == 200)
            await other.close()
        }
    }

    @Test func `reads that may lag go to a replica, and to the server itself while that is gone`() async throws {
        let primary = try TestPostgres()
        let replica = try TestPostgres(replicaOf: primary)
        defer {
            replica.stop()
            primary.stop()
        }
        var configuration = PostgresEngine.Configuration(url: primary.url("postgres"))
        configuration.replicaURLs = [replica.url("postgres")]
        let database = Database(engine: try PostgresEngine(configuration))
        let isReplica: @Sendable (Connection) throws -> Bool = {
            try $0.first("SELECT CAST(pg_is_in_recovery() AS int)") { try $0.next(Bool.self) } ?? false
        }
        try await database.write { try $0.run(script: "CREATE TABLE facts (number bigint NOT NULL);") }
        _ = try await database.write { try $0.execute("INSERT INTO facts (number) VALUES (7)") }
        #expect(try await database.read(isReplica) == false)
        #expect(try await database.readLagging(isReplica))
        // The replica hears of it within moments.
        var seen: Int64?
        for _ in 0..<200 where seen == nil {
            seen = try? await database.readLagging { try $0.first("SELECT number FROM facts") { try $0.next() } }
            if seen == nil { try await Task.sleep(for: .milliseconds(50)) }
        }
        #expect(seen == 7)

        try replica.crash()
        #expect(try await database.readLagging(isReplica) == false)
        try replica.restart()
        var isBack = false
        for _ in 0..<200 where !isBack {
            isBack = try await database.readLagging(isReplica)
            if !isBack { try await Task.sleep(for: .milliseconds(50)) }
        }
        #expect(isBack)
        await database.close()
    }

    @Test func `two who wait for each other are untied, and both are done`() async throws {
        try await withDatabase { database, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    let (first, second) = number % 2 == 0 ? ("a", "b") : ("b", "a")
                    group.addTask {
                        try await database.write { transaction in
                            for id in [first, second] {
                                try transaction.execute("UPDATE tills SET amount = amount + 1 WHERE id = \(id)")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let amounts = try await database.read {
                try $0.all("SELECT amount FROM tills ORDER BY id") { try $0.next(Int.self) }
            }
            #expect(amounts == [8, 8])
        }
    }

    @Test func `names are worked on one after the other`() async throws {
        try await withDatabase { database, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await database.write { transaction in
                            try transaction.serialize(on: "the first row")
                            let isEmpty = try !transaction.exists("SELECT 1 FROM tills WHERE id = 'c'")
                            if isEmpty { try transaction.execute("INSERT INTO tills VALUES ('c', \(number))") }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `connections that the server cut are opened anew, and the caller notices nothing`() async throws {
        try await withDatabase { database, url in
            let server = try TestPostgres.shared.get()
            for _ in 0..<3 {
                for _ in 0..<20 {
                    try await database.write { _ = try $0.execute("UPDATE tills SET amount = amount + 1") }
                    _ = try await database.read { try $0.exists("SELECT 1 FROM tills") }
                }
                let name = url.split(separator: "/").last ?? ""
                try server.psql(
                    "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
            }
            try await database.write { _ = try $0.execute("UPDATE tills SET amount = amount + 1") }
            let amount = try await database.read {
                try $0.first("SELECT amount FROM tills WHERE id = 'a'") { try $0.next(Int.self) }
            }
            #expect(amount == 61)
        }
    }

    @Test func `a text with U+0000 is refused instead of cut`() async throws {
        try await withDatabase { database, _ in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { _ = try $0.execute("INSERT INTO tills VALUES (\("x\u{0}y"), 1)") }
            }
            #expect(error?.kind == .statement)
        }
    }

    @Test func `a server that cannot be reached is told at opening`() async throws {
        let error = #expect(throws: DatabaseError.self) {
            try PostgresEngine(.init(url: "postgres://nobody@127.0.0.1:1/nothing"))
        }
        #expect(error?.kind == .connection)
    }

    @Test func `more statements than are kept still work`() async throws {
        try await withDatabase({ $0.readers = 1 }) { database, _ in
            let sum = try await database.read { connection in
                try (0..<1_100).reduce(0) { sum, number in
                    try sum + (connection.first(SQL(stringLiteral: "SELECT \(number)")) { try $0.next(Int.self) } ?? 0)
                }
            }
            #expect(sum == 1_099 * 1_100 / 2)
        }
    }

    @Test func `a read sees what was written before it, whatever its connection did last`() async throws {
        try await withDatabase({ $0.readers = 1 }) { database, _ in
            @Sendable func amount(_ connection: Connection) throws -> Int? {
                try connection.first("SELECT amount FROM tills WHERE id = 'a'") { try $0.next(Int.self) }
            }
            // Three that end without having asked, having asked, and with a setting that nobody has waited for.
            try await database.read { _ in }
            for expected in 0..<5 {
                #expect(try await database.read(amount) == expected)
                let planned = try await database.read { connection in
                    try connection.planningForValues { try amount(connection) }
                }
                #expect(planned == expected)
                _ = try await database.write { try $0.execute("UPDATE tills SET amount = amount + 1 WHERE id = 'a'") }
            }
        }
    }
}
