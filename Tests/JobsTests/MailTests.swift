// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Persistence
import Synchronization
import TestSupport
import Testing

@testable import Jobs

/// Letters on their way out.
struct MailTests {
    private final class Postman: Sendable {
        let taken = Mutex<[Mail]>([])
        let trouble = Mutex<(any Error)?>(nil)

        @Sendable func send(_ mail: Mail) async throws {
            if let trouble = trouble.withLock({ $0 }) { throw trouble }
            taken.withLock { $0.append(mail) }
        }
    }

    private func withMails(
        _ test: (Mails, Postman, TestClock, Database) async throws -> Void
    ) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let database = Database(engine: try SQLiteEngine(.init(path: directory.path + "/test.sqlite")))
        try await Migrator(database: database, migrations: JobsModule.migrations).migrate(clock: .system)
        let (postman, clock) = (Postman(), TestClock())
        let jobs = JobsModule(database: database, clock: clock.wall, sendMail: postman.send)
        try await test(#require(jobs.mails), postman, clock, database)
        await database.close()
    }

    private static func mail(_ recipient: String, _ text: String = "Hello") -> Mail {
        Mail(to: recipient, subject: "For you", text: text)
    }

    /// Those that are on their way, and all that are known.
    private func counts(_ database: Database) async throws -> [Int] {
        try await database.read { connection in
            try connection.all(
                "SELECT COUNT(*) FROM mails WHERE due_at IS NOT NULL UNION ALL SELECT COUNT(*) FROM mails"
            ) { try $0.next(Int.self) }
        }
    }

    @Test func `a letter is sent once, if what it tells of was committed`() async throws {
        struct Undone: Error {}
        try await withMails { mails, postman, _, database in
            try await database.write { try mails.add(Self.mail("ann@example.com"), in: $0) }
            await #expect(throws: Undone.self) {
                try await database.write { transaction in
                    try mails.add(Self.mail("bea@example.com"), in: transaction)
                    throw Undone()
                }
            }
            for _ in 0..<3 { try await mails.work() }
            #expect(postman.taken.withLock { $0 } == [Self.mail("ann@example.com")])
            let left = try await database.read { connection in
                try connection.all("SELECT body FROM mails") { try $0.next(String.self) }
            }
            #expect(left == [""], "what was sent is not kept")
        }
    }

    @Test func `what fails comes round again, later each time, and is given up after a day`() async throws {
        try await withMails { mails, postman, clock, database in
            postman.trouble.withLock { $0 = Failure(.unavailable, "The mail server is away.") }
            try await database.write { try mails.add(Self.mail("ann@example.com"), in: $0) }
            try await mails.work()
            postman.trouble.withLock { $0 = nil }
            try await mails.work()
            #expect(postman.taken.withLock { $0.isEmpty }, "not at once")
            clock.advance(by: .seconds(3))
            try await mails.work()
            #expect(postman.taken.withLock { $0.count } == 1)
            postman.trouble.withLock { $0 = Failure(.unavailable, "The mail server is away.") }
            try await database.write { try mails.add(Self.mail("bea@example.com"), in: $0) }
            for _ in 0..<30 {
                try await mails.work()
                clock.advance(by: .seconds(3_600))
            }
            #expect(try await counts(database) == [0, 0])
        }
    }

    @Test func `an address that cannot be is tried once, and one that has had its share is left alone`() async throws {
        try await withMails { mails, postman, clock, database in
            postman.trouble.withLock { $0 = Undeliverable() }
            try await database.write { try mails.add(Self.mail("nobody@example.com"), in: $0) }
            try await mails.work()
            #expect(try await counts(database) == [0, 1])
            postman.trouble.withLock { $0 = nil }
            for number in 0..<10 {
                try await database.write { try mails.add(Self.mail("ann@example.com", "\(number)"), in: $0) }
                try await mails.work()
            }
            #expect(postman.taken.withLock { $0.map(\.text) } == ["0", "1", "2"])
            try await database.write { try mails.add(Self.mail("bea@example.com"), in: $0) }
            clock.advance(by: .seconds(3_601))
            try await database.write { try mails.add(Self.mail("ann@example.com", "next hour"), in: $0) }
            try await mails.work()
            #expect(Set(postman.taken.withLock { $0.suffix(2).map(\.text) }) == ["Hello", "next hour"])
        }
    }

    @Test(arguments: [
        "root,postmaster", "1<ann@example.com>", "(x)ann@example.com", "\"a b\"@example.com",
        "ann@example.com,bea@example.com",
        "@example.com", "ann@", "-f@example.com", "ann@[10.0.0.1]", "ann @example.com", "|sh@example.com", "",
    ])
    func `what is no plain address gets no letter`(text: String) { #expect(!Mail.isAddress(text)) }

    @Test func `no text of a letter becomes a field of it`() throws {
        let mail = Mail(
            to: "ann@example.com", subject: "Hi\r\nBcc: all@example.com " + String(repeating: "Grüße 🎁 ", count: 20),
            text: "One\n.\nFrom here on: ünïcode\n")
        let message = String(decoding: mail.message(from: "shop@example.com", named: "A \"shop\"\n"), as: UTF8.self)
        let head = try #require(message.range(of: "\n\n").map { message[..<$0.lowerBound] })
        let lines = head.split(separator: "\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 90 && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
        let names = lines.filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(
            names == [
                "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
            ])
    }

    @Test func `the machine's sendmail is handed the letter, and what it says of it counts`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (path, letter) = (directory.path + "/sendmail", directory.path + "/letter")
        func program(_ script: String) throws -> Sendmail {
            try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            return Sendmail(path: path, sender: "shop@example.com", name: "Shop")
        }
        let text = String(repeating: "A long letter. ", count: 20_000)
        try await program("echo \"$@\" > \(letter); cat >> \(letter)").send(Self.mail("-ann@example.com", text))
        let sent = try String(contentsOfFile: letter, encoding: .utf8)
        #expect(sent.hasPrefix("-i -f shop@example.com -- -ann@example.com\nFrom: "))
        let body = try #require(sent.range(of: "\n\n").map { sent[$0.upperBound...] })
        let decoded = try #require(Data(base64Encoded: String(body), options: .ignoreUnknownCharacters))
        #expect(String(decoding: decoded, as: UTF8.self) == text)
        await #expect(throws: Undeliverable.self) {
            try await program("exit 67").send(Self.mail("a@example.com", text))
        }
        await #expect(throws: Failure.self) { try await program("exit 75").send(Self.mail("a@example.com")) }
        // One that hangs, and does not even listen, keeps nobody from ending.
        let hanging = try program("trap '' TERM; while :; do sleep 1; done")
        await #expect(throws: (any Error).self) {
            try await withThrowingTaskGroup { group in
                group.addTask { try await hanging.send(Self.mail("a@example.com")) }
                try await Task.sleep(for: .milliseconds(300))
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        try FileManager.default.removeItem(atPath: path)
        await #expect(throws: (any Error).self) {
            try await Sendmail(path: path, sender: "shop@example.com", name: "Shop").send(Self.mail("a@example.com"))
        }
    }
}
