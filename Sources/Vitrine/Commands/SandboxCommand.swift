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
            running. VITRINE_SANDBOX_URL says to both how developers reach it.
            """)

    @Option(name: .long, help: "The data directory of the shop (VITRINE_DATA); the sandbox lies in it, too.")
    var data: String?

    @Option(name: .long, help: "The Postgres server of the shop instead (VITRINE_DATABASE).")
    var database: String?

    @Option(name: .long, help: "The address to listen on (VITRINE_HOST).")
    var host: String?

    @Option(name: .long, help: "The port to listen on; 0 takes a free one.")
    var port = 8_082

    func run() async throws {
        ProcessLimits.raiseFileLimit()
        var configuration = try Configuration()
        configuration.dataDirectory = data ?? configuration.dataDirectory
        configuration.databaseURL = database ?? configuration.databaseURL
        let live = try await Self.openLive(configuration)
        configuration.dataDirectory += "/sandbox"
        configuration.databaseURL = nil
        configuration.host = host ?? configuration.host
        configuration.port = port == 0 ? FreePort.find() : port
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
        let application = try Self.application(sandbox, settings) { port in
            let scheme = settings.tls == nil ? "http" : "https"
            Terminal.say("The sandbox listens on \(scheme)://\(settings.host):\(port)")
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

    private static func application(
        _ sandbox: Sandbox, _ configuration: Configuration, onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> some Service {
        var logger = Logger(label: "vitrine.server")
        logger.logLevel = max(configuration.logLevel, .warning)
        return Application(
            responder: SandboxResponder(sandbox),
            server: .shop(
                answers: try sandbox.generation.shop.calls.ready, idleTimeout: .seconds(configuration.idleSeconds),
                baseURL: configuration.baseURL, clock: .system,
                certificates: try configuration.certificates()),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: "vitrine"),
            onServerRunning: { await onRunning($0.localAddress?.port ?? 0) },
            logger: logger)
    }
}
