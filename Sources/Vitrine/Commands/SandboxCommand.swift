// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Hummingbird
internal import Identity
internal import Kernel
internal import Logging
internal import Persistence
internal import ServiceLifecycle
internal import Telemetry
internal import UnixSignals
internal import Web

struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox", abstract: "Open a shop to try things on, beside the real one.",
        discussion: """
            The same code over data of its own, with the apps of the shop under test secrets: docs/SANDBOX.md. The shop may be
            running. It listens on port 8082 where none is given; VITRINE_SANDBOX_URL says to both how developers reach it.
            """)

    /// Of the shop; the address and the port are the sandbox's.
    @OptionGroup var location: LocationOptions

    private static let port = 8_082

    func run() async throws {
        ProcessLimits.raiseFileLimit()
        var configuration = try location.configuration()
        let live = try await Self.openLive(configuration)
        // As the shop reads its own address, whatever is said here of the sandbox's.
        configuration.sandboxOf = try Configuration().baseURL
        configuration.dataDirectory += "/sandbox"
        configuration.databaseURL = nil
        if location.port == nil { configuration.port = Self.port }
        configuration.publicURL = configuration.sandboxURL
        configuration.observatory.isOff = true
        configuration.telemetry.service += "-sandbox"
        let signals = try Signals.telemetry(configuration)
        signals.telemetry.bootstrap()
        let sandbox = try await Sandbox(configuration, of: live) { shop in
            let health = Signals.health(of: shop, signals)
            return (Signals.endpoints(signals.telemetry, health), [health])
        }
        Terminal.say("The sandbox's API key: \(sandbox.credentials.administratorKey)")
        Terminal.say("People sign in as owner@sandbox.example and others, with \(sandbox.credentials.password)")
        let settings = configuration
        let application = settings.server(
            of: SandboxResponder(sandbox), ready: try sandbox.generation.shop.calls.ready, clock: .system,
            certificates: try settings.certificates("h2", "http/1.1")
        ) { port in
            Terminal.say("The sandbox listens on \(settings.scheme)://\(settings.host):\(port)")
        }
        let group = ServiceGroup(
            configuration: .init(
                services: signals.services + [sandbox, application], gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "vitrine.lifecycle")))
        try await group.run()
        await live.close()
        Terminal.say("The sandbox has stopped.")
    }

    /// The shop's database, as it is: whoever only wants to try things out must not change it.
    private static func openLive(_ configuration: Configuration) async throws -> Database {
        guard configuration.databaseURL != nil || FileManager.default.fileExists(atPath: configuration.databasePath)
        else {
            throw ValidationError(
                "There is no shop in \(configuration.dataDirectory). Open one first with vitrine serve.")
        }
        let live = try Shop.openDatabase(configuration)
        guard try await Migrator(database: live, migrations: Migrations.all).pending().isEmpty else {
            await live.close()
            throw ValidationError(
                "The shop's database is of another version. Restart the shop with this program first.")
        }
        return live
    }
}
