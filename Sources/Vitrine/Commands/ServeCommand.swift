// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Identity
internal import Logging
internal import Persistence
internal import ServiceLifecycle
internal import Telemetry
internal import UnixSignals

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Open the shop: the API, and the work behind it.",
        discussion: """
            The first start makes the data directory and prints an administrator's API key, once. Ctrl-C or SIGTERM ends
            the process after the requests it has taken.

            Settings, with their defaults:
            \(Configuration.help)
            """)

    @OptionGroup var location: LocationOptions

    func run() async throws {
        ProcessLimits.raiseFileLimit()
        let configuration = try location.configuration()
        let signals = try Signals.telemetry(configuration)
        let telemetry = signals.telemetry
        telemetry.bootstrap()
        let shop = try await Shop.open(configuration)
        if let secret = try await shop.identity.administratorKeyAtFirstStart() {
            Terminal.say("The administrator's API key, shown only now: \(secret)")
        }
        let observatory = try Observatory.beside(shop, signals, try configuration.certificates("http/1.1")) {
            address in
            Terminal.say("The observatory is at \(address), its pages at \(address)/console")
        }
        let health = Signals.health(of: shop, signals, observatory)
        let reports = Signals.endpoints(telemetry, health)
        let application = shop.makeApplication(
            beside: reports, certificates: try configuration.certificates("h2", "http/1.1")
        ) {
            port in
            Terminal.say("Vitrine listens on \(configuration.scheme)://\(configuration.host):\(port)")
        }
        let watching = observatory?.services(signals) ?? []
        let group = ServiceGroup(
            configuration: .init(
                // Ended from the last to the first: not ready, then no more requests, then nothing more to tell.
                services: watching + signals.services + [application, health],
                gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "vitrine.lifecycle")))
        try await group.run()
        await shop.close()
        Terminal.say("Vitrine has stopped; everything it answered is on disk.")
    }
}

/// Where a command finds the shop; each option goes before its variable in the environment.
struct LocationOptions: ParsableArguments {
    @Option(name: .long, help: "The data directory (VITRINE_DATA).")
    var data: String?

    @Option(name: .long, help: "A Postgres server instead of a data directory (VITRINE_DATABASE).")
    var database: String?

    @Option(name: .long, help: "The address to listen on (VITRINE_HOST).")
    var host: String?

    @Option(name: .long, help: "The port to listen on; 0 takes a free one (VITRINE_PORT).")
    var port: Int?

    func configuration() throws -> Configuration {
        var configuration = try Configuration()
        configuration.dataDirectory = data ?? configuration.dataDirectory
        configuration.databaseURL = database ?? configuration.databaseURL
        configuration.host = host ?? configuration.host
        configuration.port = port ?? configuration.port
        if configuration.port == 0 {
            configuration.port = FreePort.find()
            // So that several fit on a machine.
            configuration.observatory.port = FreePort.find()
        }
        return configuration
    }
}
