// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

extension SignalStore {
    /// What there is, for people.
    package struct Statistics: Sendable {
        /// Series and samples that stand in no part yet.
        package var headSeries = 0
        package var headSamples = 0
        package var parts = 0
        /// Files that were damaged and set aside.
        package var damaged: [String] = []
        /// Bytes at the ends of segments that were being written when the process or the machine stopped.
        package var tornBytes = 0
        /// The metrics with the most series in the head.
        package var largestMetrics: [(name: String, series: Int)] = []
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = Statistics()
            statistics.headSeries = state.head.series.count
            statistics.headSamples = state.head.sampleCount
            statistics.damaged = state.damaged
            statistics.tornBytes = state.tornBytes
            statistics.parts = state.parts.count
            statistics.largestMetrics = state.seriesByMetric.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
                .prefix(10).map { ($0.key, $0.value) }
            return statistics
        }
    }
}
