// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Jobs
internal import Kernel
internal import Logging
internal import OTLP
internal import Payments
internal import Persistence
internal import Resilience
internal import ServiceLifecycle
package import Telemetry
internal import TelemetryStore
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
        ] + trade + inside + Health.descriptions + OTLPExporter.descriptions

    /// By currency, never by person. Each is counted once its transaction is durable.
    private static let trade = [
        MetricDescription(
            "vitrine.carts.created", .counter, unit: "{cart}", labels: ["currency"], "Carts that were begun."),
        MetricDescription(
            "vitrine.carts.steps", .counter, unit: "{cart}", labels: ["currency", "step"],
            "Carts that got their first line (filled) or became an order (ordered)."),
        MetricDescription(
            "vitrine.inventory.stock_outs", .counter, unit: "{variant}",
            "Times that the last unit of a variant was spoken for."),
        MetricDescription(
            "vitrine.orders.created", .counter, unit: "{order}", labels: ["currency"],
            "Orders that were taken, whatever became of them."),
        MetricDescription(
            "vitrine.orders.placed", .counter, unit: "{order}", labels: ["currency"],
            "Orders whose payment is settled or promised."),
        MetricDescription(
            "vitrine.orders.cancelled", .counter, unit: "{order}", labels: ["currency", "reason"],
            "Orders that were given up."),
        MetricDescription(
            "vitrine.orders.refused", .counter, unit: "{order}", labels: ["reason"],
            "Attempts to order what there is too little of."),
        MetricDescription(
            "vitrine.order.value", .histogram, unit: "", labels: ["currency"],
            buckets: .bounds([10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]),
            "Totals of placed orders, in major units of the currency."),
        MetricDescription(
            "vitrine.revenue", .counter, unit: "", labels: ["currency"],
            "Sum of the totals of placed orders, in major units of the currency; refunds are not taken off."),
        MetricDescription(
            "vitrine.payments.declined", .counter, unit: "{payment}", labels: ["reason", "provider"],
            "Payments that a provider declined."),
    ]

    /// What a request waits for inside the process.
    private static let inside = [
        MetricDescription(
            "db.client.operation.duration", .histogram, unit: "s", labels: ["db.system.name", "db.operation.name"],
            buckets: .databaseSeconds,
            "How long reads and transactions took, from the queue to the answer. One may run many statements."),
        MetricDescription(
            "db.client.connection.wait_time", .histogram, unit: "s", labels: ["db.system.name", "db.operation.name"],
            buckets: .databaseSeconds, "How long they waited for a connection."),
        MetricDescription(
            "vitrine.database.requests.in_flight", .gauge, unit: "{request}",
            labels: ["db.system.name", "db.operation.name"], "Reads and transactions that wait or run."),
        MetricDescription(
            "vitrine.payments.request.duration", .histogram, unit: "s", labels: ["provider", "operation", "outcome"],
            buckets: .requestSeconds, "How long a payment provider took for an attempt."),
        MetricDescription(
            "rate_limit.requests", .counter, unit: "{request}", labels: ["policy", "outcome"],
            "Requests held to a limit: allowed, limited, or shadow_limited where it refuses nothing."),
        MetricDescription(
            "rate_limit.shared.decisions", .counter, unit: "{request}", labels: ["source"],
            "Where shared limits were decided about: here from what was leased, here because it was known to be refused, by "
                + "redis, or without_redis."),
        MetricDescription(
            "rate_limit.shared.losses", .counter, unit: "1", "Times that Redis had forgotten what was used."),
        MetricDescription(
            "vitrine.app_requests.unkept", .counter, unit: "{request}",
            "Requests of apps that their request log has no room for."),
        MetricDescription(
            "redis.client.failures", .counter, unit: "{call}", labels: ["reason"],
            "Calls that Redis did not answer, by why."),
        MetricDescription(
            "resilience.breaker.state", .gauge, unit: "1", labels: ["name"],
            "Whether a dependency is asked: 0 yes (closed), 1 a few calls try it (half-open), 2 no (open)."),
        MetricDescription(
            "resilience.breaker.calls", .counter, unit: "{call}", labels: ["name", "outcome"],
            "Calls that a breaker allowed, or rejected without asking."),
        MetricDescription(
            "resilience.bulkhead.in_flight", .gauge, unit: "{call}", labels: ["name"], "Calls that are under way."),
        MetricDescription(
            "resilience.bulkhead.rejected", .counter, unit: "{call}", labels: ["name"], "Calls that found no room."),
        MetricDescription(
            "resilience.concurrency.limit", .gauge, unit: "{call}", labels: ["name"],
            "Calls that may be under way at once, as it turned out."),
        MetricDescription(
            "resilience.concurrency.shed", .counter, unit: "{call}", labels: ["name", "priority"],
            "Calls that were turned away because there was too much to do."),
        MetricDescription(
            "resilience.retries.denied", .counter, unit: "{call}", labels: ["name"],
            "Second attempts that the budget of a dependency did not allow."),
        MetricDescription(
            "resilience.supervisor.up", .gauge, unit: "1", labels: ["name"], "Whether background work runs: 1, else 0."),
        MetricDescription(
            "resilience.supervisor.restarts", .counter, unit: "1", labels: ["name"],
            "Times that background work was begun again after a failure."),
        MetricDescription(
            "resilience.faults.injected", .counter, unit: "{call}", labels: ["edge", "kind"],
            "Calls that something was done to on purpose."),
        MetricDescription(
            "vitrine.relay.lag", .gauge, unit: "s", labels: ["consumer"],
            "Age of the oldest event that a consumer has not had."),
        MetricDescription(
            "vitrine.chore.duration", .histogram, unit: "s", labels: ["chore", "outcome"], buckets: .databaseSeconds,
            "How long a chore took that comes round."),
        MetricDescription(
            "vitrine.observatory.dropped", .counter, unit: "{record}",
            "Spans and log lines of the process that could not be kept beside it."),
        MetricDescription(
            "vitrine.ready_answers.served", .counter, unit: "{answer}", "Answers given from the ready lane."),
        MetricDescription(
            "vitrine.ready_answers.kept", .counter, unit: "{answer}", "Answers put into the ready lane."),
        MetricDescription("vitrine.ready_answers.size", .gauge, unit: "By", "What the ready lane holds."),
        MetricDescription(
            "vitrine.runtime.event_loop.delay", .histogram, unit: "s", buckets: .databaseSeconds,
            "How late an event loop came to work that was due."),
        MetricDescription(
            "vitrine.runtime.task.delay", .histogram, unit: "s", buckets: .databaseSeconds,
            "How late a task went on that was due."),
    ]

    /// Every metric of the process.
    package static let allMetrics = metrics + ProcessTelemetry.ownDescriptions

    /// Everything that tells about the process. Run its services before all others, so that they end after them.
    struct Process {
        let telemetry: ProcessTelemetry
        let exporter: OTLPExporter?
        /// What is kept beside the shop; `nil` where nothing is.
        let mailbox: SignalMailbox?
        let services: [any Service]
    }

    /// One for the process. Lines go to standard output as JSON, or to a person's terminal as text.
    static func telemetry(_ configuration: Configuration) throws -> Process {
        var settings = ProcessTelemetry.Configuration(
            service: configuration.telemetry.service, version: VitrineCommand.version)
        let instance = Attribute("service.instance.id", .string("\(ProcessInfo.processInfo.hostName):\(getpid())"))
        let given = configuration.telemetry.resource
        settings.attributes = (given.contains { $0.name == instance.name } ? [] : [instance]) + given
        settings.metrics.descriptions = metrics
        // What is at hand for late errors; a trace of an order weighs some 10 KiB.
        settings.sampling.bytesMax = 8 << 20
        if let share = configuration.telemetry.share {
            (settings.sampling.share, settings.sampling.perSecondMax) = (share, .infinity)
        }
        settings.spansWaitingMax = 16_384
        settings.logs.level = configuration.logLevel
        let isTerminal = isatty(STDERR_FILENO) == 1
        settings.logs.format = isTerminal ? .pretty : .json
        settings.logs.descriptor = isTerminal ? STDERR_FILENO : STDOUT_FILENO
        var export = configuration.telemetry.exporter
        export.spoolFolder = configuration.spoolFolder
        let exporter = export.signals.isEmpty ? nil : try OTLPExporter(export)
        var sinks: [any SignalSink] = exporter.map { [$0] } ?? []
        if configuration.telemetry.traces == .console {
            sinks.append(ConsoleSink(settings.logs.format, descriptor: settings.logs.descriptor))
        }
        let mailbox = configuration.telemetryFolder.map { _ in SignalMailbox(resource: settings.resource) }
        settings.recordsSpans = configuration.telemetry.traces != .none || mailbox != nil
        if let mailbox {
            sinks.append(mailbox)
            settings.spareSpansPerSecondMax = configuration.observatory.hotSpansPerSecondMax
        }
        let telemetry = ProcessTelemetry(settings, sink: sinks.count > 1 ? SignalSinks(sinks) : sinks.first)
        if let mailbox { telemetry.metrics.adopt(mailbox.dropped, as: "vitrine.observatory.dropped") }
        guard let exporter else {
            return Process(
                telemetry: telemetry, exporter: nil, mailbox: mailbox, services: [telemetry, RuntimeDelays()])
        }
        exporter.install(in: telemetry.metrics)
        let reader = MetricReader(telemetry, to: exporter, every: export.metricsInterval)
        return Process(
            telemetry: telemetry, exporter: exporter, mailbox: mailbox,
            services: [exporter, reader, telemetry, RuntimeDelays()])
    }

    /// Nothing but the database is required: a shop without its payment provider still shows what it has.
    static func health(of shop: Shop, _ process: Process, _ observatory: Observatory? = nil) -> Health {
        let (database, provider) = (shop.database, shop.payments.providerHealth)
        var dependencies = [
            Health.Dependency("database", isRequired: true) {
                try await Deadline.$current.withValue(.after(.seconds(1))) {
                    _ = try await database.read { try $0.exists("SELECT 1") }
                }
            },
            Health.Dependency("payment_provider", isRequired: false) {
                if let fault = provider.lastFault { throw Failure(.unavailable, fault) }
            },
        ]
        let supervision = shop.jobs.supervision
        dependencies.append(
            Health.Dependency("background_work", isRequired: false) {
                if let fault = supervision.faults.first { throw Failure(.unavailable, fault) }
            })
        let limits = shop.limits
        if limits.isSharing != nil {
            dependencies.append(
                Health.Dependency("redis", isRequired: false) {
                    guard limits.isSharing == true else { throw Failure(.unavailable, "Redis does not answer.") }
                })
        }
        if let faults = shop.configuration.faults {
            dependencies.append(
                Health.Dependency("absence_of_faults", isRequired: false) {
                    guard let (plan, left) = faults.current else { return }
                    throw Failure(
                        .unavailable,
                        "\(plan.faults.count) kinds of faults are made on purpose, for another \(Int(left / .seconds(1))) s."
                    )
                })
        }
        if let observatory {
            dependencies.append(
                Health.Dependency("observatory", isRequired: false) {
                    if let fault = observatory.fault { throw Failure(.unavailable, fault) }
                })
        }
        if let exporter = process.exporter {
            dependencies.append(
                Health.Dependency("collector", isRequired: false) {
                    if let reason = exporter.lastFault { throw Failure(.unavailable, reason) }
                })
        }
        return Health(dependencies, metrics: process.telemetry.metrics)
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
