// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Persistence

struct MigratorTests {
    private let first = Migration("test-0001-first", .expand, "CREATE TABLE one (id INTEGER)")
    private let second = Migration("test-0002-second", .expand, "CREATE TABLE two (id INTEGER)")

    private func withDatabase(_ test: (Database) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let database = Database(engine: try SQLiteEngine(.init(path: directory.path + "/test.sqlite")))
        try await test(database)
        await database.close()
    }

    @Test func `each migration is applied once, in order`() async throws {
        try await withDatabase { database in
            let one = try await Migrator(database: database, migrations: [first]).migrate(clock: .system)
            #expect(one.map(\.name) == [first.name])
            let both = Migrator(database: database, migrations: [first, second])
            let pending = try await both.pending()
            #expect(pending.map(\.name) == [second.name])
            let applied = try await both.migrate(clock: .system)
            #expect(applied.map(\.name) == [second.name])
            #expect(try await both.migrate(clock: .system).isEmpty)
        }
    }

    @Test func `a migration that was edited after it was applied is refused`() async throws {
        try await withDatabase { database in
            try await Migrator(database: database, migrations: [first]).migrate(clock: .system)
            let edited = Migration(first.name, .expand, "CREATE TABLE one (id INTEGER, more TEXT)")
            let error = await #expect(throws: Failure.self) {
                try await Migrator(database: database, migrations: [edited]).migrate(clock: .system)
            }
            #expect(error?.message.contains(first.name) == true)
        }
    }

    @Test func `a database of a newer program is refused`() async throws {
        try await withDatabase { database in
            try await Migrator(database: database, migrations: [first, second]).migrate(clock: .system)
            let error = await #expect(throws: Failure.self) {
                try await Migrator(database: database, migrations: [first]).pending()
            }
            #expect(error?.message.contains(second.name) == true)
        }
    }

    @Test func `a migration that fails leaves nothing behind`() async throws {
        try await withDatabase { database in
            let broken = Migration(
                "test-0002-broken", .expand, "CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER)")
            await #expect(throws: DatabaseError.self) {
                try await Migrator(database: database, migrations: [first, broken]).migrate(clock: .system)
            }
            let pending = try await Migrator(database: database, migrations: [first]).pending()
            #expect(pending.count == 1)
        }
    }
}
