// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// What a batch of samples does, as far as it has been looked at.
private struct Taking {
    let segment: UInt64
    let times: ClosedRange<Int64>
    var admission = Admission()
    var record = SampleRecord()
    /// The earliest time of a sample that was taken.
    var earliest = Int64.max
    /// What deltas, and what is too much, have come to.
    var sums: [[UInt8]: Double] = [:]
    var overflow = Overflow.Changes()
    var offences: Set<SeriesBudget.Offence> = []

    init(_ settings: SignalStore.Settings, _ now: Int64, _ segment: UInt64) {
        self.segment = segment
        times = now - settings.retention.wholeMilliseconds...now + settings.aheadMax.wholeMilliseconds
    }

    /// How many samples of a row are of times that are taken.
    mutating func fitting(_ batch: SampleBatch, _ row: SampleBatch.Row) -> Int {
        let fitting = row.samples.count { times.contains(batch.times[$0]) }
        if fitting < row.samples.count {
            let old = row.samples.count { batch.times[$0] < times.lowerBound }
            if old > 0 { admission.refuse(.tooOld, old) }
            let ahead = row.samples.count - fitting - old
            if ahead > 0 { admission.refuse(.tooFarAhead, ahead) }
        }
        return fitting
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
        var taking = Taking(settings, now, log.segment)
        batch.keys.withUnsafeBufferPointer { keys in
            for (row, hash) in zip(batch.rows, hashes) where !row.samples.isEmpty {
                let key = UnsafeBufferPointer(rebasing: keys[row.key])
                let fitting = taking.fitting(batch, row)
                guard fitting > 0 else { continue }
                if let number = head.find(key, hash) {
                    take(batch, row, fitting, key, number, &taking)
                } else {
                    takeUnknown(batch, row, fitting, key, hash, settings, &taking)
                }
            }
        }
        // At the end, when it is seen which label has all the values.
        taking.admission.name(taking.offences.map(budget.offender))
        growOverflow(&taking)
        guard !taking.record.isEmpty else { return (taking.admission, nil, true) }
        changes.note(taking.earliest)
        let ticket = log.append(taking.record.bytes, for: taking.segment)
        if ticket != nil {
            // Not before the log has the record: the batch may have to be taken again.
            sums.merge(taking.sums) { _, sum in sum }
            overflow.remember(taking.overflow)
            note(taking.record.bytes.count, of: .metrics, in: taking.segment)
        }
        return (taking.admission, ticket, ticket != nil)
    }

    private mutating func take(
        _ batch: SampleBatch, _ row: SampleBatch.Row, _ fitting: Int, _ key: UnsafeBufferPointer<UInt8>,
        _ number: UInt32, _ taking: inout Taking
    ) {
        begin(number, key, count: fitting, &taking)
        var sum = row.isDelta ? taking.sums[Array(key)] ?? sums[Array(key)] ?? 0 : 0
        for place in row.samples where taking.times.contains(batch.times[place]) {
            var value = batch.values[place]
            if row.isDelta, !StaleMarker.isStale(value) {
                sum += value
                value = sum
            }
            taking.record.add(batch.times[place], value)
            head.add(batch.times[place], value, to: number)
            taking.earliest = min(taking.earliest, batch.times[place])
            taking.admission.accept()
        }
        if row.isDelta { taking.sums[Array(key)] = sum }
    }

    private mutating func begin(
        _ number: UInt32, _ key: UnsafeBufferPointer<UInt8>, count: Int, _ taking: inout Taking
    ) {
        let isDescribed = head.series[Int(number)].describedIn == taking.segment
        taking.record.begin(series: number, key: isDescribed ? nil : key, count: count)
        if !isDescribed { head.describe(number, in: taking.segment) }
    }

    // MARK: New series

    private mutating func takeUnknown(
        _ batch: SampleBatch, _ row: SampleBatch.Row, _ fitting: Int, _ key: UnsafeBufferPointer<UInt8>,
        _ hash: UInt64, _ settings: SignalStore.Settings, _ taking: inout Taking
    ) {
        let labels = SeriesKey.labels(of: key)
        guard let refusal = budget.refusal(labels, of: head.series.count, settings) else {
            budget.add(labels)
            return take(batch, row, fitting, key, head.add(key, hash), &taking)
        }
        // What has no room needs no end either.
        let fitting = row.samples.count {
            taking.times.contains(batch.times[$0]) && !StaleMarker.isStale(batch.values[$0])
        }
        guard fitting > 0 else { return }
        if let one = overflowKey(for: labels, refusal, settings) {
            overflow.fold(batch, row, hash, taking.times, metric: labels.metricName, into: one, &taking.overflow)
            taking.admission.fold(refusal, fitting)
            budget.note(\.folded, fitting, labels, refusal)
        } else {
            taking.admission.refuse(refusal, fitting)
            budget.note(\.refused, fitting, labels, refusal)
        }
        if refusal != .unnamed { taking.offences.insert(.init(labels, refusal)) }
    }

    /// The key of the series that goes on for one that has no room; `nil` where there is none and can be none.
    private mutating func overflowKey(
        for labels: LabelSet, _ refusal: Admission.Refusal, _ settings: SignalStore.Settings
    ) -> [UInt8]? {
        guard refusal != .unnamed, budget.isKnown(metric: labels.metricName) else { return nil }
        let kept = Overflow.labels(for: labels, isSenderKnown: budget.isKnown(sender: labels["job"]))
        let key = SeriesKey.bytes(of: kept)
        return key.withUnsafeBufferPointer { bytes in
            let hash = KeyHash.of(bytes)
            if head.find(bytes, hash) != nil { return key }
            guard budget.hasRoomForOverflow(of: labels.metricName, settings) else { return nil }
            budget.add(kept, isOverflow: true)
            _ = head.add(bytes, hash)
            return key
        }
    }

    /// Adds one sample to each of the series that overflow went into.
    private mutating func growOverflow(_ taking: inout Taking) {
        for (key, change) in taking.overflow.series where change.time != .min {
            let sum = (sums[key] ?? 0) + change.growth
            if change.latest == nil { taking.sums[key] = sum }
            key.withUnsafeBufferPointer { bytes in
                let number = head.number(of: bytes)
                // Batches come out of order, and a counter that falls would seem begun again.
                let time = change.latest == nil ? max(change.time, head.series[Int(number)].lastTime) : change.time
                begin(number, bytes, count: 1, &taking)
                taking.record.add(time, change.latest ?? sum)
                head.add(time, change.latest ?? sum, to: number)
                taking.earliest = min(taking.earliest, time)
            }
        }
    }
}
