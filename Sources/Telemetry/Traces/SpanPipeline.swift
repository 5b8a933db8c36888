// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// From spans that end to spans that are kept.
final class SpanPipeline: Sendable {
    /// Whoever has one of these attributes is kept whatever becomes of it.
    let chosen: [Attribute]
    /// Recordings that hold ended spans, and since when; each knows its place.
    private let listed = Mutex<[(recording: TraceRecording, since: ContinuousClock.Instant)]>([])
    /// Ended spans that recordings have handed on.
    private let handedOn = Atomic(0)
    /// What bundles were written in, emptied for the next.
    private let buffers = Mutex<[[UInt8]]>([])
    private let waiting = Mutex(WaitingBundles())
    private let sampler: Mutex<TailSampler<SpanBundle>>
    private let resource: Resource
    private let sink: (any SignalSink)?
    private let waitingMax: Int
    private let sparePerSecondMax: Double
    /// Spans that may be given as spare now, and since when no more were granted.
    private let spare = Mutex((left: Double.infinity, at: Duration.zero))
    private let start = ContinuousClock.now
    let produced = CounterSeries()
    let delivered = CounterSeries()
    let sampledOut = CounterSeries()
    let dropped = CounterSeries()
    let overflown = CounterSeries()

    init(_ configuration: ProcessTelemetry.Configuration, resource: Resource, sink: (any SignalSink)?) {
        (self.resource, self.sink) = (resource, sink)
        (chosen, waitingMax) = (configuration.chosenAttributes, configuration.spansWaitingMax)
        sparePerSecondMax = Double(max(0, configuration.spareSpansPerSecondMax))
        sampler = Mutex(TailSampler(configuration.sampling, now: .zero))
    }

    /// Produced = delivered + sampled out + dropped + overflown + in flight.
    var inFlight: Int {
        sampler.withLock { sampler in
            let further = sampler.spans + waiting.withLock { $0.spans }
            // In this order, so that what ends meanwhile is counted once too often rather than less than nothing.
            let handedOn = handedOn.load(ordering: .acquiring)
            return further + Int(produced.total) - handedOn
        }
    }

    func take(_ bundle: consuming SpanBundle) {
        let count = bundle.count
        let isTaken = waiting.withLock { waiting in
            guard waiting.spans + count <= waitingMax else { return false }
            waiting.append(bundle)
            return true
        }
        if !isTaken { overflown.increment(by: Int64(count)) }
        handedOn.add(count, ordering: .releasing)
        // What waits is a copy, so that the buffer is free.
        var buffer = bundle.bytes
        _ = consume bundle
        guard buffer.capacity <= Self.bufferMax else { return }
        buffer.removeAll(keepingCapacity: true)
        buffers.withLock { if $0.count < Self.buffersMax { $0.append(buffer) } }
    }

    func work() {
        let now = ContinuousClock.now - start
        // The rest of such a trace may be long in coming.
        let limit = ContinuousClock.now - Self.patience
        collect(from: listed.withLock { $0.filter { $0.since < limit } }.map(\.recording))
        decide(now)
    }

    func finish() {
        let now = ContinuousClock.now - start
        collect(from: listed.withLock { $0 }.map(\.recording))
        decide(now)
        sampler.withLock { perform($0.finish(now: now)) }
    }

    private func collect(from recordings: [TraceRecording]) {
        for recording in recordings { if let bundle = recording.takeOut() { take(bundle) } }
    }

    private func decide(_ now: Duration) {
        sampler.withLock { sampler in
            for bundle in waiting.withLock({ $0.takeAll() }) { perform(sampler.add(bundle, bundle.facts, now: now)) }
            perform(sampler.tick(now: now))
        }
    }

    private func perform(_ actions: [TailSampler<SpanBundle>.Action]) {
        for action in actions {
            switch action {
            case .keep(_, let bundles, let adjustedCount, _):
                for bundle in bundles { bundle.showExemplars() }
                let records = bundles.flatMap { $0.records(adjustedCount: adjustedCount) }
                delivered.increment(by: Int64(records.count))
                sink?.take(spans: records, from: resource)
            case .sampledOut(let bundles):
                let count = bundles.reduce(0) { $0 + $1.count }
                sampledOut.increment(by: Int64(count))
                if isSpare(count) {
                    sink?.take(spare: bundles.flatMap { $0.records(adjustedCount: 1) }, from: resource)
                }
            case .dropped(let spans): dropped.increment(by: Int64(spans))
            }
        }
    }
}

// MARK: Recordings

extension SpanPipeline {
    /// For how long a recording may hold what has ended, at most.
    private static let patience = Duration.seconds(1)
    private static let buffersMax = 64
    /// A larger one is not kept.
    private static let bufferMax = 16 << 10

    /// Has a recording asked for what it holds, should it hold it for long.
    func list(_ recording: TraceRecording) {
        let since = ContinuousClock.now
        listed.withLock { listed in
            recording.place.store(listed.count, ordering: .relaxed)
            listed.append((recording, since))
        }
    }

    /// Leaves a recording alone that was listed. The last one takes its place, so that nothing is looked for.
    func unlist(_ recording: TraceRecording) {
        listed.withLock { listed in
            let (place, last) = (recording.place.load(ordering: .relaxed), listed.removeLast())
            guard place < listed.count else { return }
            listed[place] = last
            last.recording.place.store(place, ordering: .relaxed)
        }
    }

    /// An empty one with room for the spans of a request.
    func buffer() -> [UInt8] {
        if let buffer = buffers.withLock({ $0.popLast() }) { return buffer }
        var buffer: [UInt8] = []
        buffer.reserveCapacity(2_048)
        return buffer
    }
}

// MARK: Spare

extension SpanPipeline {
    /// Whether so many spans more may be given as spare: as many as a second brings may come at once.
    private func isSpare(_ count: Int) -> Bool {
        guard sparePerSecondMax > 0 else { return false }
        let now = ContinuousClock.now - start
        return spare.withLock { spare in
            spare.left = min(sparePerSecondMax, spare.left + (now - spare.at) / .seconds(1) * sparePerSecondMax)
            spare.at = now
            guard spare.left >= Double(count) else { return false }
            spare.left -= Double(count)
            return true
        }
    }
}

/// Bundles that wait for the sampler. Those of whole traces lie together in blocks: they come and go in their hundreds, and
/// one by one they would leave the allocator little but holes.
private struct WaitingBundles {
    private(set) var spans = 0
    private var bundles: [SpanBundle] = []
    /// How many of the bundles, at the end, lie in the block.
    private var inBlock = 0
    private var block: [UInt8] = []

    private static let blockMax = 64 << 10

    mutating func append(_ bundle: SpanBundle) {
        spans += bundle.count
        guard bundle.isWhole, bundle.bytes.count <= Self.blockMax else {
            // It may be held for as long as its trace goes on, and would hold a whole block with it.
            closeBlock()
            return bundles.append(bundle.placed(in: Self.exactly(bundle.bytes), at: 0))
        }
        if block.count + bundle.bytes.count > Self.blockMax { closeBlock() }
        if block.isEmpty { block.reserveCapacity(Self.blockMax) }
        bundles.append(bundle.placed(in: [], at: block.count))
        block += bundle.bytes
        inBlock += 1
    }

    mutating func takeAll() -> [SpanBundle] {
        closeBlock()
        defer { self = WaitingBundles() }
        return bundles
    }

    private mutating func closeBlock() {
        guard inBlock > 0 else { return }
        // No larger than what is in it.
        let shared = Self.exactly(block)
        for place in bundles.count - inBlock..<bundles.count {
            bundles[place] = bundles[place].placed(in: shared, at: bundles[place].place)
        }
        block.removeAll(keepingCapacity: true)
        inBlock = 0
    }

    /// A copy without room to grow. (An array of a whole slice is the array that was sliced.)
    private static func exactly(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBufferPointer { Array($0) } }
}
