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
            Takes OTLP (gRPC on 4317, HTTP on 4318) and Prometheus' remote write (/api/v1/write), and is a data source of \
            Prometheus, Jaeger and Loki for Grafana. Without a token it only listens on this machine; to others it needs one, and \
            asks for it wherever they send or read. Ctrl-C or SIGTERM ends it.

            Settings, with their defaults:
            VITRINE_OTLP_HOST        address where OTLP is taken on ports of its own (127.0.0.1, where nobody needs the token)
            VITRINE_TLS_CERTIFICATE  certificate chain in PEM, for TLS on all ports (none)
            VITRINE_TLS_KEY          its key in PEM; both may be replaced meanwhile
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

    @Option(help: "The address to take OTLP on (VITRINE_OTLP_HOST).")
    var otlpHost: String?

    @Option(help: "The port for OTLP over HTTP; 0 takes a free one.")
    var otlpHTTPPort = 4_318

    @Option(help: "The port for OTLP over gRPC; 0 takes a free one.")
    var otlpGRPCPort = 4_317

    func run() async throws {
        ProcessLimits.raiseFileLimit()
        let configuration = try Configuration()
        var settings = configuration.observatory
        settings.scrapeFile = scrape ?? settings.scrapeFile
        let host = host ?? settings.host ?? "127.0.0.1"
        let otlpHost = otlpHost ?? settings.otlpHost ?? "127.0.0.1"
        for host in [host, otlpHost] where settings.token == nil && !Self.isThisMachine(host) {
            throw ValidationError("To listen on \(host), set a token in VITRINE_OBSERVATORY_TOKEN.")
        }
        let access = ObservatoryAccess(operatorToken: settings.token)
        let scheme = configuration.tls == nil ? "http" : "https"
        let observatory = try Observatory(
            settings, jobs: Observatory.jobs(settings),
            folder: directory ?? settings.folder ?? configuration.dataDirectory + "/telemetry", host: host,
            port: port ?? settings.port, access: access, certificates: try configuration.certificates("http/1.1")
        ) { port in
            let address = "\(scheme)://\(host):\(port)"
            Terminal.say("The observatory is at \(address), its pages at \(address)/console")
        }
        let intake = observatory.server.intake
        let senders: Intake.Access =
            Self.isThisMachine(otlpHost) ? .everybody : .those { await access.allows(authorization: $0) }
        let http = HTTPReceiver(
            intake, host: otlpHost, port: otlpHTTPPort, certificates: try configuration.certificates("http/1.1"),
            access: senders
        ) { port in
            Terminal.say("OTLP over HTTP on \(scheme)://\(otlpHost):\(port)")
        }
        let grpc = GRPCReceiver(
            intake, host: otlpHost, port: otlpGRPCPort, certificates: try configuration.certificates("h2"),
            access: senders
        ) { port in
            Terminal.say("OTLP over gRPC on \(scheme)://\(otlpHost):\(port)")
        }
        let group = ServiceGroup(
            configuration: .init(
                services: observatory.services(nil) + [http, grpc], gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "vitrine.lifecycle")))
        try await group.run()
        Terminal.say("The observatory has stopped; everything it took is on disk.")
    }

    private static func isThisMachine(_ host: String) -> Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }
}
