// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Identity
internal import Kernel
internal import Logging
internal import Persistence
internal import Resilience
internal import Telemetry

struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos", abstract: "Do faults to a sample shop, and see whether what you expect holds.",
        discussion: """
            The file says how the shop is without faults, which are made, what must hold with and after them, and when to abort;
            docs/CHAOS.md has one. With VITRINE_REDIS, limits are counted there. Exit status 0 when everything held, 1 when \
            something did not, 2 when it was aborted.
            """)

    @Argument(help: "A file of JSON.")
    var file: String

    @Option(name: .long, help: "An empty Postgres database, which the sample shop then fills. Default: SQLite.")
    var database: String?

    @Option(name: .long, help: "Another seed than the file's.")
    var seed: Int?

    func run() async throws {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw ValidationError("There is no file \(file).")
        }
        var experiment = try Experiment.read(Array(bytes))
        if let seed {
            guard seed >= 0 else { throw ValidationError("A seed is a number from 0 on, not \(seed).") }
            experiment.seed = seed
        }
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("vitrine-chaos-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var configuration = try Configuration()
        (configuration.dataDirectory, configuration.databaseURL, configuration.port) = (path, database, 0)
        configuration.replicaURLs = []
        let faults = FaultInjector()
        configuration.faults = faults
        configuration.logLevel = .error
        let signals = try Signals.telemetry(configuration)
        signals.telemetry.bootstrap()
        try experiment.check(wires: Wires.edges(of: configuration))
        if database != nil { try await Self.requireEmpty(configuration) }
        let shop = try await Shop.open(configuration)
        try await SampleShop(shop: shop).fill()
        let key = try await EmbeddedShop.temporaryKey(shop, name: "chaos")
        Terminal.say("\(experiment.title) (seed \(experiment.seed))")
        let found = experiment
        let findings = try await EmbeddedShop.run(shop, signals: signals) { address in
            try await ExperimentRun(
                experiment: found, shop: shop, faults: faults, address: address, key: key, say: { Terminal.say($0) }
            ).run()
        }
        await shop.close()
        for sentence in findings.broken { Terminal.say("not held: \(sentence)") }
        Terminal.say(findings.broken.isEmpty ? "Everything held." : "Not everything held.")
        if findings.isAborted { throw ExitCode(2) }
        if !findings.broken.isEmpty { throw ExitCode.failure }
    }

    /// Before anything is changed there.
    private static func requireEmpty(_ configuration: Configuration) async throws {
        var plain = configuration
        plain.faults = nil
        let database = try Shop.openDatabase(plain)
        let missing = try await Migrator(database: database, migrations: Migrations.all).pending()
        await database.close()
        guard missing.count == Migrations.all.count else {
            throw ValidationError("There is a shop already in that database. Name an empty one.")
        }
    }
}
