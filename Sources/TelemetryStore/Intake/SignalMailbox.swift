// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// Where the process' own spans and log lines wait until they are kept. Whoever leaves them never waits.
package final class SignalMailbox: SignalSink {
    private struct State {
        var spans: [SpanRecord] = []
        /// Of traces that were sampled out, for the hot window.
        var spare: [SpanRecord] = []
        var logs: [LogRecord] = []
        var isClosed = false
    }

    /// Spans, and lines, that may wait; more are dropped and counted. At some two kilobytes each.
    private static let waitingMax = 20_000

    private let resource: Resource
    private let state = Mutex(State())
    /// What could not wait.
    package let dropped = CounterSeries()

    package init(resource: Resource) { self.resource = resource }

    package func take(spans: [SpanRecord], from _: Resource) {
        let isTaken = state.withLock { state in
            guard state.spans.count + spans.count <= Self.waitingMax, !state.isClosed else { return state.isClosed }
            state.spans += spans
            return true
        }
        if !isTaken { dropped.increment(by: Int64(spans.count)) }
    }

    /// Nobody is told what of these had no room: they were given up already.
    package func take(spare spans: [SpanRecord], from _: Resource) {
        state.withLock { state in
            guard state.spans.count + state.spare.count + spans.count <= Self.waitingMax / 2, !state.isClosed else {
                return
            }
            state.spare += spans
        }
    }

    package func take(logs: [LogRecord], from _: Resource) {
        let isTaken = state.withLock { state in
            guard state.logs.count + logs.count <= Self.waitingMax, !state.isClosed else { return state.isClosed }
            state.logs += logs
            return true
        }
        if !isTaken { dropped.increment(by: Int64(logs.count)) }
    }

    /// Nothing: whoever empties it does so once more after the process has told all.
    package func flush() {}

    /// Counts what was taken out and could not be kept.
    package func noteLost(_ count: Int) { dropped.increment(by: Int64(count)) }

    /// Takes nothing more: there is no store.
    package func close() { state.withLock { $0 = State(isClosed: true) } }

    /// What has come since the last time: spans that are to be kept, because the process has chosen them, those that are to be there
    /// for the hot window alone, and log lines.
    package func empty() -> (spans: SpanBatch, spare: SpanBatch, logs: LogBatch) {
        let (spans, spare, logs) = state.withLock { state in
            defer { (state.spans, state.spare, state.logs) = ([], [], []) }
            return (state.spans, state.spare, state.logs)
        }
        return (
            SpanBatch(spans, from: resource, flags: SpanBatch.keptFlag),
            SpanBatch(spare, from: resource, flags: SpanBatch.spareFlag), LogBatch(logs, from: resource)
        )
    }
}
