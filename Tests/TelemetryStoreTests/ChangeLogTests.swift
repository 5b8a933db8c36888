// SPDX-License-Identifier: Apache-2.0

import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

struct ChangeLogTests {
    @Test(arguments: [0, 30, 3_000])
    func `what changed since is never told too late, nor much too early`(lateBy: Int64) {
        var (log, times, random) = (ChangeLog(), [Int64](), SeededGenerator(seed: 3))
        #expect(log.revision == 0 && log.earliest(since: 0) == nil)
        for now in 1...5_000 as ClosedRange<Int64> {
            let time =
                now - (Int.random(in: 0..<100, using: &random) == 0 ? Int64.random(in: 0...lateBy, using: &random) : 0)
            log.note(time)
            times.append(time)
            #expect(log.revision == UInt64(now) && log.earliest(since: log.revision) == nil)
            guard now % 100 == 0 else { continue }
            for back in [1, 10, 100, 1_000, 4_000] where back <= times.count {
                let truth = times.suffix(back).min() ?? 0
                let told = log.earliest(since: log.revision - UInt64(back)) ?? .max
                // The older the moment the more roughly.
                #expect(told <= truth && told >= truth - Int64(back) / 6 - lateBy, "\(back) back")
            }
        }
    }

    @Test func `the store tells what came, what was late and that something went, and not that it was moved`()
        async throws
    {
        let clock = HandClock(StoreTests.start)
        var settings = SignalStore.Settings()
        settings.retention = .seconds(3_600)
        let store = try SignalStore(on: ForgetfulDisk(), settings, now: clock.source)
        func add(_ time: Int64) async throws {
            var batch = SampleBatch()
            batch.add(StoreTests.labels("up"), StoreTests.start + time, 1)
            #expect(try await store.append(batch).accepted == 1)
        }
        try await add(0)
        let first = store.changes(since: 0)
        #expect(first.earliest == StoreTests.start)
        #expect(store.changes(since: first.revision).earliest == nil)
        try await add(10_000)
        try await add(20_000)
        try await add(15_000)
        #expect(store.changes(since: first.revision).earliest == StoreTests.start + 10_000)
        let second = store.changes(since: first.revision).revision
        for _ in 0..<4 {
            try await add(30_000)
            try store.flush()
        }
        let third = store.changes(since: second)
        #expect(third.earliest == StoreTests.start + 30_000)
        try store.keepUp()
        #expect(store.statistics.parts == 1)
        #expect(store.changes(since: third.revision).earliest == nil, "merged parts are the same")
        clock.now += 7_200_000
        try store.keepUp()
        #expect(store.statistics.parts == 0)
        #expect(store.changes(since: third.revision).earliest == .min)
    }
}
