// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Kernel
internal import Persistence

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database to this program's schema.",
        discussion: "`vitrine serve` does the same at its start. With --dry-run nothing is changed.")

    @OptionGroup var location: LocationOptions

    @Flag(name: .long, help: "Only list what would be applied.")
    var dryRun = false

    func run() async throws {
        let database = try Shop.openDatabase(try location.configuration())
        let migrator = Migrator(database: database, migrations: Migrations.all)
        let migrations = try await dryRun ? migrator.pending() : migrator.migrate(clock: .system)
        for migration in migrations {
            Terminal.say("\(dryRun ? "pending" : "applied")  \(migration.name)  (\(migration.step.rawValue))")
        }
        if migrations.isEmpty { Terminal.say("The schema is up to date.") }
        await database.close()
    }
}
