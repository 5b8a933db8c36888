// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

struct StoreTests {
    static let start: Int64 = 1_800_000_000_000

    static func labels(_ metric: String, _ more: (String, String)...) -> LabelSet {
        LabelSet([MetricLabel(LabelSet.name, metric)] + more.map { MetricLabel($0.0, $0.1) })
    }

    static func open(_ disk: any Disk, _ settings: SignalStore.Settings = .init(), now: Int64 = start) throws
        -> SignalStore
    {
        try SignalStore(on: disk, settings, now: { now })
    }

    static func all(
        _ store: SignalStore, _ matchers: [LabelMatcher] = [], _ times: ClosedRange<Int64> = 0...Int64.max / 2
    ) throws -> [LabelSet: SampleColumns] {
        var found: [LabelSet: SampleColumns] = [:]
        try store.select(SeriesSelection(matchers, times)) { labels, samples in
            #expect(found[labels] == nil, "\(labels) comes twice")
            #expect(zip(samples.times, samples.times.dropFirst()).allSatisfy { $0 < $1 })
            found[labels] = samples
        }
        return found
    }

    @Test func `what was accepted is found again: at once, after a flush, after a restart and after a power cut`()
        async throws
    {
        let disk = ForgetfulDisk()
        let store = try Self.open(disk)
        var batch = SampleBatch()
        var wanted: [LabelSet: SampleColumns] = [:]
        for series in 0..<50 {
            let labels = Self.labels("requests_total", ("route", "/\(series)"), ("job", "shop"))
            var samples = SampleColumns()
            for place in 0..<300 {
                samples.append(Self.start - 3_000_000 + Int64(place) * 10_000, Double(place * series))
            }
            batch.begin(labels)
            for place in samples.times.indices { batch.add(samples.times[place], samples.values[place]) }
            wanted[labels] = samples
        }
        #expect(try await store.append(batch).accepted == 15_000)
        #expect(try Self.all(store) == wanted)
        var random = SeededGenerator(seed: 1)
        #expect(try Self.all(Self.open(disk.afterPowerCut(&random))) == wanted, "from the log")
        try store.flush()
        #expect(try Self.all(store) == wanted)
        #expect(store.statistics.parts == 1 && store.statistics.headSamples == 0)
        #expect(try Self.all(Self.open(disk.afterPowerCut(&random))) == wanted, "from the part")
        try store.close()
        #expect(try Self.all(Self.open(disk)) == wanted)
    }

    @Test func `matchers choose series in memory and on the disk alike`() async throws {
        let store = try Self.open(ForgetfulDisk())
        for (job, instance) in [("a", "1"), ("a", "2"), ("b", "1"), ("c", "")] {
            var batch = SampleBatch()
            batch.add(Self.labels("up", ("job", job), ("instance", instance)), Self.start, 1)
            _ = try await store.append(batch)
        }
        let cases: [([LabelMatcher], Int)] = [
            ([], 4), ([LabelMatcher("job", .equal, "a")], 2), ([LabelMatcher("job", .notEqual, "a")], 2),
            ([LabelMatcher("instance", .equal, "")], 1), ([LabelMatcher("instance", .notEqual, "")], 3),
            ([LabelMatcher("job", .matches, "a|c")], 3), ([LabelMatcher("job", .matchesNot, "[ab]")], 1),
            ([LabelMatcher("instance", .matches, ".*")], 4), ([LabelMatcher("missing", .equal, "")], 4),
            ([LabelMatcher("missing", .matches, ".+")], 0), ([LabelMatcher("job", .matches, "")], 0),
            ([LabelMatcher("job", .equal, "a"), LabelMatcher("instance", .notEqual, "1")], 1),
            ([LabelMatcher("__name__", .equal, "up"), LabelMatcher("instance", .matches, "1|")], 3),
        ]
        for (matchers, count) in cases { #expect(try Self.all(store, matchers).count == count, "\(matchers)") }
        try store.flush()
        for (matchers, count) in cases { #expect(try Self.all(store, matchers).count == count, "\(matchers)") }
    }

    @Test func `late samples find their place, and of two at one time the later to come stays`() async throws {
        let disk = ForgetfulDisk()
        let store = try Self.open(disk)
        let labels = Self.labels("load")
        func add(_ times: [Int64], _ value: Double) async throws {
            var batch = SampleBatch()
            batch.begin(labels)
            for time in times { batch.add(Self.start + time, value) }
            _ = try await store.append(batch)
        }
        try await add((0..<200).map { Int64($0) * 10 }, 1)
        try await add([5, 15, 1_995, 1_005], 2)
        try store.flush()
        try await add([7, 10, 1_995], 3)
        let samples = try #require(try Self.all(store)[labels])
        #expect(samples.count == 200 + 4 + 1)
        for (time, value) in [(0, 1.0), (5, 2), (7, 3), (10, 3), (15, 2), (1_005, 2), (1_990, 1), (1_995, 3)] {
            let place = try #require(samples.times.firstIndex(of: Self.start + Int64(time)))
            #expect(samples.values[place] == value, "at \(time)")
        }
        let slice = try #require(try Self.all(store, [], Self.start + 6...Self.start + 10)[labels])
        #expect(slice.times == [Self.start + 7, Self.start + 10])
    }

    @Test func `what cannot be taken is told by its reason, and the rest is taken`() async throws {
        var settings = SignalStore.Settings()
        settings.seriesPerMetricMax = 3
        settings.retention = .seconds(3_600)
        let store = try Self.open(ForgetfulDisk(), settings)
        var batch = SampleBatch()
        batch.begin(Self.labels("up"))
        batch.add(Self.start - 3_600_001, 1)
        batch.add(Self.start, 1)
        batch.add(Self.start + 600_001, 1)
        for series in 0..<5 { batch.add(Self.labels("wild", ("id", "\(series)")), Self.start, 1) }
        batch.add(LabelSet([MetricLabel("job", "nameless")]), Self.start, 1)
        let admission = try await store.append(batch)
        #expect(admission.accepted == 4)
        #expect(admission.refused == [.tooOld: 1, .tooFarAhead: 1, .unnamed: 1])
        #expect(admission.folded == [.metricBudget: 2])
        #expect(admission.offenders == [.init(metric: "wild", label: "id", sender: "")])
        #expect(
            admission.message
                == "refused: 1 too_far_ahead, 1 too_old, 1 unnamed; folded into overflow: 2 metric_series_budget; too many series: wild by id"
        )
        var known = SampleBatch()
        known.add(Self.labels("wild", ("id", "0")), Self.start + 1, 2)
        #expect(try await store.append(known).accepted == 1, "known series go on")
        try store.flush()
        #expect(try await store.append(known).accepted == 1, "also after a flush")
    }

    @Test func `what is not taken for its time takes no room either`() async throws {
        var settings = SignalStore.Settings()
        settings.seriesPerMetricMax = 5
        settings.retention = .seconds(3_600)
        let store = try Self.open(ForgetfulDisk(), settings)
        var old = SampleBatch()
        for series in 0..<20 { old.add(Self.labels("m", ("s", "old \(series)")), Self.start - 4_000_000, 1) }
        #expect(try await store.append(old).refused == [.tooOld: 20])
        #expect(store.statistics.headSeries == 0)
        var good = SampleBatch()
        for series in 0..<5 { good.add(Self.labels("m", ("s", "\(series)")), Self.start, 1) }
        #expect(try await store.append(good).accepted == 5)
    }

    @Test func `a sender that makes series without end is stopped, and others are not`() async throws {
        var settings = SignalStore.Settings()
        settings.seriesPerSenderMax = 10
        let store = try Self.open(ForgetfulDisk(), settings)
        func add(_ job: String, _ metrics: Range<Int>) async throws -> Admission {
            var batch = SampleBatch()
            for metric in metrics { batch.add(Self.labels("m\(metric)", ("job", job)), Self.start, 1) }
            return try await store.append(batch)
        }
        #expect(try await add("calm", 0..<5).accepted == 5)
        let wild = try await add("wild", 0..<30)
        #expect(wild.accepted == 10 && wild.refused == [.senderBudget: 20], "there is no series of these metrics")
        #expect(try await add("wild", 0..<10).accepted == 10, "known series go on")
        #expect(try await add("calm", 5..<10).accepted == 5)
        let named = try #require(store.statistics.largestSenders.first)
        #expect(named.name == "wild" && named.series == 10 && named.excess == 20)
        // As a series of the store itself.
        _ = try await store.append(store.refusals(at: Self.start))
        let told = try Self.all(store, [LabelMatcher("__name__", .equal, "vitrine_observatory_refused_samples_total")])
        #expect(told.count == 11, "ten, and one for what is too much: its own series have no sender")
        let own = told.keys.filter { $0[Overflow.label.name].isEmpty }
        #expect(own.allSatisfy { $0["sender"] == "wild" && $0["reason"] == "sender_series_budget" })
        #expect(own.count == 10)
        // And after a flush, with what is idle forgotten.
        try store.flush()
        #expect(try await add("wild", 10..<11).accepted == 0)
    }

    @Test func `parts are merged without a change, and go when they are old or too many`() async throws {
        var settings = SignalStore.Settings()
        settings.retention = .seconds(3 * 86_400)
        let (disk, clock) = (ForgetfulDisk(), HandClock(Self.start))
        let store = try SignalStore(on: disk, settings, now: clock.source)
        for round in 0..<9 {
            var batch = SampleBatch()
            for series in 0..<20 {
                batch.add(
                    Self.labels("m", ("s", "\((series + round) % 25)")), Self.start + Int64(round) * 60_000,
                    Double(round))
            }
            _ = try await store.append(batch)
            try store.flush()
        }
        let before = try Self.all(store)
        #expect(store.statistics.parts == 9)
        try store.keepUp()
        #expect(store.statistics.parts < 4)
        #expect(try Self.all(store) == before)
        clock.now = Self.start + 86_400_000 + 500_000
        try store.keepUp()
        #expect(store.statistics.parts == 1, "a day that is over is one part")
        #expect(try Self.all(store) == before)
        #expect(try Self.all(Self.open(disk)) == before, "also after a restart")
        clock.now = Self.start + 4 * 86_400_000
        try store.keepUp()
        #expect(store.statistics.parts == 0)
        #expect(try Self.all(store).isEmpty)
    }

    @Test func `what is over goes into the archive whole, whatever fails meanwhile`() async throws {
        var isDone = false
        for operation in 1...40 where !isDone {
            let (disk, clock, archived) = (ForgetfulDisk(), HandClock(Self.start), ForgetfulDisk(.only(operation)))
            let days = Mutex<Set<String>>([])
            var settings = SignalStore.Settings()
            settings.retention = .seconds(3_600)
            settings.archive = Archive { day in
                days.withLock { _ = $0.insert(day) }
                return archived
            }
            let store = try SignalStore(on: disk, settings, now: clock.source)
            var batch = SampleBatch()
            for series in 0..<20 { batch.add(Self.labels("m", ("s", "\(series)")), Self.start, Double(series)) }
            _ = try await store.append(batch)
            try store.flush()
            let before = try Self.all(store)
            clock.now = Self.start + 2 * 3_600_000
            let failure = Result { try store.keepUp() }
            isDone = (try? failure.get()) != nil
            var random = SeededGenerator(seed: UInt64(operation))
            let survivors = archived.afterPowerCut(&random)
            let isKept = store.statistics.parts == 1
            #expect(isKept == !isDone, "operation \(operation)")
            #expect(try isKept || Self.all(Self.open(survivors)) == before, "operation \(operation)")
            // The next round makes up for it.
            try store.keepUp()
            #expect(store.statistics.parts == 0)
            #expect(try Self.all(Self.open(archived.afterPowerCut(&random))) == before, "operation \(operation)")
            let names = days.withLock { $0 }
            #expect(names.count == 1 && names.allSatisfy { $0.hasPrefix("2027-01-15-") }, "\(names)")
        }
        #expect(isDone, "some run had no fault")
    }

    @Test func `an archive takes no part over another, and nothing is removed from it for being old`() async throws {
        let clock = HandClock(Self.start)
        let folders = Mutex<[String: ForgetfulDisk]>([:])
        var settings = SignalStore.Settings()
        settings.retention = .seconds(3_600)
        settings.archive = Archive { name in
            folders.withLock { folders in
                let disk = folders[name] ?? ForgetfulDisk()
                folders[name] = disk
                return disk
            }
        }
        // The same store, whose sequences begin anew because somebody lost its parts and not its identity; and another one.
        let own = ForgetfulDisk()
        for (round, disk) in [own, own, ForgetfulDisk()].enumerated() {
            for name in try disk.names() where name != "identity" { try disk.remove(name) }
            clock.now = Self.start
            let store = try SignalStore(on: disk, settings, now: clock.source)
            var batch = SampleBatch()
            batch.add(Self.labels("m", ("round", "\(round)")), Self.start, 1)
            _ = try await store.append(batch)
            try store.flush()
            clock.now = Self.start + 2 * 3_600_000
            try store.keepUp()
            #expect(store.statistics.parts == 0)
        }
        let kept = folders.withLock { $0 }
        #expect(kept.count == 3, "\(kept.keys)")
        var rounds: Set<String> = []
        for disk in kept.values {
            let store = try Self.open(disk, settings, now: Self.start + 400 * 86_400_000)
            try store.keepUp()
            rounds.formUnion(try Self.all(store).keys.map { $0["round"] })
        }
        #expect(rounds == ["0", "1", "2"])
    }

    @Test func `what was written later counts after every merge`() async throws {
        let store = try Self.open(ForgetfulDisk())
        let labels = Self.labels("load")
        func add(_ value: Double, padding: Int) async throws {
            var batch = SampleBatch()
            batch.add(labels, Self.start, value)
            for series in 0..<padding {
                batch.add(Self.labels("pad", ("s", "\(series)")), Self.start, Double(series) * 1.37)
            }
            _ = try await store.append(batch)
            try store.flush()
        }
        try await add(1, padding: 0)
        try await add(2, padding: 60_000)
        for _ in 0..<5 { try await add(3, padding: 0) }
        try await add(4, padding: 60_000)
        for _ in 0..<3 { try store.keepUp() }
        #expect(store.statistics.parts < 8)
        #expect(try Self.all(store, [LabelMatcher("__name__", .equal, "load")])[labels]?.values == [4])
    }

    @Test func `a series that pauses stays known through flushes, one that is idle for long makes room`() async throws {
        var settings = SignalStore.Settings()
        settings.seriesPerMetricMax = 4
        let clock = HandClock(Self.start)
        let store = try SignalStore(on: ForgetfulDisk(), settings, now: clock.source)
        func add(_ series: Range<Int>) async throws -> Int {
            var batch = SampleBatch()
            for number in series { batch.add(Self.labels("m", ("s", "\(number)")), clock.now, 1) }
            return try await store.append(batch).accepted
        }
        #expect(try await add(0..<4) == 4)
        try store.flush()
        try store.flush()
        #expect(try await add(4..<8) == 0, "those that pause keep their places")
        #expect(try await add(0..<1) == 1)
        clock.now += 2 * 3_600_000
        #expect(try await add(0..<1) == 1)
        try store.flush()
        #expect(try await add(4..<8) == 3, "three of four were idle for two hours")
        try store.flush()
        #expect(try Self.all(store).count == 8, "with the one for what had no room")
    }

    @Test func `deltas add up, and a failed write does not add them twice to what is sent on`() async throws {
        let store = try Self.open(ForgetfulDisk())
        func add(_ value: Double, _ time: Int64) async throws {
            var batch = SampleBatch()
            batch.begin(Self.labels("sold"), isDelta: true)
            batch.add(Self.start + time, value)
            _ = try await store.append(batch)
        }
        for round in 0..<5 {
            try await add(2, Int64(round))
            if round == 2 { try store.flush() }
        }
        #expect(try Self.all(store)[Self.labels("sold")]?.values == [2, 4, 6, 8, 10])
    }

    @Test func `two spellings of one text are one series`() async throws {
        let store = try Self.open(ForgetfulDisk())
        for text in ["caf\u{E9}", "cafe\u{301}"] {
            var batch = SampleBatch()
            batch.add(Self.labels("up", ("place", text)), Self.start, 1)
            _ = try await store.append(batch)
        }
        #expect(try Self.all(store).count == 1)
    }

    @Test func `a damaged part is set aside and named, the rest keeps serving`() async throws {
        let disk = ForgetfulDisk()
        let store = try Self.open(disk)
        for round in 0..<3 {
            var batch = SampleBatch()
            for series in 0..<40 {
                batch.add(Self.labels("m\(round)", ("s", "\(series)")), Self.start, Double(series) * 1.7)
            }
            _ = try await store.append(batch)
            try store.flush()
        }
        disk.damage("metrics-1.part", at: 20)
        #expect(throws: Failure.self) { try Self.all(store) }
        #expect(try Self.all(store).count == 80, "the next answer is without it")
        #expect(store.statistics.damaged == ["metrics-1.part"])
        let footer = try disk.open("metrics-2.part").size - 18
        disk.damage("metrics-2.part", at: footer)
        let again = try Self.open(disk)
        #expect(try Self.all(again).count == 40)
        #expect(again.statistics.damaged == ["metrics-2.part"])
        #expect(try Set(disk.names()).isSuperset(of: ["metrics-1.part.damaged", "metrics-2.part.damaged"]))
    }

    @Test func `samples in a folder of the machine outlive their process`() async throws {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let store = try Self.open(FileDisk(folder.path + "/telemetry"))
        var batch = SampleBatch()
        batch.add(Self.labels("up", ("instance", "ä\"\\\n")), Self.start, 1)
        _ = try await store.append(batch)
        #expect(try Self.all(Self.open(FileDisk(folder.path + "/telemetry"))).count == 1)
        try store.flush()
        #expect(try Self.all(Self.open(FileDisk(folder.path + "/telemetry"))).keys.first?["instance"] == "ä\"\\\n")
    }
}
