// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// How many series each metric and each sender has in the head, and what was refused beyond that: known series go on, new ones are
/// refused, and who makes them is named.
struct SeriesBudget {
    private struct Offence: Hashable {
        let metric: String
        let sender: String
        let refusal: Admission.Refusal
    }

    private(set) var byMetric: [String: Int] = [:]
    /// As `job` names them.
    private(set) var bySender: [String: Int] = [:]
    /// Samples since the process began.
    private var refused: [Offence: Int] = [:]

    /// Offences that are told apart, because their names may be what there is too much of.
    private static let offencesMax = 1_000

    /// - Returns: why no further series may be added; `nil` where one may.
    func refusal(_ metric: String, _ sender: String, of total: Int, _ settings: SignalStore.Settings)
        -> Admission.Refusal?
    {
        if metric.isEmpty { return .unnamed }
        if total >= settings.seriesMax { return .storeBudget }
        if bySender[sender, default: 0] >= settings.seriesPerSenderMax { return .senderBudget }
        return byMetric[metric, default: 0] >= settings.seriesPerMetricMax ? .metricBudget : nil
    }

    mutating func add(_ metric: String, _ sender: String) {
        byMetric[metric, default: 0] += 1
        bySender[sender, default: 0] += 1
    }

    mutating func noteRefused(_ samples: Int, _ metric: String, _ sender: String, _ refusal: Admission.Refusal) {
        let offence = Offence(metric: metric, sender: sender, refusal: refusal)
        guard refused[offence] != nil || refused.count < Self.offencesMax else { return }
        refused[offence, default: 0] += samples
    }

    /// Forgets the series, and not what was refused.
    mutating func recount() { (byMetric, bySender) = ([:], [:]) }

    var refusedByMetric: [String: Int] { Dictionary(refused.map { ($0.key.metric, $0.value) }, uniquingKeysWith: +) }
    var refusedBySender: [String: Int] { Dictionary(refused.map { ($0.key.sender, $0.value) }, uniquingKeysWith: +) }

    /// What was refused, as series. Milliseconds since 1970.
    func samples(at time: Int64) -> SampleBatch {
        var batch = SampleBatch()
        for (offence, count) in refused {
            let labels = [
                MetricLabel(LabelSet.name, Self.metric), MetricLabel("metric", offence.metric),
                MetricLabel("sender", offence.sender), MetricLabel("reason", offence.refusal.rawValue),
            ]
            batch.add(LabelSet(labels), time, Double(count))
        }
        return batch
    }

    static let metric = "vitrine_observatory_refused_samples_total"
}

extension SignalStore {
    /// What was refused of whom since the process began, as series that can be watched. Milliseconds since 1970.
    package func refusals(at time: Int64) -> SampleBatch {
        let budget = state.withLock { $0.budget }
        return budget.samples(at: time)
    }

    /// For those who ask what metrics there are.
    package static let refusalMetadata = [
        SeriesBudget.metric: MetricMetadata(
            type: "counter", help: "Samples of new series that were refused, by whose they were.", unit: "")
    ]
}
