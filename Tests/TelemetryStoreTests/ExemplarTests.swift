// SPDX-License-Identifier: Apache-2.0

import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// Exemplars outlive the process.
struct ExemplarTests {
    private static func exemplar(_ number: Int) -> StoredExemplar {
        StoredExemplar(
            series: StoreTests.labels("wait_bucket", ("le", "0.\(number % 7)"), ("route", "/\(number % 13)")),
            value: Double(number) / 3, time: StoreTests.start + Int64(number),
            trace: TraceID(high: 1, low: UInt64(number)),
            span: UInt64(number) << 32)
    }

    private static func all(_ store: SignalStore) throws -> [StoredExemplar] {
        try store.exemplars.exemplars([[]], 0...Int64.max).sorted { $0.time < $1.time }
    }

    @Test func `they are there after a restart, and go on`() throws {
        let disk = ForgetfulDisk()
        let store = try StoreTests.open(disk)
        store.exemplars.note((1...500).map(Self.exemplar))
        try store.close()
        var random = SeededGenerator(seed: 2)
        let cut = disk.afterPowerCut(&random)
        let again = try StoreTests.open(cut)
        #expect(try Self.all(again) == (1...500).map(Self.exemplar))
        #expect(again.exemplars.traces.count == 500, "their traces are kept")
        again.exemplars.note([Self.exemplar(501)])
        try again.close()
        #expect(try Self.all(StoreTests.open(cut)).count == 501)
    }

    @Test func `the latest 20,000 stay, in their order`() throws {
        let disk = ForgetfulDisk()
        let store = try StoreTests.open(disk)
        store.exemplars.note((1...25_000).map(Self.exemplar))
        try store.close()
        let again = try StoreTests.open(disk)
        again.exemplars.note((25_001...26_000).map(Self.exemplar))
        #expect(try Self.all(again) == (6_001...26_000).map(Self.exemplar))
    }

    @Test func `what is damaged is set aside and named`() throws {
        let disk = ForgetfulDisk()
        let store = try StoreTests.open(disk)
        store.exemplars.note((1...50).map(Self.exemplar))
        try store.close()
        var random = SeededGenerator(seed: 4)
        for place in [0, 9, 13, 40] {
            let copy = disk.afterPowerCut(&random)
            copy.damage("exemplars", at: place)
            let again = try StoreTests.open(copy)
            #expect(try Self.all(again).isEmpty && again.statistics.damaged == ["exemplars"])
            #expect(try copy.names().contains("exemplars.damaged"))
        }
    }
}
