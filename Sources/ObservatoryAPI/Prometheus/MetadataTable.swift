// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// What senders have said of their metrics. Told again with each batch, and so not kept on the disk.
package final class MetadataTable: Sendable {
    /// Metrics, so that nobody fills the memory with names.
    private static let countMax = 100_000

    private let known = Mutex<[String: MetricMetadata]>([:])

    package init() {}

    package func note(_ metadata: [String: MetricMetadata]) {
        known.withLock { known in
            for (name, metadata) in metadata where known.count < Self.countMax || known[name] != nil {
                known[name] = metadata
            }
        }
    }

    var all: [String: MetricMetadata] { known.withLock { $0 } }
}
