// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

extension SignalStore {
    /// What there is, for people.
    package struct Statistics: Sendable {
        /// Series and samples that stand in no part yet.
        package var headSeries = 0
        package var headSamples = 0
        package var parts = 0
        package var partSamples = 0
        package var partBytes = 0
        package var logBytes = 0
        /// Milliseconds since 1970; `nil` where there is no part.
        package var partTimes: ClosedRange<Int64>?
        /// Files that were damaged and set aside.
        package var damaged: [String] = []
        /// Bytes at the ends of segments that were being written when the process or the machine stopped.
        package var tornBytes = 0
        /// The metrics with the most series in the head.
        package var largestMetrics: [(name: String, series: Int)] = []
    }

    package var statistics: Statistics {
        let logBytes = log.segmentBytes
        return state.withLock { state in
            var statistics = Statistics()
            statistics.headSeries = state.head.series.count
            statistics.headSamples = state.head.sampleCount
            statistics.logBytes = logBytes
            statistics.damaged = state.damaged
            statistics.tornBytes = state.tornBytes
            for part in state.parts {
                statistics.parts += 1
                statistics.partSamples += part.footer.sampleCount
                statistics.partBytes += part.size
                let (known, times) = (statistics.partTimes ?? part.footer.times, part.footer.times)
                statistics.partTimes =
                    min(known.lowerBound, times.lowerBound)...max(known.upperBound, times.upperBound)
            }
            statistics.largestMetrics = state.seriesByMetric.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
                .prefix(10).map { ($0.key, $0.value) }
            return statistics
        }
    }
}
