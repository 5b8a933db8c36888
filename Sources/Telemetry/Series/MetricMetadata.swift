// SPDX-License-Identifier: Apache-2.0

/// What is known of a metric beside its samples.
package struct MetricMetadata: Hashable, Sendable {
    /// As Prometheus calls it: `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    package let type: String
    package let help: String
    package let unit: String

    package init(type: String, help: String, unit: String) {
        self.type = type
        self.help = help
        self.unit = unit
    }
}
