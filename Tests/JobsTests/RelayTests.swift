// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import Synchronization
import TestSupport
import Testing

@testable import Jobs

struct RelayTests {
    private func withJobs(_ test: (JobsModule, Database) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let database = Database(engine: try SQLiteEngine(.init(path: directory.path + "/test.sqlite")))
        try await Migrator(database: database, migrations: JobsModule.migrations).migrate(clock: .system)
        try await database.write { try $0.run(script: "CREATE TABLE heard (subject TEXT NOT NULL)") }
        try await test(JobsModule(database: database, clock: .system), database)
        await database.close()
    }

    private func heard(_ database: Database) async throws -> [String] {
        try await database.read { try $0.all("SELECT subject FROM heard ORDER BY rowid") { try $0.next(String.self) } }
    }

    @Test func `each event is heard once, in order, however often the relay runs`() async throws {
        try await withJobs { jobs, database in
            let subscription = Subscription("test", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\(event.subject))")
            }
            for number in 0..<500 {
                try await database.write { transaction in
                    let type = number % 2 == 0 ? "thing.made" : "thing.lost"
                    try jobs.outbox.publish(type, subject: "\(number)", actor: "test", [:], in: transaction)
                }
            }
            await jobs.relay([subscription]).drain()
            await jobs.relay([subscription]).drain()
            #expect(try await heard(database) == (0..<500).filter { $0 % 2 == 0 }.map(String.init))
        }
    }

    @Test func `an event of a change that was undone is never heard`() async throws {
        try await withJobs { jobs, database in
            struct Undone: Error {}
            try? await database.write { transaction in
                try jobs.outbox.publish("thing.made", subject: "ghost", actor: "test", [:], in: transaction)
                throw Undone()
            }
            let subscription = Subscription("test", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\(event.subject))")
            }
            await jobs.relay([subscription]).drain()
            let subjects = try await heard(database)
            #expect(subjects.isEmpty)
        }
    }

    @Test func `while it runs a consumer that fails is tried again by itself, and says so`() async throws {
        try await withJobs { jobs, database in
            struct Unwell: Error {}
            let tries = Tries()
            let bad = Subscription("bad", to: ["thing.made"]) { _, _ in
                if tries.next() <= 3 { throw Unwell() }
            }
            let good = Subscription("good", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\(event.subject))")
            }
            let (relay, chore) = (jobs.relay([bad, good]), Schedule("ill", every: .seconds(60)) { throw Unwell() })
            try await database.write { transaction in
                try jobs.outbox.publish("thing.made", subject: "A", actor: "test", [:], in: transaction)
            }
            await withTaskGroup { group in
                group.addTask { try? await relay.run() }
                group.addTask { try? await jobs.runner([chore]).run() }
                while tries.count < 4 { try? await Task.sleep(for: .milliseconds(10)) }
                group.cancelAll()
            }
            #expect(try await heard(database) == ["A"])
            #expect(tries.count == 4, "the fourth time it was well, and it is heard once")
            let faults = jobs.supervision.faults
            #expect(faults.count == 2 && faults[0].hasPrefix("chore ill failed"), "\(faults)")
            #expect(faults.last?.hasPrefix("consumer bad failed") == true)
        }
    }

    private final class Tries: Sendable {
        private let made = Mutex(0)
        var count: Int { made.withLock { $0 } }

        func next() -> Int {
            made.withLock { made in
                made += 1
                return made
            }
        }
    }

    @Test func `a consumer that fails keeps its place, and the others go on`() async throws {
        try await withJobs { jobs, database in
            struct Trouble: Error {}
            let isBroken = Mutex(true)
            let troubled = Subscription("troubled", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\("troubled " + event.subject))")
                if isBroken.withLock({ $0 }) { throw Trouble() }
            }
            let healthy = Subscription("healthy", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\("healthy " + event.subject))")
            }
            try await database.write { try jobs.outbox.publish("thing.made", subject: "1", actor: "test", [:], in: $0) }
            let relay = jobs.relay([troubled, healthy])
            await relay.drain()
            #expect(try await heard(database) == ["healthy 1"])
            isBroken.withLock { $0 = false }
            await relay.drain()
            #expect(try await heard(database) == ["healthy 1", "troubled 1"])
        }
    }

    @Test func `who sums up changes once for many events, and counts each once, however often it fails`() async throws {
        try await withJobs { jobs, database in
            struct Trouble: Error {}
            let tries = Tries()
            let subscription = Subscription(
                "sums", to: ["thing.made"], within: .milliseconds(1), summing: [Int64](),
                { event, sum in sum.append(event.data["units"]?.integer ?? 0) },
                apply: { sum, transaction in
                    let text = "\(sum.count) \(sum.reduce(0, +))"
                    try transaction.execute("INSERT INTO heard (subject) VALUES (\(text))")
                    if tries.next() == 1 { throw Trouble() }
                })
            try await database.write { transaction in
                for number in 0..<1_500 {
                    let type = number % 2 == 0 ? "thing.made" : "thing.lost"
                    let data: JSON = ["units": .integer(Int64(number))]
                    try jobs.outbox.publish(type, subject: "\(number)", actor: "test", data, in: transaction)
                }
            }
            let relay = jobs.relay([subscription])
            for _ in 0..<3 { await relay.drain() }
            let even = (0..<750).map { $0 * 2 }
            #expect(
                try await heard(database) == [
                    "500 \(even[..<500].reduce(0, +))", "250 \(even[500...].reduce(0, +))",
                ])
        }
    }

    @Test func `what one of several relays has delivered meanwhile is not delivered again`() async throws {
        try await withJobs { jobs, database in
            let subscription = Subscription("test", to: ["thing.made"]) { event, transaction in
                try transaction.execute("INSERT INTO heard (subject) VALUES (\(event.subject))")
            }
            for number in 0..<600 {
                try await database.write {
                    try jobs.outbox.publish("thing.made", subject: "\(number)", actor: "test", [:], in: $0)
                }
            }
            await withTaskGroup { group in
                for _ in 0..<4 { group.addTask { await jobs.relay([subscription]).drain() } }
            }
            #expect(try await heard(database) == (0..<600).map(String.init))
        }
    }
}
