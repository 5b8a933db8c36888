// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
package import OTLP
package import Telemetry

/// Where the process sends what it tells about itself, by OpenTelemetry's own variables.
package struct TelemetrySettings: Sendable {
    package enum Destination: String, Sendable {
        case otlp, console, none
    }

    /// `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER`: `otlp`, `none`, and for traces `console`, which
    /// writes them where log lines go. Default `otlp` where an endpoint is named, else `none`. Whatever they say, metrics stand
    /// at `/metrics` and log lines go to standard output.
    package var traces = Destination.none
    package var metrics = Destination.none
    package var logs = Destination.none
    /// `OTEL_EXPORTER_OTLP_…`, `OTEL_BSP_…`, `OTEL_BLRP_…`, `OTEL_METRIC_EXPORT_INTERVAL`; see ``ExporterSettings``.
    package var exporter = ExporterSettings(endpoint: "http://localhost:4318")
    /// Where signals wait while a collector is away. Default `spool` in the data directory, memory on Postgres. Environment:
    /// `VITRINE_SPOOL`. Set it where several processes share a disk that outlives them.
    package var spoolFolder: String?
    /// `OTEL_SERVICE_NAME`. Default `vitrine`.
    package var service = "vitrine"
    /// `OTEL_RESOURCE_ATTRIBUTES`: `name=value,name=value`, with values percent-encoded.
    package var resource: [Attribute] = []
    /// The share of traces that is kept beside those with errors, the slowest and the rare, 0 to 1; by default all, up to ten
    /// a second. `OTEL_TRACES_SAMPLER`: `always_on` for all of them, `always_off`, or `traceidratio` with the share in
    /// `OTEL_TRACES_SAMPLER_ARG`; each also with `parentbased_` before it, which changes nothing, because it is decided when a
    /// trace is over.
    package var share: Double?

    static let help = """
        VITRINE_SPOOL            directory where signals wait while a collector is away (DATA/spool; memory on Postgres)
        OTEL_EXPORTER_OTLP_ENDPOINT    where signals are sent by OTLP (none); with it its like for headers, protocol, timeout,
                                       compression and certificate, and address and headers of each signal alone
        OTEL_TRACES_EXPORTER     otlp, console or none (otlp with an endpoint, else none)
        OTEL_METRICS_EXPORTER    otlp or none (the same); metrics are at /metrics in any case
        OTEL_LOGS_EXPORTER       otlp or none (the same); lines go to standard output in any case
        OTEL_TRACES_SAMPLER      always_on, always_off or traceidratio with OTEL_TRACES_SAMPLER_ARG, for what is neither
                                 in error nor slow nor rare (all, up to ten a second)
        OTEL_SERVICE_NAME        name of the process in its signals (vitrine); OTEL_RESOURCE_ATTRIBUTES for more
        """

    /// - Throws: `Failure` with `misconfigured`, naming the variable and what it takes.
    init(environment: [String: String]) throws {
        func text(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        exporter = try ExporterSettings(environment: environment)
        spoolFolder = text("VITRINE_SPOOL")
        let isDisabled = text("OTEL_SDK_DISABLED")?.lowercased() == "true"
        func destination(_ signal: Signal, _ allowed: [Destination]) throws -> Destination {
            let name = "OTEL_\(signal.rawValue.uppercased())_EXPORTER"
            guard let text = text(name) else {
                let isNamed =
                    environment["OTEL_EXPORTER_OTLP_ENDPOINT"]?.isEmpty == false
                    || environment["OTEL_EXPORTER_OTLP_\(signal.rawValue.uppercased())_ENDPOINT"]?.isEmpty == false
                return isNamed && !isDisabled ? .otlp : .none
            }
            guard let found = Destination(rawValue: text), allowed.contains(found) else {
                let words = allowed.map(\.rawValue).joined(separator: " or ")
                throw Failure(.misconfigured, "\(name) takes \(words), not “\(text)”.")
            }
            return isDisabled ? .none : found
        }
        traces = try destination(.traces, [.otlp, .console, .none])
        metrics = try destination(.metrics, [.otlp, .none])
        logs = try destination(.logs, [.otlp, .none])
        exporter.signals = Set(
            [(Signal.traces, traces), (.metrics, metrics), (.logs, logs)].filter { $0.1 == .otlp }.map(\.0))
        let named = try ExporterSettings.pairs("OTEL_RESOURCE_ATTRIBUTES", text("OTEL_RESOURCE_ATTRIBUTES") ?? "")
        // The name's own variable wins over the list (OpenTelemetry, SDK environment variables).
        service =
            text("OTEL_SERVICE_NAME") ?? named.first { $0.0 == "service.name" }?.1 ?? service
        resource = named.filter { $0.0 != "service.name" }.map { Attribute($0.0, .string($0.1)) }
        share = try Self.share(text("OTEL_TRACES_SAMPLER"), text("OTEL_TRACES_SAMPLER_ARG"))
    }

    private static func share(_ sampler: String?, _ argument: String?) throws -> Double? {
        switch sampler?.replacing("parentbased_", with: "") {
        case nil: return nil
        case "always_on": return 1
        case "always_off": return 0
        case "traceidratio":
            guard let share = Double(argument ?? "1"), (0...1).contains(share) else {
                throw Failure(
                    .misconfigured, "OTEL_TRACES_SAMPLER_ARG takes a share from 0 to 1, not “\(argument ?? "")”.")
            }
            return share
        default:
            throw Failure(
                .misconfigured,
                "OTEL_TRACES_SAMPLER takes always_on, always_off or traceidratio, not “\(sampler ?? "")”.")
        }
    }
}
