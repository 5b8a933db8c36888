// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// What became of samples that were sent.
package struct Admission: Sendable {
    package enum Refusal: String, Sendable, CaseIterable {
        /// Older than what is kept.
        case tooOld = "too_old"
        /// Further ahead than clocks differ.
        case tooFarAhead = "too_far_ahead"
        /// A series without the name of a metric.
        case unnamed
        /// A new series of a metric that has too many.
        case metricBudget = "metric_series_budget"
        /// A new series of a sender that has too many.
        case senderBudget = "sender_series_budget"
        /// A new series where there are too many in all.
        case storeBudget = "store_series_budget"
    }

    /// Whose series there are too many of.
    package struct Offender: Sendable, Hashable {
        package let metric: String
        /// The label that has the most values.
        package let label: String
        /// As `job` names it.
        package let sender: String

        var words: String {
            metric + (label.isEmpty ? "" : " by \(label)") + (sender.isEmpty ? "" : " of \(sender)")
        }
    }

    /// Samples that are there as they were sent.
    package private(set) var accepted = 0
    /// Samples that went into the one series for what is too much, by why.
    package private(set) var folded: [Refusal: Int] = [:]
    /// Samples by why they were refused.
    package private(set) var refused: [Refusal: Int] = [:]
    /// Ten of them at most.
    package private(set) var offenders: [Offender] = []

    package var refusedCount: Int { refused.values.reduce(0, +) }

    /// For the sender: how many were refused or folded, why, and whose they are. Empty where none was.
    package var message: String {
        func told(_ what: String, _ counts: [Refusal: Int]) -> String? {
            let reasons = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
            return reasons.isEmpty ? nil : "\(what): " + reasons.joined(separator: ", ")
        }
        let names = offenders.map(\.words).joined(separator: ", ")
        return [
            told("refused", refused), told("folded into overflow", folded),
            names.isEmpty ? nil : "too many series: " + names,
        ].compactMap(\.self).joined(separator: "; ")
    }

    mutating func refuse(_ refusal: Refusal, _ count: Int) { refused[refusal, default: 0] += count }

    mutating func fold(_ refusal: Refusal, _ count: Int) { folded[refusal, default: 0] += count }

    mutating func name(_ found: [Offender]) {
        offenders = Array(Set(found).sorted { ($0.metric, $0.sender) < ($1.metric, $1.sender) }.prefix(10))
    }

    mutating func accept() { accepted += 1 }

    /// Which rows of a batch may be taken in.
    static func of<Batch: WideRecords>(
        _ batch: Batch, _ settings: SignalStore.Settings, _ now: Int64
    ) -> (Admission, [RecordPlace]) {
        var (admission, places) = (Admission(), [RecordPlace]())
        let oldest = now - settings.retention.wholeMilliseconds
        let latest = now + settings.aheadMax.wholeMilliseconds
        for row in 0..<batch.count {
            if batch.end(of: row) / 1_000_000 < UInt64(max(0, oldest)) {
                admission.refuse(.tooOld, 1)
            } else if max(batch.start(of: row), batch.end(of: row)) / 1_000_000 > UInt64(max(0, latest)) {
                admission.refuse(.tooFarAhead, 1)
            } else {
                places.append(RecordPlace(batch: 0, row: row))
                admission.accept()
            }
        }
        return (admission, places)
    }
}
