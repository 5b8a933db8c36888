// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Telemetry

/// The series that have not ended.
final class SeriesLog: Sendable {
    private let series = Mutex<Set<LabelSet>>([])

    var living: Set<LabelSet> { series.withLock { $0 } }

    func note(_ batch: SampleBatch) {
        series.withLock { series in
            for row in batch.rows {
                let labels = SeriesKey.labels(of: batch.keys[row.key])
                guard let last = row.samples.last else { continue }
                if StaleMarker.isStale(batch.values[last]) { series.remove(labels) } else { series.insert(labels) }
            }
        }
    }
}
