// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
internal import Synchronization
internal import Telemetry

/// One kind of signal on its way to the collector: requests wait in a spool and are sent in order, one at a time.
final class SignalLane: Sendable {
    let signal: Signal
    let account: ExportAccount
    private let spool: Spool
    private let isCompressed: Bool
    private let transport: any Transport
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let state: Mutex<State>
    /// Made when something is said, because an exporter stands before there is a logging system.
    private var log: Logger { Logger(label: "vitrine.otlp") }

    private struct State {
        var backoff: Backoff
        /// Why the last request found the collector away.
        var fault: String?
        var isEnding = false
    }

    /// The fastest, because it is done for every batch.
    private static let compressionLevel: Int32 = 1

    init(_ signal: Signal, _ settings: ExporterSettings, _ transport: any Transport) throws {
        self.signal = signal
        self.transport = transport
        isCompressed = settings.isCompressed
        let bytesMax = settings.spoolFolder == nil ? settings.spoolBytesMax / Spool.memoryShare : settings.spoolBytesMax
        spool = try Spool(
            folder: settings.spoolFolder.map { "\($0)/\(signal.rawValue)" }, bytesMax: bytesMax,
            ageMax: settings.spoolAgeMax)
        account = ExportAccount(recovered: spool.recovered)
        account.count(spool.lossesAtStart)
        state = Mutex(State(backoff: settings.backoff))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Why the collector is away; `nil` while it answers.
    var fault: String? { state.withLock { $0.fault } }

    /// Items and bytes that wait to be delivered.
    var waiting: (items: Int, bytes: Int) { (spool.items, spool.bytes) }

    /// Puts a request in the line. Takes as long as the disk does.
    func put(_ request: [UInt8], items: Int) {
        let compressed = isCompressed ? Gzip.compress(request, level: Self.compressionLevel) : nil
        account.count(
            spool.append(
                Spool.Batch(
                    payload: compressed ?? request, items: items, isCompressed: compressed != nil, time: UnixTime.now())
            ))
        wake.yield()
    }

    /// Leaves what waits to the next process.
    func close() { spool.close() }

    /// Sends what waits until ``end()``. A request that is on its way is answered first, so that it is not sent twice.
    func run() async {
        var wakes = wakes.makeAsyncIterator()
        while !isEnding {
            if let wait = await deliver() { await pause(wait) } else { _ = await wakes.next() }
        }
    }

    /// Has ``run()`` return.
    func end() {
        state.withLock { $0.isEnding = true }
        wake.yield()
    }

    private var isEnding: Bool { Task.isCancelled || state.withLock { $0.isEnding } }

    /// In steps, so that an end need not be waited for.
    private func pause(_ length: Duration) async {
        let end = ContinuousClock.now + length
        while !isEnding, ContinuousClock.now < end {
            try? await Task.sleep(for: min(.milliseconds(100), end - ContinuousClock.now))
        }
    }

    /// What is left once ``run()`` has returned.
    func deliverTheRest() async {
        state.withLock { $0.isEnding = false }
        _ = await deliver()
    }

    /// Sends what waits, in order.
    ///
    /// - Returns: How long to wait before the next try; `nil` once nothing waits.
    private func deliver() async -> Duration? {
        while true {
            let (batch, losses) = spool.first(now: UnixTime.now())
            account.count(losses)
            guard let batch else { return nil }
            switch await transport.send(batch.payload, signal, isCompressed: batch.isCompressed) {
            case .delivered(let rejected, let reason):
                let rejected = min(max(0, rejected), batch.items)
                if rejected > 0 { warn("The collector rejected \(rejected) of \(batch.items)", reason) }
                returned()
                guard spool.remove(batch) else { continue }
                account.delivered.increment(by: Int64(batch.items - rejected))
                account.rejected.increment(by: Int64(rejected))
            case .refused(let reason):
                warn("The collector refused a request of \(batch.items)", reason)
                returned()
                if spool.remove(batch) { account.refused.increment(by: Int64(batch.items)) }
            case .unavailable(let advice, let reason): return away(reason, advice)
            }
            if isEnding { return .zero }
        }
    }

    /// Said once each way, however long it lasts.
    private func away(_ reason: String, _ advice: Duration?) -> Duration {
        let (wait, isNew) = state.withLock { state in
            defer { state.fault = reason }
            return (state.backoff.failed(advice: advice, draw: .random(in: 0...1)), state.fault == nil)
        }
        if isNew && !isEnding { warn("The collector is away; signals wait", reason) }
        return wait
    }

    private func returned() {
        let wasAway = state.withLock { state in
            defer { state.fault = nil }
            state.backoff.succeeded()
            return state.fault != nil
        }
        if wasAway {
            log.notice("The collector is back", metadata: ["signal": "\(signal)", "waiting": "\(spool.items)"])
        }
    }

    private func warn(_ message: String, _ reason: String) {
        log.warning("\(message)", metadata: ["signal": "\(signal)", "reason": "\(reason)"])
    }
}

/// What became of the items of one signal: produced + recovered = delivered + rejected + refused + dropped + in flight.
struct ExportAccount: Sendable {
    let produced = CounterSeries()
    /// Left by an earlier process.
    let recovered = CounterSeries()
    let delivered = CounterSeries()
    /// In requests that the collector took in part.
    let rejected = CounterSeries()
    /// In requests that it did not take.
    let refused = CounterSeries()
    let overflown = CounterSeries()
    private let losses: [Spool.Loss: CounterSeries]

    init(recovered: Int) {
        losses = Dictionary(uniqueKeysWithValues: Spool.Loss.allCases.map { ($0, CounterSeries()) })
        self.recovered.increment(by: Int64(recovered))
    }

    func count(_ losses: Spool.Losses) {
        for (loss, items) in losses { self.losses[loss]?.increment(by: Int64(items)) }
    }

    /// Every end that an item can come to, by the name it has in metrics.
    var outcomes: [(name: String, series: CounterSeries)] {
        [
            ("delivered", delivered), ("rejected_partly", rejected), ("rejected_request", refused),
            ("dropped_queue_full", overflown),
        ] + losses.sorted { $0.key.rawValue < $1.key.rawValue }.map { ("dropped_\($0.key.rawValue)", $0.value) }
    }
}
