// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// Where the process' own spans and log lines wait until they are kept. Whoever leaves them never waits.
package final class SignalMailbox: SignalSink {
    private struct State {
        var spans: [SpanRecord] = []
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

    /// What has come since the last time. Its spans are to be kept: the process has chosen them.
    package func empty() -> (spans: SpanBatch, logs: LogBatch) {
        let (spans, logs) = state.withLock { state in
            defer { (state.spans, state.logs) = ([], []) }
            return (state.spans, state.logs)
        }
        return (SpanBatch(spans, from: resource, flags: SpanBatch.keptFlag), LogBatch(logs, from: resource))
    }
}
