// SPDX-License-Identifier: Apache-2.0

import Foundation
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// Hours of traces, of which one in a hundred fails late. `VITRINE_SOAK=1` takes a million.
struct KeptTracesTests {
    private static let count = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1" ? 1_000_000 : 20_000
    /// Three hours, in nanoseconds.
    private static let period: UInt64 = 10_800_000_000_000
    private static let begin = UInt64(StoreTests.start) * 1_000_000
    private static let resource = Resource([Attribute("service.name", .string("shop"))])
    private static let spansEach = 3

    private static func id(_ number: Int) -> TraceID {
        // Spread, as those of real tracers are.
        TraceID(high: UInt64(number) &* 0x9E37_79B9_7F4A_7C15, low: UInt64(number) + 1)
    }

    private static func span(_ trace: Int, _ place: Int, at time: UInt64) -> SpanRecord {
        let root = UInt64(trace) << 8 + 1
        return SpanRecord(
            context: TraceContext(traceID: id(trace), spanID: root + UInt64(place), isSampled: true),
            parentID: place == 0 ? 0 : root, hasRemoteParent: false,
            name: place == 0 ? "GET /\(trace % 40)" : "SELECT", kind: place == 0 ? .server : .client,
            start: time + UInt64(place) * 1_000_000, end: time + UInt64(10 + trace % 90) * 1_000_000,
            attributes: [Attribute("n", .int(Int64(trace)))])
    }

    private static func exemplar(_ trace: Int, at time: UInt64) -> StoredExemplar {
        StoredExemplar(
            series: StoreTests.labels("wait_bucket", ("le", "0.1"), ("route", "/\(trace % 40)")), value: Double(trace),
            time: Int64(time / 1_000_000), trace: id(trace), span: UInt64(trace) << 8 + 1)
    }

    private static func isFailing(_ trace: Int) -> Bool { trace % 100 == 37 }

    @Test func `every trace that fails is found whole, and every exemplar opens its trace, through restarts`()
        async throws
    {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let clock = HandClock(StoreTests.start)
        func open() throws -> SignalStore { try SignalStore(on: FileDisk(directory.path), now: clock.source) }
        var (store, random) = (try open(), SeededGenerator(seed: 77))
        // What comes later than the rest of its trace, by when.
        var late: [(time: UInt64, span: SpanRecord)] = []
        let (batch, step) = (500, Self.period / UInt64(Self.count))
        for first in stride(from: 0, to: Self.count, by: batch) {
            var spans: [SpanRecord] = []
            for trace in first..<min(first + batch, Self.count) {
                let time = Self.begin + UInt64(trace) * step
                for place in 0..<Self.spansEach {
                    var span = Self.span(trace, place, at: time)
                    guard place == 2, Self.isFailing(trace) else {
                        spans.append(span)
                        continue
                    }
                    // It has lasted as long as it comes late, up to half an hour.
                    span.end = time + UInt64.random(in: 1_000_000...1_800_000_000_000, using: &random)
                    span.status = .error("timed out")
                    late.append((span.end, span))
                }
                if trace % 211 == 5 { store.exemplars.note([Self.exemplar(trace, at: time)]) }
            }
            let now = Self.begin + UInt64(min(first + batch, Self.count)) * step
            clock.now = Int64(now / 1_000_000)
            spans += late.filter { $0.time <= now }.map(\.span)
            late.removeAll { $0.time <= now }
            #expect(try await store.append(SpanBatch(spans, from: Self.resource)).refusedCount == 0)
            if first / batch % 5 == 4 { try store.keepUp() }
            if first / batch % (Self.count / batch / 8) == 3 {
                try store.close()
                store = try open()
            }
        }
        clock.now = Int64((Self.begin + Self.period) / 1_000_000) + 1_800_000
        _ = try await store.append(SpanBatch(late.map(\.span), from: Self.resource))
        for pause: Int64 in [60_000, 86_400_000] {
            clock.now += pause
            for _ in 0..<10 { try store.keepUp() }
            try check(store, areThinned: pause > 60_000)
            try store.close()
            store = try open()
            try check(store, areThinned: pause > 60_000)
        }
        try store.close()
    }

    private func check(_ store: SignalStore, areThinned: Bool) throws {
        var torn = 0
        for trace in 0..<Self.count where Self.isFailing(trace) {
            if try store.trace(Self.id(trace))?.spans.count != Self.spansEach { torn += 1 }
        }
        #expect(torn == 0, "of \(Self.count / 100) that failed")
        let shown = try store.exemplars.exemplars([[]], 0...Int64.max)
        #expect(shown.count == (Self.count - 6) / 211 + 1)
        var dead = 0
        for exemplar in shown where try !store.hasTrace(exemplar.trace) { dead += 1 }
        #expect(dead == 0, "of \(shown.count) exemplars")
        // Of the others a share stays, each whole or not at all.
        let others = stride(from: 1, to: Self.count, by: 997).filter { !Self.isFailing($0) && $0 % 211 != 5 }
        let counts = try others.map { try store.trace(Self.id($0))?.spans.count ?? 0 }
        #expect(counts.allSatisfy { $0 == 0 || $0 == Self.spansEach })
        let kept = counts.count { $0 > 0 }
        if areThinned, Self.count >= 1_000_000 { #expect(kept < others.count / 2, "\(kept) of \(others.count)") }
    }
}
