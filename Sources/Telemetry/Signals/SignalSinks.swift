// SPDX-License-Identifier: Apache-2.0

/// Several sinks as one; each is given everything.
public struct SignalSinks: SignalSink {
    private let sinks: [any SignalSink]

    public init(_ sinks: [any SignalSink]) { self.sinks = sinks }

    public func take(spans: [SpanRecord], from resource: Resource) {
        for sink in sinks { sink.take(spans: spans, from: resource) }
    }

    public func take(spare spans: [SpanRecord], from resource: Resource) {
        for sink in sinks { sink.take(spare: spans, from: resource) }
    }

    public func take(logs: [LogRecord], from resource: Resource) {
        for sink in sinks { sink.take(logs: logs, from: resource) }
    }

    public func flush() { for sink in sinks { sink.flush() } }
}
