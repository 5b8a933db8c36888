// SPDX-License-Identifier: Apache-2.0

/// Where signals go: an embedded store, a collector, a person's terminal.
///
/// Called from threads that must not wait: what cannot be taken at once is queued or dropped, and counted, by the sink.
public protocol SignalSink: Sendable {
    /// Spans that the sampler has kept, those of one trace together.
    func take(spans: [SpanRecord], from resource: Resource)
    /// Spans of one trace that the sampler has not kept, for who holds some of those for a while, too; they stand for nothing in totals.
    /// Nothing by itself.
    func take(spare spans: [SpanRecord], from resource: Resource)
    func take(logs: [LogRecord], from resource: Resource)
    /// Delivers what waits, as far as that takes no longer than two seconds. Called before the process ends.
    func flush()
}

extension SignalSink {
    public func take(spare spans: [SpanRecord], from resource: Resource) {}
}
