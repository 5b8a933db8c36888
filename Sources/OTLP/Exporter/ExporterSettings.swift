// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOSSL
package import Telemetry

/// Where signals go and how, with the names of OpenTelemetry's specification (protocol/exporter, SDK environment variables).
package struct ExporterSettings: Sendable {
    package enum WireProtocol: String, Sendable {
        case http = "http/protobuf"
        case grpc
    }

    /// Where one kind of signal goes.
    package struct Target: Sendable {
        /// Whole, with its path for HTTP.
        package var url: String
        package var headers: [(String, String)]
    }

    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; default `http://localhost:4318`, for gRPC 4317. `/v1/traces` and so on are appended for
    /// HTTP. `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and its like for the others are taken as they are.
    package var traces: Target
    package var metrics: Target
    package var logs: Target
    /// `OTEL_EXPORTER_OTLP_PROTOCOL`: `http/protobuf` (the default) or `grpc`.
    package var wireProtocol = WireProtocol.http
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds; default 10,000.
    package var timeout = Duration.seconds(10)
    /// `OTEL_EXPORTER_OTLP_COMPRESSION`: `gzip` or `none`, which is the default.
    package var isCompressed = false
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE`: a PEM file of those who may vouch for the collector; default the system's.
    package var certificate: String?
    /// Items of one signal that may wait to be written into a request; more are dropped and counted.
    /// `OTEL_BSP_MAX_QUEUE_SIZE` for spans, `OTEL_BLRP_MAX_QUEUE_SIZE` for log records; default 16,384.
    package var spansQueueMax = 16_384
    package var logsQueueMax = 16_384
    /// Items of one request. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`; default 512.
    package var spansBatchMax = 512
    package var logsBatchMax = 512
    /// How long a batch waits for more at most; the shorter counts for both. `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY`, in milliseconds; default 1,000.
    package var spansDelay = Duration.seconds(1)
    package var logsDelay = Duration.seconds(1)
    /// `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds; default 60,000.
    package var metricsInterval = Duration.seconds(60)
    /// Which signals are sent; `OTEL_TRACES_EXPORTER` and its like for the others say `otlp` or `none`.
    package var signals = Set(Signal.allCases)
    /// Where batches wait while the collector is away; `nil` keeps them in memory.
    package var spoolFolder: String?
    /// What may wait there of each signal. Default 256 MiB on disk, a sixteenth of that in memory.
    package var spoolBytesMax = 256 << 20
    /// How long a batch may wait there. Default 24 hours.
    package var spoolAgeMax = Duration.seconds(86_400)
    var backoff = Backoff()

    static let userAgent = "OTel-OTLP-Exporter-Vitrine/0.1"

    /// For both ways to a collector.
    var tls: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let certificate { configuration.trustRoots = .file(certificate) }
        return configuration
    }

    package subscript(signal: Signal) -> Target {
        switch signal {
        case .traces: traces
        case .metrics: metrics
        case .logs: logs
        }
    }

    /// To `endpoint`, such as `http://localhost:4318`, with everything else as it is by default.
    package init(endpoint: String, wireProtocol: WireProtocol = .http) {
        self.wireProtocol = wireProtocol
        func target(_ signal: Signal) -> Target {
            Target(url: Self.url(endpoint, signal, wireProtocol), headers: [])
        }
        (traces, metrics, logs) = (target(.traces), target(.metrics), target(.logs))
    }

    /// - Throws: `Failure` with `misconfigured`, naming the variable and what it takes.
    package init(environment: [String: String]) throws {
        let variables = Variables(environment)
        let wireProtocol = try variables.choice(
            "OTEL_EXPORTER_OTLP_PROTOCOL", ["http/protobuf": WireProtocol.http, "grpc": .grpc])
        let endpoint =
            variables.text("OTEL_EXPORTER_OTLP_ENDPOINT")
            ?? (wireProtocol == .grpc ? "http://localhost:4317" : "http://localhost:4318")
        self.init(endpoint: endpoint, wireProtocol: wireProtocol ?? .http)
        try variables.refuseSingleSignals()
        traces = try variables.target(.traces, traces)
        metrics = try variables.target(.metrics, metrics)
        logs = try variables.target(.logs, logs)
        timeout = try variables.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", timeout)
        certificate = try variables.file("OTEL_EXPORTER_OTLP_CERTIFICATE")
        isCompressed =
            try variables.choice("OTEL_EXPORTER_OTLP_COMPRESSION", ["gzip": true, "none": false]) ?? isCompressed
        spansQueueMax = try variables.number("OTEL_BSP_MAX_QUEUE_SIZE", spansQueueMax)
        logsQueueMax = try variables.number("OTEL_BLRP_MAX_QUEUE_SIZE", logsQueueMax)
        spansBatchMax = try variables.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", spansBatchMax)
        logsBatchMax = try variables.number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", logsBatchMax)
        spansDelay = try variables.milliseconds("OTEL_BSP_SCHEDULE_DELAY", spansDelay)
        logsDelay = try variables.milliseconds("OTEL_BLRP_SCHEDULE_DELAY", logsDelay)
        metricsInterval = try variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", metricsInterval)
        _ = try variables.choice(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["cumulative": true])
    }

    /// `name=value,name=value`, with values percent-encoded, as the variables of headers and of the resource are.
    ///
    /// - Throws: `Failure` with `misconfigured` that names the variable and not the value, which may be a secret.
    package static func pairs(_ variable: String, _ text: String) throws -> [(String, String)] {
        try text.split(separator: ",").map { member in
            let parts = member.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count == 2, !parts[0].isEmpty, let value = parts[1].removingPercentEncoding else {
                throw Failure(.misconfigured, "\(variable) takes name=value pairs, separated by commas.")
            }
            return (parts[0], value)
        }
    }

    fileprivate static func url(_ endpoint: String, _ signal: Signal, _ wireProtocol: WireProtocol) -> String {
        guard wireProtocol == .http else { return endpoint }
        return (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/\(signal.rawValue)"
    }
}

/// Variables of the environment, read strictly: what is misspelt is said, not passed over.
private struct Variables {
    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    func text(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    func number(_ name: String, _ standard: Int) throws -> Int {
        guard let text = text(name) else { return standard }
        guard let value = Int(text), (1...10_000_000).contains(value) else {
            throw Failure(.misconfigured, "\(name) takes a number from 1 to 10,000,000, not “\(text)”.")
        }
        return value
    }

    func milliseconds(_ name: String, _ standard: Duration) throws -> Duration {
        let value = try number(name, 0)
        return value == 0 ? standard : .milliseconds(value)
    }

    func choice<Value>(_ name: String, _ values: KeyValuePairs<String, Value>) throws -> Value? {
        guard let text = text(name) else { return nil }
        guard let value = values.first(where: { $0.key == text.lowercased() })?.value else {
            throw Failure(
                .misconfigured,
                "\(name) takes \(values.map(\.key).joined(separator: " or ")), not “\(text)”.")
        }
        return value
    }

    func file(_ name: String) throws -> String? {
        guard let path = text(name) else { return nil }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw Failure(.misconfigured, "\(name) takes a file that can be read, not “\(path)”.")
        }
        return path
    }

    /// What is set for all signals together here.
    func refuseSingleSignals() throws {
        for signal in Signal.allCases {
            for what in ["PROTOCOL", "TIMEOUT", "COMPRESSION", "CERTIFICATE"] {
                let (name, general) = (
                    "OTEL_EXPORTER_OTLP_\(signal.rawValue.uppercased())_\(what)", "OTEL_EXPORTER_OTLP_\(what)"
                )
                guard let own = text(name), own != text(general) else { continue }
                throw Failure(.misconfigured, "\(name) is not taken; set \(general) for all signals.")
            }
        }
    }

    func target(_ signal: Signal, _ standard: ExporterSettings.Target) throws -> ExporterSettings.Target {
        let name = "OTEL_EXPORTER_OTLP_\(signal.rawValue.uppercased())"
        let url = text("\(name)_ENDPOINT") ?? standard.url
        guard let address = URL(string: url), ["http", "https"].contains(address.scheme), address.host() != nil else {
            throw Failure(
                .misconfigured, "\(name)_ENDPOINT takes an address such as http://localhost:4318, not “\(url)”.")
        }
        return ExporterSettings.Target(
            url: url, headers: try headers("OTEL_EXPORTER_OTLP_HEADERS") + headers("\(name)_HEADERS"))
    }

    private func headers(_ name: String) throws -> [(String, String)] {
        try ExporterSettings.pairs(name, text(name) ?? "")
    }
}
