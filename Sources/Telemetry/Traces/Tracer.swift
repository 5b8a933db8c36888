// SPDX-License-Identifier: Apache-2.0

public import Instrumentation
internal import Synchronization
public import Tracing

/// The tracer behind swift-distributed-tracing. Spans that have ended go to the sampler of ``ProcessTelemetry``.
///
/// Starting and ending a span with three attributes costs about 0.4 microseconds (`Benchmarks/RESULTS.md`).
public struct TelemetryTracer: Tracer {
    /// `nil` where spans go nowhere; then they carry the context and record nothing.
    let receive: (@Sendable (SpanRecord) -> Void)?

    // MARK: Across processes

    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        if let parent = extractor.extract(key: "traceparent", from: carrier) {
            context.trace = TraceContext(
                traceparent: parent, tracestate: extractor.extract(key: "tracestate", from: carrier) ?? "")
        }
        if let header = extractor.extract(key: "baggage", from: carrier) {
            let baggage = Baggage(header: header)
            if !baggage.members.isEmpty { context.baggage = baggage }
        }
        context.correlationID =
            extractor.extract(key: "x-correlation-id", from: carrier) ?? context.baggage?["correlation_id"]
    }

    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        if let trace = context.trace {
            injector.inject(trace.traceparent, forKey: "traceparent", into: &carrier)
            if !trace.state.isEmpty { injector.inject(trace.state, forKey: "tracestate", into: &carrier) }
        }
        if let baggage = context.baggage, !baggage.header.isEmpty {
            injector.inject(baggage.header, forKey: "baggage", into: &carrier)
        }
        if let id = context.correlationID { injector.inject(id, forKey: "x-correlation-id", into: &carrier) }
    }

    // MARK: Spans

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> LiveSpan {
        LiveSpan(
            operationName, SpanRecord.Kind(kind), parent: context(), at: instant().nanosecondsSinceEpoch,
            receive: receive)
    }

    public func activeSpan(identifiedBy context: ServiceContext) -> LiveSpan? { context.position?.live }

    public func forceFlush() {}
}

/// A span that has not ended. Safe to use from several threads; what comes after its end is left out.
public final class LiveSpan: Tracing.Span {
    private struct State {
        var record: SpanRecord
        var hasEnded = false
    }

    private let state: Mutex<State>
    private let receive: (@Sendable (SpanRecord) -> Void)?
    private let parent: ServiceContext
    private let trace: TraceContext

    /// Made when asked for, so that the span and its context do not hold each other.
    public var context: ServiceContext {
        var context = parent
        context.position = TracePosition(trace: trace, live: self)
        return context
    }

    /// More would crowd out everything else; further ones are left out.
    private static let attributesMax = 128
    private static let eventsMax = 128
    private static let exemplarsMax = 8

    init(
        _ name: String, _ kind: SpanRecord.Kind, parent: ServiceContext, at start: UInt64,
        receive: (@Sendable (SpanRecord) -> Void)?
    ) {
        let above = parent.trace
        let trace = TraceContext(
            traceID: above?.traceID ?? .random(), spanID: IdentifierSource.next() | 1, isSampled: true,
            isRandom: above?.isRandom ?? true, state: above?.state ?? "")
        state = Mutex(
            State(
                record: SpanRecord(
                    context: trace, parentID: above?.spanID ?? 0,
                    hasRemoteParent: above != nil && parent.position?.live == nil, name: name, kind: kind, start: start,
                    end: start), hasEnded: receive == nil))
        (self.receive, self.parent, self.trace) = (receive, parent, trace)
    }

    /// Remembers a value that was measured while the span was at work, to show beside its histogram if the trace is kept.
    func note(_ value: Double, in series: HistogramSeries) {
        change { record in
            guard record.exemplars.count < Self.exemplarsMax else { return }
            record.exemplars.append(SpanRecord.Measured(value: value, series: series))
        }
    }

    public var isRecording: Bool { state.withLock { !$0.hasEnded } }

    public var operationName: String {
        get { state.withLock { $0.record.name } }
        set { change { $0.name = newValue } }
    }

    public func setStatus(_ status: SpanStatus) {
        change { record in
            switch status.code {
            case .ok: record.status = .ok
            // What was found good is not made bad by a later guess (OpenTelemetry trace API, set status).
            case .error: if record.status != .ok { record.status = .error(status.message ?? "") }
            }
        }
    }

    public var attributes: SpanAttributes {
        get {
            var attributes: SpanAttributes = [:]
            for attribute in state.withLock({ $0.record.attributes }) {
                attributes.set(attribute.name, value: attribute.value.spanAttribute)
            }
            return attributes
        }
        set { change { $0.attributes = Self.list(newValue) } }
    }

    /// Sets one attribute; cheaper than by way of ``attributes``.
    public func set(_ name: String, _ value: AttributeValue) {
        change { record in
            if let place = record.attributes.firstIndex(where: { $0.name == name }) {
                record.attributes[place] = Attribute(name, value)
            } else if record.attributes.count < Self.attributesMax {
                record.attributes.append(Attribute(name, value))
            }
        }
    }

    private static func list(_ attributes: SpanAttributes) -> [Attribute] {
        var list: [Attribute] = []
        attributes.forEach { name, value in
            if list.count < attributesMax, let value = AttributeValue(value) { list.append(Attribute(name, value)) }
        }
        return list
    }

    public func addEvent(_ event: SpanEvent) {
        add(event.name, at: event.nanosecondsSinceEpoch, Self.list(event.attributes))
    }

    private func add(_ name: String, at time: UInt64, _ attributes: [Attribute]) {
        change { record in
            guard record.events.count < Self.eventsMax else { return }
            record.events.append(SpanRecord.Event(name: name, time: time, attributes: attributes))
        }
    }

    /// An event `exception` with its type and message (semantic conventions, exceptions on spans).
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        let facts = [
            Attribute("exception.type", .string(String(reflecting: type(of: error)))),
            Attribute("exception.message", .string(String(describing: error))),
        ]
        add("exception", at: instant().nanosecondsSinceEpoch, facts + Self.list(attributes))
    }

    public func addLink(_ link: SpanLink) {
        guard let context = link.context.trace else { return }
        change { record in
            guard record.links.count < Self.attributesMax else { return }
            record.links.append(SpanRecord.Link(context: context, attributes: Self.list(link.attributes)))
        }
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let time = instant().nanosecondsSinceEpoch
        let record = state.withLock { state -> SpanRecord? in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            state.record.end = max(time, state.record.start)
            return state.record
        }
        if let record { receive?(record) }
    }

    private func change(_ edit: (inout SpanRecord) -> Void) {
        state.withLock { state in
            if !state.hasEnded { edit(&state.record) }
        }
    }
}

extension SpanRecord.Kind {
    fileprivate init(_ kind: SpanKind) {
        self =
            switch kind {
            case .internal: .internal
            case .server: .server
            case .client: .client
            case .producer: .producer
            case .consumer: .consumer
            }
    }
}

extension AttributeValue {
    init?(_ value: SpanAttribute) {
        switch value {
        case .int32(let value): self = .int(Int64(value))
        case .int64(let value): self = .int(value)
        case .int32Array(let values): self = .array(values.map { .int(Int64($0)) })
        case .int64Array(let values): self = .array(values.map { .int($0) })
        case .double(let value): self = .double(value)
        case .doubleArray(let values): self = .array(values.map { .double($0) })
        case .bool(let value): self = .bool(value)
        case .boolArray(let values): self = .array(values.map { .bool($0) })
        case .string(let value): self = .string(value)
        case .stringArray(let values): self = .array(values.map { .string($0) })
        case .stringConvertible(let value): self = .string("\(value)")
        case .stringConvertibleArray(let values): self = .array(values.map { .string("\($0)") })
        default: return nil
        }
    }

    var spanAttribute: SpanAttribute {
        switch self {
        case .int(let value): .int64(value)
        case .double(let value): .double(value)
        case .bool(let value): .bool(value)
        case .string(let value): .string(value)
        case .bytes, .array, .map: .string(text)
        }
    }
}
