// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

extension SignalStore {
    /// What there is, for people.
    package struct Statistics: Sendable {
        /// What a signal has on disk beside the log.
        package struct SignalPart: Sendable {
            package let signal: Signal
            package var bytes = 0
            package var bytesMax = 0
            package var parts = 0
            /// Samples, spans or log records, with those that stand in no part yet.
            package var rows = 0
            /// Those of them that are in parts.
            package var packed = 0
            /// Milliseconds since 1970; `nil` where there is none in parts.
            package var oldest: Int64?
        }

        package struct Subject: Sendable {
            package let name: String
            package let series: Int
            /// Samples of new series that were folded or refused since the process began.
            package var excess = 0
        }

        /// Series and samples that stand in no part yet.
        package var headSeries = 0
        package var headSamples = 0
        package var parts = 0
        package var signals: [SignalPart] = []
        /// Bytes of the log that are still needed.
        package var logBytes = 0
        /// Files that were damaged and set aside.
        package var damaged: [String] = []
        /// Bytes at the ends of segments that were being written when the process or the machine stopped.
        package var tornBytes = 0
        /// The metrics with the most series in the head, and those of which some had no room.
        package var largestMetrics: [Subject] = []
        /// Senders, as `job` names them, with the most series in the head.
        package var largestSenders: [Subject] = []
        package var seriesPerMetricMax = 0
        package var retention = Duration.zero
    }

    /// How many metrics and senders are named.
    private static let namedMax = 12

    package var statistics: Statistics {
        var (statistics, budget) = state.withLock { state in
            var statistics = Statistics()
            statistics.headSeries = state.head.series.count
            statistics.headSamples = state.head.sampleCount
            statistics.damaged = state.damaged
            statistics.tornBytes = state.tornBytes
            statistics.parts = state.parts.count
            statistics.logBytes = state.segmentBytes.values.reduce(0, +)
            statistics.signals = Signal.allCases.map { signal in part(of: signal, state) }
            return (statistics, state.budget)
        }
        // Names are sorted without the lock, for which samples wait.
        statistics.largestMetrics = Self.largest(budget.byMetric, budget.excessByMetric)
        statistics.largestSenders = Self.largest(budget.bySender, budget.excessBySender)
        (statistics.seriesPerMetricMax, statistics.retention) = (settings.seriesPerMetricMax, settings.retention)
        return statistics
    }

    private static func largest(_ series: [String: Int], _ excess: [String: Int]) -> [Statistics.Subject] {
        let known = series.merging(excess.mapValues { _ in 0 }) { count, _ in count }
        return known.map { Statistics.Subject(name: $0, series: $1, excess: excess[$0] ?? 0) }
            .sorted { ($0.excess, $0.series, $1.name) > ($1.excess, $1.series, $0.name) }
            .prefix(namedMax).map { $0 }
    }

    private func part(of signal: Signal, _ state: State) -> Statistics.SignalPart {
        let parts = signal == .metrics ? state.parts : state[shelf: signal].parts.map(\.part)
        var found = Statistics.SignalPart(signal: signal)
        found.bytes = parts.reduce(0) { $0 + $1.size }
        found.bytesMax = settings.bytesMax(signal)
        found.parts = parts.count
        found.packed = parts.reduce(0) { $0 + $1.footer.rows }
        found.rows = found.packed + (signal == .metrics ? state.head.sampleCount : state[shelf: signal].head.rows)
        found.oldest = parts.map(\.footer.times.lowerBound).min()
        return found
    }
}
