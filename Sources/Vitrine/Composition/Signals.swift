// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Logging
internal import Persistence
package import Telemetry
internal import Web

/// What the process tells about itself: every metric it has, and where they are read.
package enum Signals {
    /// Of the shop; those of telemetry and of the process are ``ProcessTelemetry/ownDescriptions``.
    static let metrics =
        [
            MetricDescription(
                "http.server.request.duration", .histogram, unit: "s",
                labels: [
                    "http.request.method", "http.route", "http.response.status_code", "error.type", "url.scheme",
                ],
                "How long requests took, by route; answers from the ready lane included.")
        ] + Health.descriptions

    /// Every metric of the process.
    package static let allMetrics = metrics + ProcessTelemetry.ownDescriptions

    /// One for the process. Lines go to standard output as JSON, or to a person's terminal as text.
    static func telemetry(_ configuration: Configuration) -> ProcessTelemetry {
        var settings = ProcessTelemetry.Configuration(service: "vitrine", version: VitrineCommand.version)
        settings.attributes = [
            Attribute("service.instance.id", .string("\(ProcessInfo.processInfo.hostName):\(getpid())"))
        ]
        settings.metrics.descriptions = metrics
        settings.logs.level = configuration.logLevel
        let isTerminal = isatty(STDERR_FILENO) == 1
        settings.logs.format = isTerminal ? .pretty : .json
        settings.logs.descriptor = isTerminal ? STDERR_FILENO : STDOUT_FILENO
        return ProcessTelemetry(settings)
    }

    static func health(of shop: Shop, _ telemetry: ProcessTelemetry) -> Health {
        let database = shop.database
        return Health(
            [
                Health.Dependency("database", isRequired: true) {
                    _ = try await database.read { try $0.exists("SELECT 1") }
                }
            ], metrics: telemetry.metrics)
    }

    /// Where probes and scrapers ask.
    static func endpoints(_ telemetry: ProcessTelemetry, _ health: Health) -> [Endpoint] {
        let formats = [ExpositionFormat.prometheusText, .openMetrics].map(\.contentType)
        @Sendable func answer(_ report: (status: Int, body: [UInt8])) -> WireResponse {
            WireResponse(
                status: report.status, headers: [HeaderField("Content-Type", Health.contentType)], body: report.body)
        }
        return [
            .report("/metrics", "getMetrics", "Metrics as Prometheus text or OpenMetrics", contentTypes: formats) {
                accept in
                let format = ExpositionFormat(accept: accept)
                return WireResponse(
                    status: 200, headers: [HeaderField("Content-Type", format.contentType)],
                    body: telemetry.metrics.exposition(format))
            }.scope(.readTelemetry),
            .report(
                "/health", "getHealth", "What the shop depends on, and how it is",
                contentTypes: [Health.contentType, "application/json"]
            ) { _ in answer(health.report()) }.scope(.readTelemetry),
            .report(
                "/health/live", "getLiveness", "Whether the process answers",
                contentTypes: [Health.contentType, "application/json"]
            ) { _ in answer((200, Array("{\"status\":\"pass\"}\n".utf8))) },
            .report(
                "/health/ready", "getReadiness", "Whether requests should be sent here",
                contentTypes: [Health.contentType, "application/json"]
            ) { _ in answer(health.readinessReport()) },
        ]
    }
}
