// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Kernel
internal import Logging
internal import OTLP
internal import ObservatoryAPI
internal import ServiceLifecycle
internal import UnixSignals

struct ObserveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observe",
        abstract:
            "Keep metrics, spans and logs of any services, show them, and answer Prometheus, Jaeger and Loki queries.",
        discussion: """
            Takes OTLP (gRPC on 4317 and HTTP on 4318, from this machine; from others HTTP on the port of the observatory, with the \
            token) and Prometheus' remote write (/api/v1/write), and is a data \
            source of Prometheus, Jaeger and Loki for Grafana. Without a token it only listens on this machine. Ctrl-C or SIGTERM ends it.

            Settings, with their defaults:
            \(ObservatorySettings.help)
            """)

    @Option(help: "The directory where telemetry is kept (VITRINE_TELEMETRY).")
    var directory: String?

    @Option(help: "A file with scrape_configs, such as a prometheus.yml (VITRINE_SCRAPE).")
    var scrape: String?

    @Option(help: "The address to listen on (VITRINE_OBSERVATORY_HOST).")
    var host: String?

    @Option(help: "The port for queries and remote write; 0 takes a free one (VITRINE_OBSERVATORY_PORT).")
    var port: Int?

    @Option(help: "The port for OTLP over HTTP; 0 takes a free one.")
    var otlpHTTPPort = 4_318

    @Option(help: "The port for OTLP over gRPC; 0 takes a free one.")
    var otlpGRPCPort = 4_317

    func run() async throws {
        ProcessLimits.useOneArena()
        ProcessLimits.raiseFileLimit()
        let configuration = try Configuration()
        var settings = configuration.observatory
        settings.scrapeFile = scrape ?? settings.scrapeFile
        let host = host ?? settings.host ?? "127.0.0.1"
        guard settings.token != nil || ["127.0.0.1", "::1", "localhost"].contains(host) else {
            throw ValidationError("To listen on \(host), set a token in VITRINE_OBSERVATORY_TOKEN.")
        }
        let observatory = try Observatory(
            settings, jobs: Observatory.jobs(settings),
            folder: directory ?? settings.folder ?? configuration.dataDirectory + "/telemetry", host: host,
            port: port ?? settings.port, access: ObservatoryAccess(operatorToken: settings.token)
        ) { port in
            Terminal.say("The observatory is at http://\(host):\(port), its pages at http://\(host):\(port)/console")
        }
        // These ask nobody for a token.
        let (intake, local) = (observatory.server.intake, "127.0.0.1")
        let http = HTTPReceiver(intake, host: local, port: otlpHTTPPort) { port in
            Terminal.say("OTLP over HTTP on http://\(local):\(port)")
        }
        let grpc = GRPCReceiver(intake, host: local, port: otlpGRPCPort) { port in
            Terminal.say("OTLP over gRPC on http://\(local):\(port)")
        }
        let group = ServiceGroup(
            configuration: .init(
                services: observatory.services(nil) + [http, grpc], gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "vitrine.lifecycle")))
        try await group.run()
        Terminal.say("The observatory has stopped; everything it took is on disk.")
    }
}
