// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Logging
internal import OTLP
internal import ServiceLifecycle
internal import Telemetry
internal import UnixSignals

struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Receive traces, metrics and logs by OTLP, and print them.",
        discussion: """
            For whoever wants to see what a service sends: point its OTEL_EXPORTER_OTLP_ENDPOINT here. Prints a line for each \
            span, log record and metric point: text at a terminal, else JSON. Keeps nothing. VITRINE_TLS_CERTIFICATE and \
            VITRINE_TLS_KEY name a certificate chain and its key for TLS. Ctrl-C or SIGTERM ends it.
            """)

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port for OTLP over HTTP; 0 takes a free one.")
    var httpPort = 4_318

    @Option(help: "The port for OTLP over gRPC; 0 takes a free one.")
    var grpcPort = 4_317

    /// What may wait for a slow reader of the output.
    private static let bytesMax = 256 << 20

    func run() async throws {
        let console = ConsoleSink(isatty(STDOUT_FILENO) == 1 ? .pretty : .json, bytesMax: Self.bytesMax)
        let intake = Intake { batch in
            if console.isBehind { throw Intake.Overload(retryAfter: .seconds(1)) }
            let left = console.show(batch)
            return left == 0 ? .none : Intake.Refusal(items: left, reason: "The output is not read fast enough.")
        }
        let (host, configuration) = (host, try Configuration())
        let scheme = configuration.tls == nil ? "http" : "https"
        let http = HTTPReceiver(
            intake, host: host, port: httpPort, certificates: try configuration.certificates("http/1.1")
        ) { port in
            Terminal.say("OTLP over HTTP on \(scheme)://\(host):\(port)")
        }
        let grpc = GRPCReceiver(intake, host: host, port: grpcPort, certificates: try configuration.certificates("h2"))
        {
            port in
            Terminal.say("OTLP over gRPC on \(scheme)://\(host):\(port)")
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [http, grpc], gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "vitrine.lifecycle")))
        try await group.run()
        console.flush()
    }
}
