// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import PromQL
import Telemetry
import TelemetryStore
import TestSupport
import Testing

/// What is remembered of answers over a store that flushes, merges, folds, forgets and loses a part meanwhile.
struct AnswerMemoryOverStoreTests {
    private static let start: Int64 = 1_800_000_000_000

    @Test(arguments: [1, 3])
    func `with a memory answers are what they are without`(threads: Int) async throws {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let clock = HandClock(Self.start)
        var settings = SignalStore.Settings()
        settings.retention = .seconds(900)
        settings.seriesPerMetricMax = 200
        let store = try SignalStore(on: FileDisk(locking: folder.path), settings, now: clock.source)
        var plain = QueryEngine.Settings()
        plain.threads = threads
        var remembering = plain
        remembering.memory = AnswerMemory()
        var random = SeededGenerator(seed: 5)
        var (refused, damaged) = (0, 0)
        for round in 0..<100 {
            var batch = SampleBatch()
            // More of them in time than there is room for, so that some go into overflow.
            for series in 0..<min(140 + round, 250) where Int.random(in: 0..<10, using: &random) > 0 {
                let labels = LabelSet([
                    MetricLabel(LabelSet.name, "sold_total"), MetricLabel("id", "\(series)"),
                    MetricLabel("job", "j\(series % 3)"),
                ])
                batch.begin(labels, isDelta: series % 2 == 0)
                let late =
                    Int.random(in: 0..<40, using: &random) == 0 ? Int64.random(in: 0...300_000, using: &random) : 0
                batch.add(clock.now - late, Double.random(in: 0...9, using: &random))
            }
            _ = try await store.append(batch)
            if round % 7 == 3 { try store.flush() }
            if round % 20 == 19 { try store.keepUp() }
            if round == 70 {
                // The latest one, which each query reads.
                let parts = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
                    $0.hasSuffix(".part")
                }
                let part = try #require(parts.max { $0.localizedStandardCompare($1) == .orderedAscending })
                let file = try #require(FileHandle(forUpdatingAtPath: folder.path + "/" + part))
                try file.seek(toOffset: 40)
                file.write(Data(repeating: 0x55, count: 64))
                try file.close()
                damaged += 1
            }
            for query in ["sum by (job) (rate(sold_total[2m]))", "count(sold_total)", "topk(3, sold_total)"] {
                let (first, last) = (clock.now / 15_000 * 15_000 - 600_000, clock.now / 15_000 * 15_000 + 15_000)
                func ask(_ settings: QueryEngine.Settings) -> [QuerySeries]? {
                    try? QueryEngine(settings).range(query, from: first, through: last, step: 15_000, on: store)
                }
                guard let known = ask(remembering), let fresh = ask(plain) else {
                    refused += 1
                    continue
                }
                #expect(known.map(\.labels) == fresh.map(\.labels), "round \(round): \(query)")
                for (one, other) in zip(known, fresh) {
                    #expect(one.samples.times == other.samples.times, "round \(round): \(query) \(one.labels)")
                    #expect(
                        zip(one.samples.values, other.samples.values).allSatisfy {
                            abs($0 - $1) <= 1e-9 * max(1, abs($1))
                        },
                        "round \(round): \(query) \(one.labels)")
                }
            }
            clock.now += Int64.random(in: 5_000...20_000, using: &random)
        }
        #expect(store.statistics.damaged.count == damaged && refused <= 3 && refused > 0, "\(refused)")
        #expect(store.statistics.parts > 0)
    }
}
