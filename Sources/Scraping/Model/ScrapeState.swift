// SPDX-License-Identifier: Apache-2.0

internal import Patterns
internal import Telemetry

/// What is known of one target from scrape to scrape. Without a clock or a wire: a scrape goes in, samples come out.
struct ScrapeState {
    /// What a scrape brought.
    struct Outcome {
        var batch = SampleBatch()
        var metadata: [String: MetricMetadata] = [:]
        /// Why the target counts as down; `nil` where it is up.
        var fault: String?
    }

    private let job: ScrapeJob
    private let target: Target
    private let relabelling: Relabelling
    /// Series of the last scrape that carried no times of their own.
    private var shown: Set<LabelSet> = []

    init(_ job: ScrapeJob, _ target: Target, _ relabelling: Relabelling) {
        (self.job, self.target, self.relabelling) = (job, target, relabelling)
    }

    private struct TooMuch: Error { let reason: String }

    /// Times are in milliseconds since 1970; `took` is in seconds.
    mutating func scraped(_ exposition: Exposition, at time: Int64, took: Double) -> Outcome {
        var outcome = Outcome()
        var (current, kept) = (Set<LabelSet>(), 0)
        do {
            for sample in exposition.samples {
                guard let labels = try relabelling.applied(to: merged(sample.labels)), !labels.metricName.isEmpty else {
                    continue
                }
                try check(labels)
                kept += 1
                if job.limits.samples > 0, kept > job.limits.samples {
                    throw TooMuch(reason: "it shows more than the \(job.limits.samples) samples that its job allows")
                }
                let own = job.honorsTimes ? sample.time : nil
                if own == nil { current.insert(labels) }
                outcome.batch.add(labels, own ?? time, sample.value)
            }
        } catch let error as TooMuch {
            return failed(error.reason, at: time, took: took)
        } catch {
            return failed("\(error)", at: time, took: took)
        }
        for gone in shown.subtracting(current) { outcome.batch.add(gone, time, StaleMarker.value) }
        let added = current.subtracting(shown).count
        shown = current
        outcome.metadata = exposition.metadata
        report(&outcome.batch, time, isUp: true, took, exposition.samples.count, kept, added)
        return outcome
    }

    /// All series end with it.
    mutating func failed(_ reason: String, at time: Int64, took: Double) -> Outcome {
        var outcome = Outcome(fault: reason)
        for gone in shown { outcome.batch.add(gone, time, StaleMarker.value) }
        shown = []
        report(&outcome.batch, time, isUp: false, took, 0, 0, 0)
        return outcome
    }

    /// The target is no longer one: even what is said about it ends.
    mutating func removed(at time: Int64) -> SampleBatch {
        var batch = SampleBatch()
        for gone in shown.union(Self.reports.map { target.labels.with(LabelSet.name, $0) }) {
            batch.add(gone, time, StaleMarker.value)
        }
        shown = []
        return batch
    }

    // MARK: Labels

    /// Those of the target, and those it shows. Where both have one, the job says whose it is; the other is called
    /// `exported_…`.
    private func merged(_ labels: [MetricLabel]) -> LabelSet {
        let own = LabelSet(labels)
        if job.honorsLabels { return LabelSet(target.labels.labels + labels) }
        var merged = target.labels.labels
        for label in own.labels {
            var name = label.name
            while !target.labels[name].isEmpty || name != label.name && !own[name].isEmpty { name = "exported_" + name }
            merged.append(MetricLabel(name, label.value))
        }
        return LabelSet(merged)
    }

    private func check(_ labels: LabelSet) throws(TooMuch) {
        let limits = job.limits
        if limits.labels > 0, labels.labels.count > limits.labels {
            throw TooMuch(
                reason: "\(labels.metricName) has \(labels.labels.count) labels; its job allows \(limits.labels)")
        }
        for label in labels.labels {
            if limits.labelNameBytes > 0, label.name.utf8.count > limits.labelNameBytes {
                throw TooMuch(reason: "the label \(label.name) of \(labels.metricName) has too long a name")
            }
            if limits.labelValueBytes > 0, label.value.utf8.count > limits.labelValueBytes {
                throw TooMuch(reason: "the label \(label.name) of \(labels.metricName) has too long a value")
            }
        }
    }

    // MARK: Reports

    private static let reports = [
        "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    ]

    private func report(
        _ batch: inout SampleBatch, _ time: Int64, isUp: Bool, _ took: Double, _ scraped: Int, _ kept: Int, _ added: Int
    ) {
        for (name, value) in zip(Self.reports, [isUp ? 1 : 0, took, Double(scraped), Double(kept), Double(added)]) {
            batch.add(target.labels.with(LabelSet.name, name), time, value)
        }
    }
}
