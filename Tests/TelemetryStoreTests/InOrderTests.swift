// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import Telemetry
import Testing

@testable import TelemetryStore

struct InOrderTests {
    /// What closures of several threads share.
    private final class Count: Sendable { let value = Mutex(0) }

    @Test(arguments: [1, 2, 4])
    func `things come in their order on the calling thread, and no thread makes more than some ahead`(threads: Int)
        throws
    {
        let taken = Count()
        let ahead = Count()
        let here = ObjectIdentifier(Thread.current)
        var found: [Int] = []
        try InOrder.make(500, threads: threads) {
            { place, _ in
                let lead = place - taken.value.withLock { $0 }
                ahead.value.withLock { $0 = max($0, lead) }
                return place * 2
            }
        } check: {
        } _: { thing in
            #expect(ObjectIdentifier(Thread.current) == here)
            found.append(thing)
            taken.value.withLock { $0 = found.count }
        }
        #expect(found == (0..<500).map { $0 * 2 })
        #expect(ahead.value.withLock { $0 } <= threads * 4)
        try InOrder.make(0, threads: threads) {
            { place, _ in place }
        } check: {
        } _: { _ in
            Issue.record("there is nothing")
        }
    }

    @Test func `another thread makes some where there is one`() throws {
        let mine = Count()
        let others = Count()
        let here = ObjectIdentifier(Thread.current)
        try InOrder.make(40, threads: 2) {
            { place, _ in
                (ObjectIdentifier(Thread.current) == here ? mine : others).value.withLock { $0 += 1 }
                // Until both have.
                let end = ContinuousClock.now + .seconds(20)
                while mine.value.withLock({ $0 }) == 0 || others.value.withLock({ $0 }) == 0, ContinuousClock.now < end
                {
                    Thread.sleep(forTimeInterval: 0.001)
                }
                return place
            }
        } check: {
        } _: { _ in
        }
        #expect(mine.value.withLock { $0 } > 0 && others.value.withLock { $0 } > 0)
    }

    private struct Broken: Error, Equatable { let place: Int }

    @Test(arguments: [1, 3])
    func `the first that cannot be made ends it, and so does whoever takes`(threads: Int) throws {
        var found: [Int] = []
        #expect(throws: Broken(place: 30)) {
            try InOrder.make(100, threads: threads) {
                { place, _ in if place % 31 == 30 { throw Broken(place: place) } else { place } }
            } check: {
            } _: {
                found.append($0)
            }
        }
        #expect(found == Array(0..<30))
        let made = Count()
        #expect(throws: Broken(place: 7)) {
            try InOrder.make(1_000, threads: threads) {
                { place, _ in
                    made.value.withLock { $0 += 1 }
                    return place
                }
            } check: {
            } _: {
                if $0 == 7 { throw Broken(place: 7) }
            }
        }
        #expect(made.value.withLock { $0 } <= 8 + threads * 5)
    }

    @Test func `whoever is to stop does so between two of one batch, and others see that nobody waits`() throws {
        let others = Count()
        let ended = DispatchSemaphore(value: 0)
        let here = ObjectIdentifier(Thread.current)
        var asked = 0
        #expect(throws: Broken(place: 5)) {
            try InOrder.make(2, threads: 2) {
                { place, check in
                    // Without an end but this.
                    let isMine = ObjectIdentifier(Thread.current) == here
                    defer { if !isMine { ended.signal() } }
                    if !isMine { others.value.withLock { $0 += 1 } }
                    while true { try check() }
                }
            } check: {
                asked += 1
                // Not before the other thread has begun.
                if asked > 5, others.value.withLock({ $0 }) > 0 { throw Broken(place: 5) }
            } _: { (_: Int) in
            }
        }
        #expect(ended.wait(timeout: .now() + 20) == .success)
    }

    @Test func `several threads read the same series as one, from parts and from memory`() async throws {
        let disk = ForgetfulDisk()
        let store = try StoreTests.open(disk)
        for part in 0..<3 {
            var batch = SampleBatch()
            for series in stride(from: 0, to: 1_000, by: part + 1) {
                batch.begin(StoreTests.labels("requests_total", ("id", "\(series)")))
                for place in 0..<20 {
                    let time = StoreTests.start - Int64(3 - part) * 1_000_000 + Int64(place) * 1_000
                    batch.add(time, Double(series * place))
                }
            }
            _ = try await store.append(batch)
            if part < 2 { try store.flush() }
        }
        let selection = SeriesSelection([], 0...StoreTests.start)
        var (alone, together): ([(LabelSet, SampleColumns)], [(LabelSet, SampleColumns)]) = ([], [])
        try store.select(selection) { alone.append(($0, $1)) }
        try store.select(selection, threads: 3, batch: 50, check: {}) {
            ($0, $1)
        } _: {
            together.append($0)
        }
        #expect(alone.count == 1_000)
        #expect(alone.map(\.0) == together.map(\.0) && alone.map(\.1) == together.map(\.1))
        // What one of them finds damaged ends the query, and is named once.
        disk.damage("metrics-1.part", at: 20)
        let again = try StoreTests.open(disk)
        #expect(throws: Failure.self) {
            try again.select(selection, threads: 3, batch: 50, check: {}) {
                $1.count
            } _: { _ in
            }
        }
        #expect(again.statistics.damaged == ["metrics-1.part"])
        var rest = 0
        try again.select(selection, threads: 3, batch: 50, check: {}) {
            $1.count
        } _: {
            rest += $0
        }
        #expect(rest > 0)
    }
}
