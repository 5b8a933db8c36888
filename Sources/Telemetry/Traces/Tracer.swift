// SPDX-License-Identifier: Apache-2.0

public import Instrumentation
internal import Synchronization
public import Tracing

/// The tracer behind swift-distributed-tracing. Spans that have ended go to the sampler of ``ProcessTelemetry``.
///
/// A trace of one span with three attributes costs some 0.8 microseconds (`Benchmarks/RESULTS.md`).
public struct TelemetryTracer: Tracer {
    /// `nil` where spans go nowhere; then they carry the context and record nothing.
    let pipeline: SpanPipeline?

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
            for: pipeline)
    }

    public func activeSpan(identifiedBy context: ServiceContext) -> LiveSpan? { context.position?.live }

    public func forceFlush() {}
}

/// A span, from its start on. Safe to use from several threads; what comes after its end is left out.
///
/// It holds what it is given as it comes, and is packed with the others of its trace when it ends (``TraceRecording``).
public final class LiveSpan: Tracing.Span {
    struct State {
        var name: String
        var end: UInt64
        var status = SpanRecord.Status.unset
        var attributes: SpanAttributes = [:]
        /// Those of ``LiveSpan/set(_:_:)``.
        var ownAttributes: [Attribute] = []
        var events: [SpanEvent] = []
        var links: [SpanLink] = []
        var exemplars: [SpanRecord.Measured] = []
        var hasEnded = false
        var parent: ServiceContext
    }

    private let state: Mutex<State>
    /// `nil` where nothing is recorded.
    private let recording: TraceRecording?
    private let trace: TraceContext
    private let kind: SpanRecord.Kind
    private let start: UInt64
    private let parentID: UInt64
    private let hasRemoteParent: Bool

    /// Made when asked for, so that the span and its context do not hold each other.
    public var context: ServiceContext {
        var context = state.withLock { $0.parent }
        context.position = TracePosition(trace: trace, live: self)
        return context
    }

    /// More would crowd out everything else; further ones are left out.
    static let attributesMax = 128
    private static let eventsMax = 128
    private static let exemplarsMax = 8

    init(
        _ name: String, _ kind: SpanRecord.Kind, parent: ServiceContext, at start: UInt64,
        for pipeline: SpanPipeline?
    ) {
        let position = parent.position
        let above = position?.trace
        let trace = TraceContext(
            traceID: above?.traceID ?? .random(), spanID: IdentifierSource.next() | 1, isSampled: true,
            isRandom: above?.isRandom ?? true, state: above?.state ?? "")
        state = Mutex(State(name: name, end: start, hasEnded: pipeline == nil, parent: parent))
        recording = pipeline.map { pipeline in
            // Another telemetry may be at work than the one that the parent's span goes to.
            let above = position?.live?.recording.flatMap { $0.pipeline === pipeline ? $0 : nil }
            return above ?? TraceRecording(of: trace, for: pipeline)
        }
        (self.trace, self.kind, self.start) = (trace, kind, start)
        parentID = above?.spanID ?? 0
        hasRemoteParent = above != nil && position?.live == nil
    }

    /// Remembers a value that was measured while the span was at work, to show beside its histogram if the trace is kept.
    func note(_ value: Double, in series: HistogramSeries) {
        change { state in
            guard state.exemplars.count < Self.exemplarsMax else { return }
            state.exemplars.append(SpanRecord.Measured(value: value, series: series))
        }
    }

    public var isRecording: Bool { state.withLock { !$0.hasEnded } }

    public var operationName: String {
        get { state.withLock { $0.name } }
        set { change { $0.name = newValue } }
    }

    public func setStatus(_ status: SpanStatus) {
        change { state in
            switch status.code {
            case .ok: state.status = .ok
            // What was found good is not made bad by a later guess (OpenTelemetry trace API, set status).
            case .error: if state.status != .ok { state.status = .error(status.message ?? "") }
            }
        }
    }

    /// Setting them all at once costs least; each change through it copies them.
    public var attributes: SpanAttributes {
        get {
            state.withLock { state in
                var attributes = state.attributes
                for attribute in state.ownAttributes {
                    attributes.set(attribute.name, value: attribute.value.spanAttribute)
                }
                return attributes
            }
        }
        set {
            change { state in
                state.attributes = newValue
                state.ownAttributes = []
            }
        }
    }

    /// Sets one attribute; cheaper than by way of ``attributes``.
    public func set(_ name: String, _ value: AttributeValue) {
        change { state in
            if let place = state.ownAttributes.firstIndex(where: { $0.name == name }) {
                state.ownAttributes[place] = Attribute(name, value)
            } else if state.ownAttributes.count < Self.attributesMax {
                state.ownAttributes.append(Attribute(name, value))
            }
        }
    }

    public func addEvent(_ event: SpanEvent) {
        change { state in
            if state.events.count < Self.eventsMax { state.events.append(event) }
        }
    }

    /// An event `exception` with its type and message (semantic conventions, exceptions on spans).
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        var facts = attributes
        facts["exception.type"] = String(reflecting: type(of: error))
        facts["exception.message"] = String(describing: error)
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: facts))
    }

    public func addLink(_ link: SpanLink) {
        change { state in
            if state.links.count < Self.attributesMax { state.links.append(link) }
        }
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let time = instant().nanosecondsSinceEpoch
        let complete = state.withLock { state -> SpanBundle? in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            state.end = max(time, start)
            recording?.pipeline.produced.increment(by: 1)
            let complete = recording?.add(
                PackedSpan.Head(
                    spanID: trace.spanID, parentID: parentID, hasRemoteParent: hasRemoteParent, kind: kind, start: start
                ),
                state)
            // Who still holds the span, such as work that goes on after it, need not hold what it was about.
            (state.events, state.links, state.exemplars) = ([], [], [])
            if parentID != 0 { state.parent.forgetPosition() }
            return complete
        }
        if let complete { recording?.pipeline.take(complete) }
    }

    private func change(_ edit: (inout State) -> Void) {
        state.withLock { state in
            if !state.hasEnded { edit(&state) }
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
