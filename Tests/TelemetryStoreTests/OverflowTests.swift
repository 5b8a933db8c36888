// SPDX-License-Identifier: Apache-2.0

import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// Series beyond the budget of their metric.
struct OverflowTests {
    private static let start = StoreTests.start

    private static func store(_ seriesMax: Int, _ disk: ForgetfulDisk = ForgetfulDisk()) throws -> SignalStore {
        var settings = SignalStore.Settings()
        settings.seriesPerMetricMax = seriesMax
        return try StoreTests.open(disk, settings)
    }

    private static func overflow(_ store: SignalStore, _ metric: String, _ more: (String, String)...) throws
        -> [Double]?
    {
        var labels = [MetricLabel(LabelSet.name, metric), Overflow.label]
        labels += more.map { MetricLabel($0.0, $0.1) }
        return try StoreTests.all(store)[LabelSet(labels)]?.values
    }

    private static func add(_ store: SignalStore, _ time: Int64, _ series: [(LabelSet, Double)], isDelta: Bool = false)
        async throws -> Admission
    {
        var batch = SampleBatch()
        for (labels, value) in series {
            batch.begin(labels, isDelta: isDelta)
            batch.add(start + time, value)
        }
        return try await store.append(batch)
    }

    private static func counter(_ id: Int, job: String = "shop") -> LabelSet {
        StoreTests.labels("hits_total", ("id", "\(id)"), ("job", job))
    }

    @Test func `of counters it grows by what each of them grows, also where one begins again`() async throws {
        let store = try Self.store(1)
        let rounds: [[Double]] = [[1, 100, 5], [2, 110, 6], [3, 120, 2], [4, 150, 3]]
        for (round, values) in rounds.enumerated() {
            let series = values.enumerated().map { (Self.counter($0.offset), $0.element) }
            let admission = try await Self.add(store, Int64(round) * 1_000, series)
            #expect(admission.accepted == 1 && admission.folded == [.metricBudget: 2] && admission.refusedCount == 0)
        }
        // 100, 110, 120, 150 and 5, 6, 2, 3, of which the first of each is no growth and 2 is what began again.
        #expect(try Self.overflow(store, "hits_total", ("job", "shop")) == [0, 11, 23, 54])
        // What is sent again changes nothing.
        _ = try await Self.add(store, 4_000, [(Self.counter(1), 150)])
        #expect(try Self.overflow(store, "hits_total", ("job", "shop"))?.last == 54)
    }

    @Test func `deltas are added, gauges are the latest, buckets keep their bounds`() async throws {
        let store = try Self.store(1)
        func labels(_ metric: String, _ id: Int, _ bound: String? = nil) -> LabelSet {
            let all = StoreTests.labels(metric, ("id", "\(id)"))
            return bound.map { LabelSet(all.labels + [MetricLabel("le", $0)]) } ?? all
        }
        for round in 0..<3 {
            let time = Int64(round) * 1_000
            _ = try await Self.add(store, time, (0..<4).map { (labels("sold", $0), 2) }, isDelta: true)
            _ = try await Self.add(store, time, (0..<4).map { (labels("heat", $0), Double(round * 10 + $0)) })
            let buckets = ["0.1", "+Inf"].flatMap { bound in
                (0..<3).map { (labels("wait_bucket", $0, bound), Double(round * ($0 + 1))) }
            }
            _ = try await Self.add(store, time, buckets)
        }
        #expect(try Self.overflow(store, "sold") == [6, 12, 18])
        #expect(try Self.overflow(store, "heat") == [3, 13, 23])
        #expect(try Self.overflow(store, "wait_bucket", ("le", "0.1")) == [0, 5, 10], "of the second and the third")
        #expect(try Self.overflow(store, "wait_bucket", ("le", "+Inf")) == [0, 6, 12], "of all three")
    }

    @Test func `it is read again after a restart, and its senders are no more than those that are known`() async throws
    {
        let disk = ForgetfulDisk()
        let store = try Self.store(10, disk)
        let wild = (0..<500).map { (Self.counter($0, job: "job \($0)"), 1.0) }
        let first = try await Self.add(store, 0, wild)
        #expect(first.accepted == 10 && first.folded == [.metricBudget: 490])
        #expect(try StoreTests.all(store).count == 11, "of all unknown senders it is one")
        let known = try await Self.add(store, 1_000, (0..<10).map { (Self.counter($0 + 1_000, job: "job \($0)"), 1) })
        #expect(known.folded == [.metricBudget: 10] && known.offenders.count == 10)
        #expect(try StoreTests.all(store).count == 21)
        var random = SeededGenerator(seed: 3)
        let again = try Self.store(11, disk.afterPowerCut(&random))
        #expect(try StoreTests.all(again).count == 21)
        let one = try await Self.add(again, 2_000, [(Self.counter(2_000), 2)])
        #expect(one.accepted == 1, "it takes no place of others")
        #expect(try await Self.add(again, 2_000, [(Self.counter(2_001), 2)]).folded == [.metricBudget: 1])
    }

    @Test func `a counter that comes no more is forgotten, one that goes on is not`() throws {
        var overflow = Overflow()
        let key: [UInt8] = [1]
        var time = Self.start
        func growth(_ value: Double, _ hashes: Range<UInt64>) -> Double {
            var (changes, batch) = (Overflow.Changes(), SampleBatch())
            time += 1_000
            batch.add(Self.counter(1), time, value)
            for hash in hashes {
                overflow.fold(batch, batch.rows[0], hash, 0...Int64.max, metric: "hits_total", into: key, &changes)
            }
            overflow.remember(changes)
            return changes.series[key]?.growth ?? 0
        }
        #expect(growth(1, 0..<1) == 0)
        for round in 1..<6 as Range<UInt64> {
            #expect(growth(7, round * 50_000..<round * 50_000 + 50_000) == 0)
            #expect(growth(Double(round) + 1, 0..<1) == 1)
        }
        #expect(growth(9, 50_000..<50_001) == 0, "the first one came 200,000 others ago")
    }

    @Test func `whoever sends the label of overflow themselves is held to the budget like others`() async throws {
        let store = try Self.store(10)
        let sent = (0..<100).map { number in
            (
                LabelSet(Self.counter(number).labels + [Overflow.label, MetricLabel("otel_metric_overflow", "true")]),
                1.0
            )
        }
        let admission = try await Self.add(store, 0, sent)
        #expect(admission.accepted == 10 && admission.folded == [.metricBudget: 90])
    }

    @Test func `what comes late, again or as no number does not make it fall or grow`() async throws {
        let store = try Self.store(1)
        _ = try await Self.add(store, 0, [(Self.counter(0), 1)])
        let (a, b) = (Self.counter(1), Self.counter(2))
        _ = try await Self.add(store, 1_000, [(a, 100), (b, 10)])
        _ = try await Self.add(store, 3_000, [(a, 200)])
        // Slower than the other, and so an older time with a later sum; and once more what came before.
        for (time, series) in [
            (2_000, [(b, 15.0)]), (1_000, [(a, 100)]), (2_500, [(a, .nan)]), (4_000, [(b, .infinity)]),
        ] {
            _ = try await Self.add(store, Int64(time), series)
        }
        _ = try await Self.add(store, 5_000, [(a, 201)])
        let values = try #require(try Self.overflow(store, "hits_total", ("job", "shop")))
        #expect(values == values.sorted() && values.last == 106)
    }
}
