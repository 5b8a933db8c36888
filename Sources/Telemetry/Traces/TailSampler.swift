// SPDX-License-Identifier: Apache-2.0

/// Which traces ``TailSampler`` keeps.
public struct TailSampling: Sendable {
    /// How long after its root ended a trace is decided. Default 2 s.
    public var grace = Duration.seconds(2)
    /// After so long a trace is decided whose root was never seen. Default 30 s.
    public var patience = Duration.seconds(30)
    /// How long spans stay at hand after they were sampled out. Default 90 s.
    public var window = Duration.seconds(90)
    /// The share of the rest that is kept, 0 to 1. Default 1.
    public var share = 1.0
    /// The rest's share is lowered where more than so many a second would be kept. Default 10.
    public var perSecondMax = 10.0
    /// So many of the slowest traces of each route are kept in each period. Default 3.
    public var slowestPerRoute = 3
    /// So many of the first traces of each route are kept in each period, which are all of a rare route. Default 2.
    public var firstPerRoute = 2
    /// How long a period is. Default 60 s.
    public var period = Duration.seconds(60)
    /// What all spans at hand may weigh. Default 64 MiB.
    public var bytesMax = 64 << 20
    /// Routes that are told apart. Default 2,000; all further ones count as one.
    public var routesMax = 2_000

    public init() {}
}

/// Decides which traces are kept, once they are over.
///
/// Kept are all traces with an error, those with a chosen attribute, the slowest and the first of each route in every
/// period, and a share of the rest. Each of the rest stands for `1 / probability` traces, so that totals reckoned from what
/// was kept are right on average. A trace is kept whole or not at all: what was sampled out stays at hand for a while, and
/// an error that arrives late brings all of it back.
///
/// A pure state machine: it is given spans and the time, and returns what to do. Adding a span costs a look-up in a
/// dictionary; memory is bounded by ``TailSampling/bytesMax``.
public struct TailSampler<Span: Sendable>: Sendable {
    /// What the sampler looks at.
    public struct Facts: Sendable {
        public var traceID: TraceID
        /// Whether the trace ends with this span, as far as this process can tell.
        public var isRoot: Bool
        public var isError: Bool
        /// Whether it has an attribute for which every trace is kept.
        public var isChosen: Bool
        /// What the root is about, such as `POST /v1/orders`.
        public var route: String
        public var duration: Duration
        /// What the span weighs in memory.
        public var bytes: Int
        /// How many spans it is, where several of a trace come as one.
        public var spans: Int

        public init(
            traceID: TraceID, isRoot: Bool, isError: Bool, isChosen: Bool = false, route: String, duration: Duration,
            bytes: Int, spans: Int = 1
        ) {
            self.traceID = traceID
            self.isRoot = isRoot
            self.isError = isError
            self.isChosen = isChosen
            self.route = route
            self.duration = duration
            self.bytes = bytes
            self.spans = spans
        }
    }

    public enum Reason: String, Sendable, CaseIterable {
        case error, chosen, slow, first, share
    }

    public enum Action: Sendable {
        /// Spans of one trace; more of it may follow.
        case keep(TraceID, [Span], adjustedCount: Double, Reason)
        /// Spans of one trace that was sampled out for good.
        case sampledOut([Span])
        /// So many spans had to go before their trace was decided.
        case dropped(spans: Int)
    }

    private enum Decision {
        case open
        case kept(adjustedCount: Double, Reason)
        case out
    }

    private struct Trace {
        var decision = Decision.open
        var spans: [Span] = []
        var count = 0
        var bytes = 0
        var isError = false
        var isChosen = false
        var isScheduled = false
        var route: String?
        var duration = Duration.zero
    }

    private struct Route {
        var seen = 0
        /// Ascending.
        var slowest: [Duration] = []
    }

    private let configuration: TailSampling
    private let key = UInt64.random(in: .min ... .max)
    private var traces: [TraceID: Trace] = [:]
    private var routes: [String: Route] = [:]
    private var periodEnd: Duration
    /// Traces whose root has ended, by when they are decided; then those that wait for a root.
    private var due = Line()
    private var waiting = Line()
    /// Decided traces, by when they are forgotten.
    private var fading = Line()
    /// Traces of the rest, in this second and smoothed over the last ones.
    private var (restNow, restRate) = (0, 0.0)
    private var secondEnd: Duration

    /// What all spans at hand weigh.
    public private(set) var bytes = 0
    /// How many spans are at hand.
    public private(set) var spans = 0

    /// What a trace costs beside its spans.
    private static var overhead: Int { 200 }

    /// `now` is any clock that does not go back.
    public init(_ configuration: TailSampling, now: Duration) {
        self.configuration = configuration
        periodEnd = now + configuration.period
        secondEnd = now + .seconds(1)
    }

    // MARK: Spans in

    public mutating func add(_ span: Span, _ facts: Facts, now: Duration) -> [Action] {
        // Taken out meanwhile, so that its spans are appended in place.
        var trace = traces.removeValue(forKey: facts.traceID) ?? begun(facts.traceID, now)
        var actions = take(span, facts, into: &trace, now: now)
        traces[facts.traceID] = trace
        if bytes > configuration.bytesMax { relieve(&actions) }
        return actions
    }

    private mutating func take(_ span: Span, _ facts: Facts, into trace: inout Trace, now: Duration) -> [Action] {
        if case .kept(let adjustedCount, let reason) = trace.decision {
            if facts.isError, reason == .share {
                // From now on it stands for itself; what was delivered before keeps its count.
                trace.decision = .kept(adjustedCount: 1, .error)
            }
            return [.keep(facts.traceID, [span], adjustedCount: adjustedCount, reason)]
        }
        trace.spans.append(span)
        trace.bytes += facts.bytes
        bytes += facts.bytes
        trace.count += facts.spans
        spans += facts.spans
        trace.isError = trace.isError || facts.isError
        trace.isChosen = trace.isChosen || facts.isChosen
        if facts.isRoot, trace.route == nil {
            trace.route = facts.route
            trace.duration = facts.duration
        }
        switch trace.decision {
        case .out where trace.isError || trace.isChosen:
            return [keep(&trace, facts.traceID, 1, trace.isError ? .error : .chosen)]
        case .open where facts.isRoot && !trace.isScheduled:
            trace.isScheduled = true
            due.append(facts.traceID, at: now + configuration.grace)
        default: break
        }
        return []
    }

    private mutating func begun(_ id: TraceID, _ now: Duration) -> Trace {
        bytes += Self.overhead
        waiting.append(id, at: now + configuration.patience)
        return Trace()
    }

    // MARK: Time passes

    /// Decides what is due. Call it about once a second.
    public mutating func tick(now: Duration) -> [Action] {
        var actions: [Action] = []
        while now >= secondEnd {
            // A rate of the last ten seconds or so.
            restRate = restRate == 0 ? Double(restNow) : restRate * 0.9 + Double(restNow) * 0.1
            restNow = 0
            secondEnd += .seconds(1)
        }
        if now >= periodEnd {
            routes.removeAll(keepingCapacity: true)
            periodEnd = now + configuration.period
        }
        while let id = due.next(until: now) { decide(id, now, &actions) }
        while let id = waiting.next(until: now) { decide(id, now, &actions) }
        while let id = fading.next(until: now) { forget(id, &actions) }
        return actions
    }

    /// Decides everything at once, as before the process ends.
    public mutating func finish(now: Duration) -> [Action] {
        var actions: [Action] = []
        // In the order in which they would have been decided.
        while let id = due.next() ?? waiting.next() { decide(id, now, &actions) }
        for id in Array(traces.keys) { decide(id, now, &actions) }
        for id in Array(traces.keys) { forget(id, &actions) }
        return actions
    }

    private mutating func decide(_ id: TraceID, _ now: Duration, _ actions: inout [Action]) {
        guard var trace = traces.removeValue(forKey: id) else { return }
        defer { traces[id] = trace }
        guard case .open = trace.decision else { return }
        fading.append(id, at: now + configuration.window)
        if let (adjustedCount, reason) = verdict(on: trace, id) {
            actions.append(keep(&trace, id, adjustedCount, reason))
        } else {
            trace.decision = .out
        }
    }

    private mutating func verdict(on trace: Trace, _ id: TraceID) -> (Double, Reason)? {
        let name = trace.route.map { routes[$0] != nil || routes.count < configuration.routesMax ? $0 : "" } ?? ""
        var route = routes[name] ?? Route()
        route.seen += 1
        var isSlow = false
        if configuration.slowestPerRoute > 0,
            route.slowest.count < configuration.slowestPerRoute || trace.duration > route.slowest[0]
        {
            isSlow = true
            route.slowest.append(trace.duration)
            route.slowest.sort()
            if route.slowest.count > configuration.slowestPerRoute { route.slowest.removeFirst() }
        }
        routes[name] = route
        if trace.isError { return (1, .error) }
        if trace.isChosen { return (1, .chosen) }
        if route.seen <= configuration.firstPerRoute { return (1, .first) }
        if isSlow { return (1, .slow) }
        restNow += 1
        // This second counts, too, so that a burst after quiet is not kept whole. What the probability follows from is known
        // before the trace is looked at, so that the estimate stays right.
        let rate = max(restRate, Double(restNow))
        let probability = min(configuration.share, configuration.perSecondMax / rate)
        return share(of: id) < probability ? (1 / probability, .share) : nil
    }

    /// The trace's place among all, 0 to 1. Keyed, because identifiers come from callers, who could choose one that is kept.
    private func share(of id: TraceID) -> Double {
        var mixed = (id.low ^ key) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 32 ^ id.high) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Double(mixed >> 11) / Double(1 << 53 as UInt64)
    }

    private mutating func keep(
        _ trace: inout Trace, _ id: TraceID, _ adjustedCount: Double, _ reason: Reason
    ) -> Action {
        bytes -= trace.bytes
        spans -= trace.count
        defer { (trace.spans, trace.count, trace.bytes) = ([], 0, 0) }
        trace.decision = .kept(adjustedCount: adjustedCount, reason)
        return .keep(id, trace.spans, adjustedCount: adjustedCount, reason)
    }

    private mutating func forget(_ id: TraceID, _ actions: inout [Action]) {
        guard let trace = traces.removeValue(forKey: id) else { return }
        bytes -= trace.bytes + Self.overhead
        spans -= trace.count
        guard !trace.spans.isEmpty else { return }
        if case .out = trace.decision {
            actions.append(.sampledOut(trace.spans))
        } else {
            actions.append(.dropped(spans: trace.count))
        }
    }

    /// Makes room: what was decided longest ago goes first, then what waits longest and has no error.
    private mutating func relieve(_ actions: inout [Action]) {
        let aim = configuration.bytesMax * 9 / 10
        while bytes > aim, let id = fading.next() { forget(id, &actions) }
        var spared: [(TraceID, Duration)] = []
        while bytes > aim, let (id, time) = waiting.pop() {
            guard let trace = traces[id], case .open = trace.decision else { continue }
            if trace.isError { spared.append((id, time)) } else { forget(id, &actions) }
        }
        waiting.putBack(spared)
        // Nothing but errors: the oldest of them are delivered before they are complete; what follows is delivered, too.
        while bytes > aim, let (id, _) = waiting.pop() {
            guard var trace = traces.removeValue(forKey: id) else { continue }
            if case .open = trace.decision { actions.append(keep(&trace, id, 1, .error)) }
            traces[id] = trace
            fading.append(id, at: fading.last ?? .zero)
        }
    }
}

/// Traces by the time at which something is due; times are appended in order.
private struct Line: Sendable {
    private var entries: [(id: TraceID, time: Duration)] = []
    private var head = 0

    var last: Duration? { entries.last?.time }

    mutating func append(_ id: TraceID, at time: Duration) { entries.append((id, time)) }

    mutating func putBack(_ earlier: [(TraceID, Duration)]) {
        entries.replaceSubrange(..<head, with: earlier.map { (id: $0.0, time: $0.1) })
        head = 0
    }

    mutating func pop() -> (TraceID, Duration)? {
        guard head < entries.count else { return nil }
        defer {
            head += 1
            if head > 1_024, head * 2 > entries.count {
                entries.removeFirst(head)
                head = 0
            }
        }
        return (entries[head].id, entries[head].time)
    }

    mutating func next() -> TraceID? { pop()?.0 }

    mutating func next(until now: Duration) -> TraceID? {
        guard head < entries.count, entries[head].time <= now else { return nil }
        return pop()?.0
    }
}
