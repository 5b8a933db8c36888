// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Telemetry

struct SpoolTests {
    private static func folder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "spool-\(UUID().uuidString)").path
    }

    private static func batch(_ number: Int, bytes: Int = 100, time: UInt64 = 0) -> Spool.Batch {
        Spool.Batch(
            payload: Array(repeating: UInt8(truncatingIfNeeded: number), count: bytes), items: number,
            isCompressed: number % 2 == 0, time: time)
    }

    private static func drain(_ spool: Spool, now: UInt64 = 0) -> [Int] {
        var found: [Int] = []
        while let batch = spool.first(now: now).batch {
            #expect(batch.payload == Self.batch(batch.items, bytes: batch.payload.count).payload)
            #expect(batch.isCompressed == (batch.items % 2 == 0))
            found.append(batch.items)
            #expect(spool.remove(batch))
        }
        return found
    }

    @Test(arguments: [true, false])
    func `batches come in the order in which they went, and none is left`(isOnDisk: Bool) throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let spool = try Spool(folder: isOnDisk ? folder : nil, bytesMax: 64 << 20, ageMax: .seconds(60))
        for number in 1...30 { #expect(spool.append(Self.batch(number, bytes: 300_000)).isEmpty) }
        #expect(spool.items == (1...30).reduce(0, +))
        #expect(Self.drain(spool) == Array(1...30))
        #expect(spool.items == 0 && spool.bytes == 0)
        for number in 31...33 { _ = spool.append(Self.batch(number)) }
        #expect(Self.drain(spool) == [31, 32, 33])
        if isOnDisk {
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(files.filter { $0.hasSuffix(".spool") }.count <= 1, "delivered files go: \(files)")
        }
    }

    @Test func `what waits outlives the process, without what was delivered`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let spool = try Spool(folder: folder, bytesMax: 64 << 20, ageMax: .seconds(60))
            for number in 1...20 { _ = spool.append(Self.batch(number, bytes: 500_000)) }
            for _ in 1...7 { _ = spool.first(now: 0).batch.map(spool.remove) }
        }
        let spool = try Spool(folder: folder, bytesMax: 64 << 20, ageMax: .seconds(60))
        #expect(spool.recovered == (8...20).reduce(0, +))
        _ = spool.append(Self.batch(21))
        #expect(Self.drain(spool) == Array(8...21))
    }

    @Test func `a torn or damaged entry costs itself and nothing else`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let spool = try Spool(folder: folder, bytesMax: 64 << 20, ageMax: .seconds(60))
            for number in 1...5 { _ = spool.append(Self.batch(number, bytes: 1_000)) }
        }
        let path = folder + "/0000000000000001.spool"
        var bytes = try Data(contentsOf: URL(filePath: path))
        // In the payload of the second; and the last is cut off.
        bytes[1_032 + 500] ^= 1
        try bytes.dropLast(10).write(to: URL(filePath: path))
        let spool = try Spool(folder: folder, bytesMax: 64 << 20, ageMax: .seconds(60))
        #expect(spool.recovered == 1 + 2 + 3 + 4)
        _ = spool.append(Self.batch(6))
        let first = try #require(spool.first(now: 0).batch)
        #expect(first.items == 1 && spool.remove(first))
        let (batch, losses) = spool.first(now: 0)
        #expect(batch?.items == 3 && losses.count == 1 && losses[0] == (.damaged, 2))
        #expect(Self.drain(spool) == [3, 4, 6])
    }

    @Test(arguments: [true, false])
    func `beyond the budget the oldest go, and are counted`(isOnDisk: Bool) throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let spool = try Spool(folder: isOnDisk ? folder : nil, bytesMax: 10_000, ageMax: .seconds(60))
        var lost = 0
        for number in 1...20 { lost += spool.append(Self.batch(number, bytes: 1_000)).reduce(0) { $0 + $1.items } }
        #expect(spool.bytes <= 10_000)
        #expect(lost + spool.items == (1...20).reduce(0, +))
        let whole = spool.append(Self.batch(99, bytes: 20_000))
        #expect(whole.count == 1 && whole[0] == (.full, 99))
        #expect(Self.drain(spool) == Array(12...20))
    }

    @Test func `a batch that made room while it was on its way takes no other with it`() throws {
        let spool = try Spool(folder: nil, bytesMax: 2_200, ageMax: .seconds(60))
        for number in 1...2 { _ = spool.append(Self.batch(number, bytes: 1_000)) }
        let onItsWay = try #require(spool.first(now: 0).batch)
        #expect(spool.append(Self.batch(3, bytes: 1_000)).map(\.items) == [1])
        #expect(!spool.remove(onItsWay))
        #expect(Self.drain(spool) == [2, 3])
    }

    @Test func `what is too old goes, and is counted`() throws {
        let spool = try Spool(folder: nil, bytesMax: 10_000, ageMax: .seconds(60))
        _ = spool.append(Self.batch(1, time: 0))
        _ = spool.append(Self.batch(2, time: 50_000_000_000))
        let (batch, losses) = spool.first(now: 61_000_000_000)
        #expect(batch?.items == 2 && losses.count == 1 && losses[0] == (.expired, 1))
    }

    @Test func `two processes on one folder do not meet`() throws {
        let folder = Self.folder()
        defer {
            try? FileManager.default.removeItem(atPath: folder)
            try? FileManager.default.removeItem(atPath: folder + "-2")
        }
        let first = try Spool(folder: folder, bytesMax: 10_000, ageMax: .seconds(60))
        let second = try Spool(folder: folder, bytesMax: 10_000, ageMax: .seconds(60))
        _ = first.append(Self.batch(1))
        _ = second.append(Self.batch(2))
        #expect(Self.drain(first) == [1] && Self.drain(second) == [2])
        #expect(FileManager.default.fileExists(atPath: folder + "-2"))
    }

    @Test func `a disk that takes nothing costs nothing as long as memory lasts`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let spool = try Spool(folder: folder, bytesMax: 16_000, ageMax: .seconds(60))
        _ = spool.append(Self.batch(1))
        try FileManager.default.removeItem(atPath: folder)
        try Data().write(to: URL(filePath: folder))
        for number in 2...4 { #expect(spool.append(Self.batch(number, bytes: 300)).isEmpty) }
        let losses = spool.append(Self.batch(5, bytes: 300))
        #expect(losses.count == 1 && losses[0] == (.failed, 5))
        try FileManager.default.removeItem(atPath: folder)
        #expect(spool.append(Self.batch(6)).isEmpty, "the folder is made again")
        // The first was at hand, and not only on disk.
        #expect(Self.drain(spool) == [1, 2, 3, 4, 6])
        #expect(spool.items == 0 && spool.bytes == 0)
    }

    @Test func `a run in which nothing came does not cost the next its signals`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func spool() throws -> Spool { try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60)) }
        do {
            let first = try spool()
            for number in 1...3 { _ = first.append(Self.batch(number)) }
            #expect(Self.drain(first) == [1, 2, 3])
        }
        _ = try spool()
        do { _ = try spool().append(Self.batch(4)) }
        let last = try spool()
        #expect(last.recovered == 4)
        #expect(Self.drain(last) == [4])
    }

    @Test func `a damaged header costs its own entry`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let spool = try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60))
            for number in 1...4 { _ = spool.append(Self.batch(number, bytes: 1_000)) }
        }
        let path = folder + "/0000000000000001.spool"
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[1_032 + 5] ^= 1
        try bytes.write(to: URL(filePath: path))
        let spool = try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60))
        #expect(Self.drain(spool) == [1, 3, 4])
    }

    @Test func `what a process beside left is taken over`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let first = try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60))
            let second = try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60))
            _ = first.append(Self.batch(1))
            for number in 2...4 { _ = second.append(Self.batch(number)) }
            _ = second.first(now: 0).batch.map(second.remove)
        }
        let spool = try Spool(folder: folder, bytesMax: 1 << 20, ageMax: .seconds(60))
        #expect(spool.recovered == 1 + 3 + 4)
        #expect(Self.drain(spool) == [1, 3, 4])
        let left = try FileManager.default.contentsOfDirectory(atPath: folder + "-2")
        #expect(left == ["lock"])
        try FileManager.default.removeItem(atPath: folder + "-2")
    }
}
