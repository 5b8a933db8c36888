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

    package private(set) var accepted = 0
    /// Samples by why they were refused.
    package private(set) var refused: [Refusal: Int] = [:]
    /// Metrics whose series were refused, the first ten of them.
    package private(set) var offenders: [String] = []

    package var refusedCount: Int { refused.values.reduce(0, +) }

    /// For the sender: how many were refused, why, and whose they are. Empty where none was.
    package var message: String {
        guard !refused.isEmpty else { return "" }
        let reasons = refused.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
        let names = offenders.isEmpty ? "" : "; too many series: " + offenders.joined(separator: ", ")
        return "refused: " + reasons.joined(separator: ", ") + names
    }

    fileprivate mutating func refuse(_ refusal: Refusal, _ count: Int, metric: String? = nil) {
        refused[refusal, default: 0] += count
        if let metric, offenders.count < 10, !offenders.contains(metric) { offenders.append(metric) }
    }

    fileprivate mutating func accept() { accepted += 1 }

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

extension SignalStore.State {
    /// Takes what may be taken into the head and queues it for the log.
    ///
    /// - Returns: With what to wait for, where anything was taken; `isTaken` is false where the log has gone on to another
    ///   segment meanwhile, and all is to be done again.
    mutating func admit(
        _ batch: SampleBatch, _ hashes: [UInt64], _ settings: SignalStore.Settings, _ now: Int64, _ log: RecordLog
    ) -> (Admission, ticket: UInt64?, isTaken: Bool) {
        var (admission, record) = (Admission(), SampleRecord())
        // Deltas are added up once the log has the record: before, the batch may have to be taken again.
        var added: [[UInt8]: Double] = [:]
        let segment = log.segment
        let times = now - settings.retention.wholeMilliseconds...now + settings.aheadMax.wholeMilliseconds
        batch.keys.withUnsafeBufferPointer { keys in
            for (row, hash) in zip(batch.rows, hashes) where !row.samples.isEmpty {
                let key = UnsafeBufferPointer(rebasing: keys[row.key])
                let fitting = Self.fitting(batch, row, times, &admission)
                guard fitting > 0 else { continue }
                let known = head.table.find(key, hash)
                if known == nil, !hasRoom(for: key, settings, fitting, &admission) { continue }
                let number = known ?? head.add(key, hash)
                admit(batch, row, fitting, key, number, times, segment, &admission, &record, &added)
            }
        }
        guard !record.isEmpty else { return (admission, nil, true) }
        let ticket = log.append(record.bytes, for: segment)
        if ticket != nil {
            sums.merge(added) { _, sum in sum }
            note(record.bytes.count, of: .metrics, in: segment)
        }
        return (admission, ticket, ticket != nil)
    }

    /// How many samples of a row are of times that are taken.
    private static func fitting(
        _ batch: SampleBatch, _ row: SampleBatch.Row, _ times: ClosedRange<Int64>, _ admission: inout Admission
    ) -> Int {
        let fitting = row.samples.count { times.contains(batch.times[$0]) }
        if fitting < row.samples.count {
            let old = row.samples.count { batch.times[$0] < times.lowerBound }
            if old > 0 { admission.refuse(.tooOld, old) }
            let ahead = row.samples.count - fitting - old
            if ahead > 0 { admission.refuse(.tooFarAhead, ahead) }
        }
        return fitting
    }

    private mutating func admit(
        _ batch: SampleBatch, _ row: SampleBatch.Row, _ fitting: Int, _ key: UnsafeBufferPointer<UInt8>,
        _ number: UInt32, _ times: ClosedRange<Int64>, _ segment: UInt64, _ admission: inout Admission,
        _ record: inout SampleRecord, _ added: inout [[UInt8]: Double]
    ) {
        let isDescribed = head.series[Int(number)].describedIn == segment
        record.begin(series: number, key: isDescribed ? nil : key, count: fitting)
        if !isDescribed { head.describe(number, in: segment) }
        var sum = row.isDelta ? added[Array(key)] ?? sums[Array(key)] ?? 0 : 0
        for place in row.samples where times.contains(batch.times[place]) {
            var value = batch.values[place]
            if row.isDelta, !StaleMarker.isStale(value) {
                sum += value
                value = sum
            }
            record.add(batch.times[place], value)
            head.add(batch.times[place], value, to: number)
            admission.accept()
        }
        if row.isDelta { added[Array(key)] = sum }
    }

    /// Whether a new series may be added.
    private mutating func hasRoom(
        for key: UnsafeBufferPointer<UInt8>, _ settings: SignalStore.Settings, _ samples: Int,
        _ admission: inout Admission
    ) -> Bool {
        let labels = SeriesKey.labels(of: key)
        let (metric, sender) = (labels.metricName, labels["job"])
        if let refusal = budget.refusal(metric, sender, of: head.series.count, settings) {
            admission.refuse(refusal, samples, metric: metric.isEmpty ? nil : metric)
            if !metric.isEmpty { budget.noteRefused(samples, metric, sender, refusal) }
            return false
        }
        budget.add(metric, sender)
        return true
    }
}
