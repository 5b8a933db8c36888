// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
public import Logging
internal import ServiceContextModule
internal import Synchronization

/// What becomes of a log line: levels, a limit for each message, redaction, and the way out.
public final class LogPipeline: Sendable {
    public struct Configuration: Sendable {
        public enum Format: Sendable {
            /// One JSON object a line, by OpenTelemetry's log data model.
            case json
            /// For people at a terminal.
            case pretty
        }

        public var format = Format.json
        /// Standard output where nothing else is said.
        public var descriptor: Int32 = 1
        public var level = Logger.Level.info
        /// Lines of one place in the code in a second; more are held back and counted. Errors, too. Default 100.
        public var perSecondMax = 100
        /// What may wait to be written. Default 4 MiB.
        public var bytesMax = 4 << 20

        public init() {}
    }

    public let levels: LogLevels
    private let configuration: Configuration
    private let resource: Resource
    /// Written once, because every line ends with it.
    private let resourceJSON: String
    private let writer: LogWriter
    private let sink: (any SignalSink)?
    private let limits = Mutex<[Place: Limit]>([:])
    let produced = CounterSeries()
    let heldBack = CounterSeries()

    /// Where in the code a line comes from; what stands in it differs from time to time.
    private struct Place: Hashable {
        let file: String
        let line: UInt

        /// The line alone tells most places apart, and is hashed at once.
        func hash(into hasher: inout Hasher) { hasher.combine(line) }
    }

    private struct Limit {
        var second: Int64
        var taken = 0
        var heldBack = 0
    }

    private static let placesMax = 4_096

    init(_ configuration: Configuration, resource: Resource, sink: (any SignalSink)?) {
        self.configuration = configuration
        self.resource = resource
        resourceJSON = String(decoding: LogLine.object(resource.attributes), as: UTF8.self)
        self.sink = sink
        levels = LogLevels(configuration.level)
        writer = LogWriter(descriptor: configuration.descriptor, bytesMax: configuration.bytesMax)
    }

    /// A handler for a logger of this label.
    public func handler(_ label: String) -> any LogHandler { StructuredLogHandler(label: label, pipeline: self) }

    /// Produced = written + held back + dropped + waiting.
    var account: (produced: Int64, written: Int64, heldBack: Int64, dropped: Int64, waiting: Int) {
        func count(_ series: CounterSeries) -> Int64 { if case .sum(let sum) = series.value { Int64(sum) } else { 0 } }
        return (count(produced), count(writer.written), count(heldBack), count(writer.dropped), writer.waiting)
    }

    var writtenSeries: CounterSeries { writer.written }
    var droppedSeries: CounterSeries { writer.dropped }

    /// Returns once what waits is written, or after two seconds.
    public func flush() { writer.flush() }

    func log(_ event: LogEvent, label: String, metadata: Logger.Metadata) {
        produced.increment(by: 1)
        let time = UnixTime.now()
        guard let before = admit(event, time) else { return heldBack.increment(by: 1) }
        var attributes = Self.attributes(metadata)
        for (name, value) in RequestFacts.current?.subjects ?? [] {
            attributes.append(Attribute(name, .string(Self.clean(value))))
        }
        if before > 0 { attributes.append(Attribute("log.held_back", .int(Int64(before)))) }
        if let error = event.error {
            attributes.append(Attribute("exception.type", .string(String(reflecting: type(of: error)))))
            attributes.append(Attribute("exception.message", .string(Self.clean(String(describing: error)))))
        }
        let context = ServiceContext.current
        let record = LogRecord(
            time: time, severity: Severity(event.level), body: Self.clean(event.message.description), scope: label,
            trace: context?.trace, attributes: attributes)
        let (correlation, baggage) = (context?.correlationID, context?.baggage)
        writer.write(
            configuration.format == .json
                ? LogLine.json(record, correlation, baggage, resource: resourceJSON) : LogLine.pretty(record))
        guard let sink else { return }
        var request: [Attribute] = []
        if let correlation { request.append(Attribute("correlation_id", .string(correlation))) }
        if let baggage, !baggage.members.isEmpty {
            request.append(Attribute("baggage", .map(LogLine.attributes(of: baggage))))
        }
        sink.take(logs: [record.with(request)], from: resource)
    }

    /// - Returns: `nil` where the place has said enough in this second; else how many lines were held back in the last.
    private func admit(_ event: LogEvent, _ time: UInt64) -> Int? {
        let second = Int64(time / 1_000_000_000)
        let place = Place(file: event.file, line: event.line)
        return limits.withLock { limits in
            if limits.count > Self.placesMax { limits.removeAll() }
            var limit = limits[place] ?? Limit(second: second)
            defer { limits[place] = limit }
            var before = 0
            if limit.second != second {
                before = limit.heldBack
                limit = Limit(second: second)
            }
            guard limit.taken < configuration.perSecondMax else {
                limit.heldBack += 1
                return nil
            }
            limit.taken += 1
            return before
        }
    }

    private static func clean(_ text: String) -> String { Redaction.redacted(text) ?? text }

    private static func attributes(_ metadata: Logger.Metadata) -> [Attribute] {
        var attributes: [Attribute] = []
        attributes.reserveCapacity(metadata.count + 3)
        for (name, value) in metadata {
            let isConfidential = Redaction.isConfidential(name: name)
            attributes.append(Attribute(name, isConfidential ? .string(Redaction.mark) : attribute(value)))
        }
        // A line reads the same each time.
        attributes.sort { $0.name < $1.name }
        return attributes
    }

    private static func attribute(_ value: Logger.MetadataValue) -> AttributeValue {
        switch value {
        case .string(let text): .string(clean(text))
        case .stringConvertible(let value as Int): .int(Int64(value))
        case .stringConvertible(let value as Int64): .int(value)
        case .stringConvertible(let value as Double): .double(value)
        case .stringConvertible(let value as Bool): .bool(value)
        case .stringConvertible(let value): .string(clean("\(value)"))
        case .array(let values): .array(values.map(attribute))
        case .dictionary(let members): .map(attributes(members))
        }
    }
}

/// Behind each logger. A value, so that a logger that is copied and changed is another.
struct StructuredLogHandler: LogHandler {
    private let label: String
    private let pipeline: LogPipeline
    private let cell: LogLevels.Cell
    /// Set on this logger alone.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, pipeline: LogPipeline) {
        self.label = label
        self.pipeline = pipeline
        cell = pipeline.levels.cell(of: label)
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? cell.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey name: String) -> Logger.MetadataValue? {
        get { metadata[name] }
        set { metadata[name] = newValue }
    }

    /// The call's metadata wins over the provider's, and that over the logger's.
    func log(event: LogEvent) {
        var all = metadata
        if all.isEmpty, metadataProvider == nil {
            return pipeline.log(event, label: label, metadata: event.metadata ?? [:])
        }
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        pipeline.log(event, label: label, metadata: all)
    }
}

extension Severity {
    fileprivate init(_ level: Logger.Level) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .info2
            case .warning: .warn
            case .error: .error
            case .critical: .fatal
            }
    }
}
