// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// How many series each metric and each sender has in the head, and what there was beyond: known series go on, new ones are folded
/// into one or refused, and who makes them is named.
struct SeriesBudget {
    struct Offence: Hashable {
        let metric: String
        let sender: String
        let refusal: Admission.Refusal

        init(_ labels: LabelSet, _ refusal: Admission.Refusal) {
            (metric, sender, self.refusal) = (labels.metricName, labels["job"], refusal)
        }
    }

    /// Samples since the process began.
    struct Excess {
        var folded = 0
        var refused = 0
        fileprivate var spread = LabelSpread()
        /// The label that is named, from the first time on, so that the series that tells of it stays one.
        fileprivate var named: String?
    }

    private(set) var byMetric: [String: Int] = [:]
    /// As `job` names them.
    private(set) var bySender: [String: Int] = [:]
    /// Series that overflow goes into, by metric; they are beside the budgets.
    private var overflows: [String: Int] = [:]
    private var overflowCount = 0
    private var excess: [Offence: Excess] = [:]

    /// Offences that are told apart, because their names may be what there is too much of.
    private static let offencesMax = 1_000

    /// - Returns: why no further series may be added; `nil` where one may.
    func refusal(_ labels: LabelSet, of total: Int, _ settings: SignalStore.Settings) -> Admission.Refusal? {
        let metric = labels.metricName
        if metric.isEmpty { return .unnamed }
        if total - overflowCount >= settings.seriesMax { return .storeBudget }
        if bySender[labels["job"], default: 0] >= settings.seriesPerSenderMax { return .senderBudget }
        return byMetric[metric, default: 0] >= settings.seriesPerMetricMax ? .metricBudget : nil
    }

    func isKnown(metric: String) -> Bool { byMetric[metric] != nil }

    func isKnown(sender: String) -> Bool { bySender[sender] != nil }

    func hasRoomForOverflow(of metric: String, _ settings: SignalStore.Settings) -> Bool {
        overflows[metric, default: 0] < Overflow.perMetricMax && overflowCount < max(1_000, settings.seriesMax / 10)
    }

    /// `isOverflow` says that it is a series that we make ourselves; whoever sends such a label has it counted as any other.
    mutating func add(_ labels: LabelSet, isOverflow: Bool = false) {
        if isOverflow {
            overflows[labels.metricName, default: 0] += 1
            overflowCount += 1
        } else {
            byMetric[labels.metricName, default: 0] += 1
            bySender[labels["job"], default: 0] += 1
        }
    }

    mutating func note(
        _ what: WritableKeyPath<Excess, Int>, _ samples: Int, _ labels: LabelSet, _ refusal: Admission.Refusal
    ) {
        guard refusal != .unnamed else { return }
        let offence = Offence(labels, refusal)
        guard excess[offence] != nil || excess.count < Self.offencesMax else { return }
        excess[offence, default: Excess()][keyPath: what] += samples
        excess[offence]?.spread.note(labels)
    }

    func offender(_ offence: Offence) -> Admission.Offender {
        Admission.Offender(
            metric: offence.metric, label: excess[offence]?.spread.widest ?? "", sender: offence.sender)
    }

    /// Forgets the series, and not what was too much.
    mutating func recount() { (byMetric, bySender, overflows, overflowCount) = ([:], [:], [:], 0) }

    /// Samples that were folded or refused.
    var excessByMetric: [String: Int] { sums { $0.metric } }
    var excessBySender: [String: Int] { sums { $0.sender } }

    private func sums(by subject: (Offence) -> String) -> [String: Int] {
        Dictionary(excess.map { (subject($0.key), $0.value.folded + $0.value.refused) }, uniquingKeysWith: +)
    }

    /// What was too much, as series. Milliseconds since 1970.
    mutating func samples(at time: Int64) -> SampleBatch {
        var batch = SampleBatch()
        for (offence, excess) in excess {
            let label = excess.named ?? excess.spread.widest
            self.excess[offence]?.named = label
            let labels = [
                MetricLabel("metric", offence.metric), MetricLabel("sender", offence.sender),
                MetricLabel("reason", offence.refusal.rawValue), MetricLabel("label", label),
            ]
            for (metric, count) in [(Self.refusedMetric, excess.refused), (Self.foldedMetric, excess.folded)]
            where count > 0 {
                batch.add(LabelSet([MetricLabel(LabelSet.name, metric)] + labels), time, Double(count))
            }
        }
        return batch
    }

    static let refusedMetric = "vitrine_observatory_refused_samples_total"
    static let foldedMetric = "vitrine_observatory_folded_samples_total"
}

extension SignalStore {
    /// What was refused or folded of whom since the process began, as series that can be watched. Milliseconds since 1970.
    package func refusals(at time: Int64) -> SampleBatch {
        state.withLock { $0.budget.samples(at: time) }
    }

    /// For those who ask what metrics there are.
    package static let refusalMetadata = [
        SeriesBudget.refusedMetric: MetricMetadata(
            type: "counter", help: "Samples of new series that were refused, by whose they were.", unit: ""),
        SeriesBudget.foldedMetric: MetricMetadata(
            type: "counter", help: "Samples of new series that went into the one for what is too much.", unit: ""),
    ]
}
