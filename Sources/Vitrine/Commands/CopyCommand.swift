// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Catalog
internal import Foundation
internal import Jobs
internal import Kernel
internal import Persistence

struct CopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Move a shop from one database to another, and prove that all of it arrived.",
        discussion: """
            A place is `sqlite:DIRECTORY` or `postgres://user@host:port/database`. The target must be empty. Stop the shop
            first: rows that change meanwhile make the checksums differ, and the copy is refused.

            Each table ends with its number of rows and a SHA-256 over them that is the same on both sides.
            """)

    @Option(name: .long, help: "Where the shop is.")
    var from: String

    @Option(name: .long, help: "Where it is to go.")
    var to: String

    func run() async throws {
        let source = try place(from)
        if source.databaseURL == nil, !FileManager.default.fileExists(atPath: source.databasePath) {
            throw Failure(.misconfigured, "There is no shop in \(source.dataDirectory).")
        }
        let left = try Shop.openDatabase(source)
        guard try await Migrator(database: left, migrations: Migrations.all).pending().isEmpty else {
            throw Failure(.misconfigured, "The source has an older schema. Run vitrine migrate on it first.")
        }
        let outbox = JobsModule(database: left, clock: .system).outbox
        try await outbox.numberAll(of: left)
        let arrived = try Shop.openDatabase(try place(to))
        try await Migrator(database: arrived, migrations: Migrations.all).migrate(clock: .system)
        let copy = TableCopy(
            from: left, to: arrived,
            // The schema's history is the target's own, and so is the search index.
            excluding: { $0 == "schema_migrations" || $0.hasPrefix("product_search") || $0.hasPrefix("search_") },
            firstBy: ["categories": "length(path)"])
        try await copy.run { report in
            let name = report.table.padding(toLength: 24, withPad: " ", startingAt: 0)
            Terminal.say("\(name) \(report.rows) rows  \(report.checksum)")
        }
        try await arrived.write { try outbox.continueNumbering(in: $0) }
        await left.close()
        // Opening the shop makes no secret anew: they were copied.
        let shop = try await Shop(try place(to), database: arrived, clock: .system)
        try await shop.catalog.rebuildSearch()
        await arrived.close()
        Terminal.say("Everything arrived. Start the shop there, and keep the old place until you have seen it run.")
    }

    private func place(_ text: String) throws -> Configuration {
        var configuration = try Configuration()
        configuration.databaseURL = nil
        if text.hasPrefix("sqlite:") {
            configuration.dataDirectory = String(text.dropFirst("sqlite:".count))
        } else if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            configuration.databaseURL = text
        } else {
            throw ValidationError("A place is sqlite:DIRECTORY or postgres://user@host:port/database, not “\(text)”.")
        }
        return configuration
    }
}
