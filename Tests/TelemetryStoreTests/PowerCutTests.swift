// SPDX-License-Identifier: Apache-2.0

import Kernel
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// The store on a disk that stops at each of its operations in turn.
struct PowerCutTests {
    /// What was tried, and of it what was acknowledged.
    private struct Ledger {
        var tried: [LabelSet: [Int64: Double]] = [:]
        var acknowledged: [LabelSet: [Int64: Double]] = [:]
        /// Spans by their trace, and what log records say.
        var triedSpans: [TraceID: Set<UInt64>] = [:]
        var acknowledgedSpans: [TraceID: Set<UInt64>] = [:]
        var triedLines: Set<String> = []
        var acknowledgedLines: Set<String> = []
    }

    private static let sender = Resource([Attribute("service.name", .string("shop"))])

    /// Half of a trace, whose other half comes in another round, and a line.
    private static func records(_ round: Int) -> (TraceID, spans: [SpanRecord], line: String) {
        let id = TraceID(high: 7, low: UInt64(round / 2 + 1))
        let start = UInt64(StoreTests.start + Int64(round)) * 1_000_000
        let spans = (0..<2).map { number in
            SpanRecord(
                context: TraceContext(traceID: id, spanID: UInt64(round * 10 + number + 1)),
                parentID: UInt64(round / 2 * 20),
                hasRemoteParent: false, name: "work", kind: .server, start: start, end: start + 5)
        }
        return (id, spans, "round \(round)")
    }

    /// Appends, flushes and merges, as a busy day does; what fails is passed over.
    private static func work(on disk: ForgetfulDisk, _ ledger: inout Ledger, from round: Int = 0) async {
        guard let store = try? StoreTests.open(disk) else { return }
        for round in round..<round + 14 {
            var (batch, samples) = (SampleBatch(), [(LabelSet, Int64, Double)]())
            for series in 0..<5 {
                let labels = StoreTests.labels("m", ("s", "\((series + round) % 7)"))
                let time = StoreTests.start + Int64(round) * 1_000 - (series == 0 ? 5_500 : 0)
                samples.append((labels, time, Double(round) + 0.1))
                batch.add(labels, time, Double(round) + 0.1)
            }
            for (labels, time, value) in samples { ledger.tried[labels, default: [:]][time] = value }
            if (try? await store.append(batch)) != nil {
                for (labels, time, value) in samples { ledger.acknowledged[labels, default: [:]][time] = value }
            }
            let (id, spans, line) = records(round)
            ledger.triedSpans[id, default: []].formUnion(spans.map(\.context.spanID))
            if (try? await store.append(SpanBatch(spans, from: sender))) != nil {
                ledger.acknowledgedSpans[id, default: []].formUnion(spans.map(\.context.spanID))
            }
            ledger.triedLines.insert(line)
            let log = LogRecord(time: spans[0].start, severity: .info, body: line, scope: "test")
            if (try? await store.append(LogBatch([log], from: sender))) != nil { ledger.acknowledgedLines.insert(line) }
            if round % 2 == 1 { try? store.flush() }
            if round % 6 == 5 { try? store.keepUp() }
        }
        // What failed is done again.
        try? store.keepUp()
    }

    private static func check(_ store: SignalStore, _ ledger: Ledger, _ words: String) throws {
        var found: [LabelSet: [Int64: Double]] = [:]
        for (labels, samples) in try StoreTests.all(store) {
            found[labels] = Dictionary(uniqueKeysWithValues: zip(samples.times, samples.values))
        }
        for (labels, samples) in ledger.acknowledged {
            for (time, value) in samples where found[labels]?[time] != value {
                Issue.record("\(words): acknowledged and missing: \(labels) at \(time)")
                return
            }
        }
        try checkRecords(store, ledger, words)
        for (labels, samples) in found {
            for (time, value) in samples where ledger.tried[labels]?[time] != value {
                Issue.record("\(words): never sent: \(labels) at \(time)")
                return
            }
        }
    }

    private static func checkRecords(_ store: SignalStore, _ ledger: Ledger, _ words: String) throws {
        for (id, tried) in ledger.triedSpans {
            let found = try store.trace(id)?.spans.map(\.record.context.spanID) ?? []
            let acknowledged = ledger.acknowledgedSpans[id] ?? []
            if !Set(found).isSuperset(of: acknowledged) { Issue.record("\(words): spans acknowledged and missing") }
            if !tried.isSuperset(of: found) || Set(found).count != found.count {
                Issue.record("\(words): spans never sent, or there twice")
            }
        }
        let lines = try store.logs(LogQuery(), limit: .max).map(\.record.body)
        if !Set(lines).isSuperset(of: ledger.acknowledgedLines) {
            Issue.record("\(words): lines acknowledged and missing")
        }
        if !ledger.triedLines.isSuperset(of: lines) || Set(lines).count != lines.count {
            Issue.record("\(words): lines never sent, or there twice: \(lines.sorted())")
        }
    }

    @Test func `a power cut at any operation loses nothing that was acknowledged`() async throws {
        var random = SeededGenerator(seed: 77)
        let whole = ForgetfulDisk()
        var ledger = Ledger()
        await Self.work(on: whole, &ledger)
        #expect(whole.operations > 100)
        for operation in 1...whole.operations {
            var ledger = Ledger()
            let disk = ForgetfulDisk(.from(operation))
            await Self.work(on: disk, &ledger)
            let found = disk.afterPowerCut(&random)
            try Self.check(StoreTests.open(found), ledger, "cut at \(operation)")
            // And goes on from there.
            await Self.work(on: found, &ledger, from: 100)
            try Self.check(StoreTests.open(found.afterPowerCut(&random)), ledger, "cut at \(operation), and later")
        }
    }

    @Test func `a disk that fails once loses nothing that was acknowledged`() async throws {
        var random = SeededGenerator(seed: 78)
        let whole = ForgetfulDisk()
        var ledger = Ledger()
        await Self.work(on: whole, &ledger)
        for operation in 1...whole.operations {
            var ledger = Ledger()
            let disk = ForgetfulDisk(.only(operation))
            await Self.work(on: disk, &ledger)
            #expect(ledger.acknowledged.values.reduce(0) { $0 + $1.count } > 40, "failure at \(operation): goes on")
            try Self.check(StoreTests.open(disk.afterPowerCut(&random)), ledger, "failure at \(operation)")
        }
    }

    @Test func `samples that come at once from many callers are all there, in few syncs`() async throws {
        let disk = ForgetfulDisk()
        let store = try StoreTests.open(disk)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<200 {
                group.addTask {
                    for round in 0..<5 {
                        var batch = SampleBatch()
                        batch.add(
                            StoreTests.labels("m", ("c", "\(caller)")), StoreTests.start + Int64(round), Double(caller))
                        _ = try await store.append(batch)
                    }
                }
            }
            for _ in 0..<5 { group.addTask { try store.flush() } }
            try await group.waitForAll()
        }
        let found = try StoreTests.all(store)
        #expect(found.count == 200 && found.values.allSatisfy { $0.count == 5 })
        var random = SeededGenerator(seed: 4)
        #expect(try StoreTests.all(StoreTests.open(disk.afterPowerCut(&random))) == found)
    }
}
