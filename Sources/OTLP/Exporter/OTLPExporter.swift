// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Foundation
internal import Kernel
internal import ServiceLifecycle
internal import Synchronization
package import Telemetry

/// Sends this process's signals to a collector by OTLP, over HTTP or gRPC, and keeps them on disk while it is away.
///
/// Whoever hands it signals waits for a lock and no longer. A thread of low priority encodes them and puts them into a spool for
/// each kind of signal; from there they are sent in order, and tried again by the specification. Run it as a service before
/// ``ProcessTelemetry``, so that it ends after it.
package final class OTLPExporter: SignalSink, Service {
    /// Items of one signal that wait to be encoded.
    private struct Line<Item> {
        let max: Int
        let batchMax: Int
        var items: [Item] = []
        /// Taken out and not yet in the spool.
        var atWork = 0

        var count: Int { items.count + atWork }
        var isFull: Bool { items.count >= batchMax }

        /// - Returns: How many there was room for.
        mutating func add(_ more: [Item]) -> Int {
            let room = min(more.count, max - items.count)
            items += more.prefix(room)
            return room
        }

        /// All of them, in parts of a request's size.
        mutating func takeAll() -> [[Item]] {
            defer { items = [] }
            atWork = items.count
            return items.parts(of: batchMax)
        }
    }

    private struct Queue {
        var spans: Line<SpanRecord>
        var logs: Line<LogRecord>
        var resource = Resource([])
        var isOver = false
    }

    private let settings: ExporterSettings
    private let transport: any Transport
    private let lanes: [Signal: SignalLane]
    private let queue: Mutex<Queue>
    private let wake = NSCondition()
    /// So that two do not drain the queue in turns, which would change the order.
    private let encoding = NSLock()
    private let start = UnixTime.now()

    /// How long the end of the process waits for a collector that answers.
    private static let farewell = Duration.seconds(3)
    /// Points of one request, so that it stays below the 4 MiB that gRPC servers take by default.
    private static let pointsMax = 2_000

    /// - Throws: `Failure` with `misconfigured` where the spool's folder cannot be used.
    package convenience init(_ settings: ExporterSettings) throws {
        try self.init(
            settings, transport: settings.wireProtocol == .grpc ? GRPCTransport(settings) : HTTPTransport(settings))
    }

    init(_ settings: ExporterSettings, transport: any Transport) throws {
        self.settings = settings
        self.transport = transport
        queue = Mutex(
            Queue(
                spans: Line(max: settings.spansQueueMax, batchMax: settings.spansBatchMax),
                logs: Line(max: settings.logsQueueMax, batchMax: settings.logsBatchMax)))
        lanes = Dictionary(
            uniqueKeysWithValues: try settings.signals.map { ($0, try SignalLane($0, settings, transport)) })
        let thread = Thread { [weak self] in Self.encodeForever { self } }
        thread.name = "otlp-encoder"
        thread.start()
    }

    // MARK: What is taken

    package func take(spans: [SpanRecord], from resource: Resource) {
        take(spans, \.spans, from: resource, lanes[.traces])
    }

    package func take(logs: [LogRecord], from resource: Resource) { take(logs, \.logs, from: resource, lanes[.logs]) }

    private func take<Item: Sendable>(
        _ items: [Item], _ line: any WritableKeyPath<Queue, Line<Item>> & Sendable, from resource: Resource,
        _ lane: SignalLane?
    ) {
        guard let lane else { return }
        let (taken, isFull) = queue.withLock { queue in
            queue.resource = resource
            return (queue[keyPath: line].add(items), queue[keyPath: line].isFull)
        }
        lane.account.produced.increment(by: Int64(items.count))
        lane.account.overflown.increment(by: Int64(items.count - taken))
        if isFull { signalEncoder() }
    }

    private func signalEncoder() {
        wake.lock()
        wake.signal()
        wake.unlock()
    }

    /// Metrics as they stand now.
    package func take(metrics: [MetricFamily], from resource: Resource) {
        guard let lane = lanes[.metrics] else { return }
        let time = UnixTime.now()
        var (families, points): ([MetricFamily], Int) = ([], 0)
        func put() {
            if points > 0 {
                lane.put(RequestEncoder.metrics(families, from: resource, start: start, time: time), items: points)
            }
            (families, points) = ([], 0)
        }
        for family in metrics {
            lane.account.produced.increment(by: Int64(family.points.count))
            if points + family.points.count > Self.pointsMax { put() }
            families.append(family)
            points += family.points.count
        }
        put()
    }

    // MARK: Encoding

    private static func encodeForever(_ exporter: () -> OTLPExporter?) {
        // Whoever serves requests goes first.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        while let exporter = exporter() {
            guard exporter.waitForMore() else { return }
            exporter.encode()
        }
    }

    private func waitForMore() -> Bool {
        wake.lock()
        defer { wake.unlock() }
        let isFull = queue.withLock {
            $0.spans.isFull || $0.logs.isFull || $0.isOver
        }
        let delay = min(settings.spansDelay, settings.logsDelay)
        if !isFull { _ = wake.wait(until: Date.now + Double(delay.wholeMilliseconds) / 1_000) }
        return !queue.withLock { $0.isOver }
    }

    /// Puts all that is in the queue into the spools.
    private func encode() {
        encoding.withLock {
            let (spans, logs, resource) = queue.withLock { queue in
                (queue.spans.takeAll(), queue.logs.takeAll(), queue.resource)
            }
            for part in spans {
                lanes[.traces]?.put(RequestEncoder.spans(part, from: resource), items: part.count)
                queue.withLock { $0.spans.atWork -= part.count }
            }
            for part in logs {
                lanes[.logs]?.put(RequestEncoder.logs(part, from: resource), items: part.count)
                queue.withLock { $0.logs.atWork -= part.count }
            }
        }
    }

    /// Puts what waits where it outlives the process.
    package func flush() { encode() }

    // MARK: Sending

    package func run() async throws {
        await withGracefulShutdownHandler {
            await self.send()
        } onGracefulShutdown: {
            for lane in self.lanes.values { lane.end() }
        }
        encode()
        // What a collector takes at once it gets; the rest stays on disk.
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: Self.farewell) }
            group.addTask {
                await withTaskGroup(of: Void.self) { lanes in
                    for lane in self.lanes.values { lanes.addTask { await lane.deliverTheRest() } }
                }
            }
            await group.next()
            group.cancelAll()
        }
        queue.withLock { $0.isOver = true }
        signalEncoder()
        await transport.close()
        for lane in lanes.values { lane.close() }
    }

    private func send() async {
        await withTaskGroup(of: Void.self) { group in
            for lane in lanes.values { group.addTask { await lane.run() } }
        }
    }

    /// Why a collector is away; `nil` while all answer.
    package var lastFault: String? {
        lanes.values.compactMap { lane in lane.fault.map { "\(lane.signal): \($0)" } }.min()
    }

    // MARK: Accounts

    /// The accounts as metrics. Their descriptions are ``descriptions``.
    package func install(in registry: MetricRegistry) {
        for lane in lanes.values {
            let signal = MetricLabel("signal", lane.signal.rawValue)
            registry.adopt(lane.account.produced, as: "vitrine.telemetry.export.produced", labels: [signal])
            registry.adopt(lane.account.recovered, as: "vitrine.telemetry.export.recovered", labels: [signal])
            for (name, series) in lane.account.outcomes {
                registry.adopt(
                    series, as: "vitrine.telemetry.export.items", labels: [MetricLabel("outcome", name), signal])
            }
            let dimensions = [("signal", lane.signal.rawValue)]
            let inFlight = registry.makeMeter(label: "vitrine.telemetry.export.in_flight", dimensions: dimensions)
            let size = registry.makeMeter(label: "vitrine.telemetry.export.spool.size", dimensions: dimensions)
            registry.beforeReading { [weak self] _ in
                guard let self else { return }
                inFlight.set(Int64(self.inFlight(lane.signal)))
                size.set(Int64(lane.waiting.bytes))
            }
        }
    }

    package static let descriptions = [
        MetricDescription(
            "vitrine.telemetry.export.produced", .counter, unit: "{item}", labels: ["signal"],
            "Spans, metric points and log records handed to the exporter."),
        MetricDescription(
            "vitrine.telemetry.export.recovered", .counter, unit: "{item}", labels: ["signal"],
            "Items that an earlier process had left on disk."),
        MetricDescription(
            "vitrine.telemetry.export.items", .counter, unit: "{item}", labels: ["signal", "outcome"],
            "Items by what became of them: delivered; rejected_partly or rejected_request by the collector; "
                + "dropped_queue_full, dropped_spool_full, dropped_expired, dropped_damaged or dropped_spool_failed."),
        MetricDescription(
            "vitrine.telemetry.export.in_flight", .gauge, unit: "{item}", labels: ["signal"],
            "Items that wait to be delivered."),
        MetricDescription(
            "vitrine.telemetry.export.spool.size", .gauge, unit: "By", labels: ["signal"],
            "What waits in the spool."),
    ]

    /// Items that are neither delivered nor given up.
    func inFlight(_ signal: Signal) -> Int {
        let queued = queue.withLock { queue in
            switch signal {
            case .traces: queue.spans.count
            case .logs: queue.logs.count
            case .metrics: 0
            }
        }
        return queued + (lanes[signal]?.waiting.items ?? 0)
    }

    func account(_ signal: Signal) -> ExportAccount? { lanes[signal]?.account }
}

/// Reads a registry at an interval and hands what it finds to an exporter.
package struct MetricReader: Service {
    private let telemetry: ProcessTelemetry
    private let exporter: OTLPExporter
    private let interval: Duration

    package init(_ telemetry: ProcessTelemetry, to exporter: OTLPExporter, every interval: Duration) {
        self.telemetry = telemetry
        self.exporter = exporter
        self.interval = interval
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil { read() }
        }
        read()
    }

    private func read() { exporter.take(metrics: telemetry.metrics.snapshot(), from: telemetry.resource) }
}

extension Array {
    fileprivate func parts(of count: Int) -> [[Element]] {
        if isEmpty { return [] }
        if self.count <= count { return [self] }
        return stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
