// SPDX-License-Identifier: Apache-2.0

/// What kind of signal.
public enum Signal: String, Sendable, CaseIterable {
    case traces, metrics, logs
}

/// Signals as they come from somebody else, in columns.
public enum SignalBatch: Sendable {
    case spans(SpanBatch)
    case metrics(MetricBatch)
    case logs(LogBatch)

    /// Spans, points or records.
    public var count: Int {
        switch self {
        case .spans(let batch): batch.count
        case .metrics(let batch): batch.count
        case .logs(let batch): batch.count
        }
    }
}
