// SPDX-License-Identifier: Apache-2.0

/// Whose rules a query follows.
package enum Semantics: Sendable {
    /// Prometheus 2: a range and the time to look back include their first moment.
    case v2
    /// Prometheus 3: they do not.
    case v3
}
