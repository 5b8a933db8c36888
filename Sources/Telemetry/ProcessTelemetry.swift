// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Instrumentation
public import Logging
public import ServiceLifecycle
internal import Synchronization
internal import Tracing

/// The telemetry of one process: metrics, logs and traces, and where they go.
///
/// ``bootstrap()`` puts it behind the facades for the whole process; tests hand its parts to `withMetricsFactory`, `withTracer` and
/// ``logger(_:)`` instead. Run it as a service, first in the group, so that it ends last.
public final class ProcessTelemetry: Service, Sendable {
    public struct Configuration: Sendable {
        /// `service.name`.
        public var service: String
        public var version: String?
        /// What else is known of the process, such as `deployment.environment.name`.
        public var attributes: [Attribute] = []
        public var metrics = MetricRegistry.Configuration()
        public var logs = LogPipeline.Configuration()
        public var sampling = TailSampling()
        /// Spans a second of traces that were sampled out that the sink is given all the same, as spare, whole traces alone. Default none.
        public var spareSpansPerSecondMax = 0
        /// Spans that may wait for the sampler; more are dropped and counted. Default 65,536.
        public var spansWaitingMax = 65_536
        /// Whoever has one of these attributes is kept whatever becomes of it.
        public var chosenAttributes: [Attribute] = []
        /// Whether spans are recorded where there is a sink. Default yes.
        public var recordsSpans = true

        public init(service: String, version: String? = nil) {
            self.service = service
            self.version = version
        }

        /// What signals are sent with.
        public var resource: Resource {
            Resource(
                [Attribute("service.name", .string(service))]
                    + (version.map { [Attribute("service.version", .string($0))] } ?? []) + attributes)
        }
    }

    public let resource: Resource
    public let metrics: MetricRegistry
    public let logs: LogPipeline
    public let tracer: TelemetryTracer
    private let spans: SpanPipeline
    private let sink: (any SignalSink)?

    /// Without a sink spans carry their context, so that log lines and other processes have it, and record nothing.
    public init(_ configuration: Configuration, sink: (any SignalSink)? = nil) {
        resource = configuration.resource
        var metrics = configuration.metrics
        metrics.descriptions += Self.ownDescriptions
        self.metrics = MetricRegistry(metrics)
        logs = LogPipeline(configuration.logs, resource: resource, sink: sink)
        let spans = SpanPipeline(configuration, resource: resource, sink: sink)
        (self.spans, self.sink) = (spans, sink)
        tracer = TelemetryTracer(pipeline: sink != nil && configuration.recordsSpans ? spans : nil)
        ProcessMetrics.install(in: self.metrics)
        Accounts.install(logs: logs, spans: spans, in: self.metrics)
    }

    /// What telemetry tells of itself and of the process.
    public static let ownDescriptions =
        MetricRegistry.ownDescriptions + ProcessMetrics.descriptions + Accounts.descriptions

    /// Makes this the telemetry of the process. At most once.
    public func bootstrap() {
        let logs = logs
        LoggingSystem.bootstrap { logs.handler($0) }
        MetricsSystem.bootstrap(metrics)
        InstrumentationSystem.bootstrap(tracer)
    }

    /// A logger of this telemetry, whatever the process' is.
    public func logger(_ label: String) -> Logger { Logger(label: label, factory: { logs.handler($0) }) }

    /// Decides about traces until the process is told to end, then about all that are left.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(200))
                self.spans.work()
            }
        }
        finish()
    }

    /// Delivers what waits. Called by ``run()`` at its end.
    public func finish() {
        spans.finish()
        sink?.flush()
        logs.flush()
    }

    /// What does not add up: for each signal, what was produced is delivered, sampled out, rejected, dropped or in flight.
    /// Empty where all is accounted for. Exact while nothing is being recorded.
    public var imbalances: [String] {
        let ends = [spans.delivered, spans.sampledOut, spans.dropped, spans.overflown].reduce(0) { $0 + $1.total }
        let (logs, lines) = (logs.account, "log lines")
        let lineEnds = logs.written + logs.heldBack + logs.dropped + Int64(logs.waiting)
        return [
            ("spans", spans.produced.total, ends + Int64(spans.inFlight)), (lines, logs.produced, lineEnds),
        ].compactMap { name, produced, found in
            produced == found ? nil : "\(produced) \(name) produced, \(found) accounted for"
        }
    }

    /// Decides what is due now, without waiting for ``run()``.
    public func work() { spans.work() }
}

/// The accounts of the pipelines, as metrics: what was produced is somewhere.
enum Accounts {
    static let descriptions = [
        MetricDescription(
            "vitrine.telemetry.spans", .counter, unit: "{span}", labels: ["outcome"],
            "Spans by what became of them: delivered, sampled_out, dropped_memory or dropped_queue_full."),
        MetricDescription("vitrine.telemetry.spans.produced", .counter, unit: "{span}", "Spans that ended."),
        MetricDescription("vitrine.telemetry.spans.in_flight", .gauge, unit: "{span}", "Spans not decided upon."),
        MetricDescription(
            "vitrine.telemetry.logs", .counter, unit: "{record}", labels: ["outcome"],
            "Log lines by what became of them: delivered, rejected_rate or dropped_queue_full."),
        MetricDescription(
            "vitrine.telemetry.logs.produced", .counter, unit: "{record}", "Log lines at enabled levels."),
        MetricDescription("vitrine.telemetry.logs.in_flight", .gauge, unit: "{record}", "Log lines not written."),
    ]

    static func install(logs: LogPipeline, spans: SpanPipeline, in registry: MetricRegistry) {
        func show(_ series: CounterSeries, _ name: String, _ outcome: String?) {
            registry.adopt(series, as: name, labels: outcome.map { [MetricLabel("outcome", $0)] } ?? [])
        }
        show(spans.produced, "vitrine.telemetry.spans.produced", nil)
        show(spans.delivered, "vitrine.telemetry.spans", "delivered")
        show(spans.sampledOut, "vitrine.telemetry.spans", "sampled_out")
        show(spans.dropped, "vitrine.telemetry.spans", "dropped_memory")
        show(spans.overflown, "vitrine.telemetry.spans", "dropped_queue_full")
        show(logs.produced, "vitrine.telemetry.logs.produced", nil)
        show(logs.writtenSeries, "vitrine.telemetry.logs", "delivered")
        show(logs.heldBack, "vitrine.telemetry.logs", "rejected_rate")
        show(logs.droppedSeries, "vitrine.telemetry.logs", "dropped_queue_full")
        let inFlight = registry.makeMeter(label: "vitrine.telemetry.spans.in_flight", dimensions: [])
        let waiting = registry.makeMeter(label: "vitrine.telemetry.logs.in_flight", dimensions: [])
        registry.beforeReading { _ in
            inFlight.set(Int64(spans.inFlight))
            waiting.set(Int64(logs.account.waiting))
        }
    }
}
