// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Vitrine

/// What a process did to its database files, as `forgetful_disk.c` wrote it down.
private struct DiskLog {
    struct Record {
        let kind: Character
        let file: Int32
        let offset: Int
        let bytes: Data
        /// Where the record ends in the log.
        let end: Int
    }

    let records: [Record]

    init(path: String) throws {
        let log = try Data(contentsOf: URL(filePath: path))
        func number<Number: FixedWidthInteger>(_ type: Number.Type, at place: Int) -> Number {
            log[place..<place + MemoryLayout<Number>.size].withUnsafeBytes { $0.loadUnaligned(as: type) }
        }
        var (records, place): ([Record], Int) = ([], 0)
        while place + 21 <= log.count {
            let length = Int(number(UInt64.self, at: place + 13))
            let end = place + 21 + length
            // The process was killed while it wrote the last one.
            guard end <= log.count else { break }
            records.append(
                Record(
                    kind: Character(UnicodeScalar(log[place])), file: number(Int32.self, at: place + 1),
                    offset: Int(number(UInt64.self, at: place + 5)), bytes: log[(place + 21)..<end], end: end))
            place = end
        }
        self.records = records
    }
}

/// A disk that holds what was synced, and of the rest whatever it happens to have written.
private struct ForgetfulDisk {
    private struct File {
        var path = ""
        var durable = Data()
        var pending: [DiskLog.Record] = []
    }

    private var files: [Int32: File] = [:]
    var ignoresSyncs = false

    mutating func apply(_ record: DiskLog.Record) {
        switch record.kind {
        case "O": files[record.file, default: File()].path = String(decoding: record.bytes, as: UTF8.self)
        case "U": files[record.file] = nil
        case "S" where !ignoresSyncs:
            guard let pending = files[record.file]?.pending else { return }
            for change in pending { Self.write(change, share: nil, to: &files[record.file, default: File()].durable) }
            files[record.file]?.pending = []
        case "S": return
        default: files[record.file]?.pending.append(record)
        }
    }

    /// Writes what is left after the power has gone to `directory`. Unsynced changes survive at random, whole or in part,
    /// in any order of their own.
    func lose(to directory: String, by generator: inout some RandomNumberGenerator) throws {
        for file in files.values {
            var bytes = file.durable
            for change in file.pending where Bool.random(using: &generator) {
                // A disk writes sectors of 512 bytes whole.
                let sectors = change.bytes.count / 512
                let share = Bool.random(using: &generator) ? nil : Int.random(in: 0...sectors, using: &generator) * 512
                Self.write(change, share: share, to: &bytes)
            }
            let name = URL(filePath: file.path).lastPathComponent
            try bytes.write(to: URL(filePath: directory).appending(path: name))
        }
    }

    private static func write(_ change: DiskLog.Record, share: Int?, to bytes: inout Data) {
        if change.kind == "T" {
            let missing = change.offset - bytes.count
            return missing > 0 ? bytes.append(Data(count: missing)) : bytes.removeLast(-missing)
        }
        let written = change.bytes.prefix(share ?? change.bytes.count)
        if bytes.count < change.offset + written.count {
            bytes.append(Data(count: change.offset + written.count - bytes.count))
        }
        bytes.replaceSubrange(change.offset..<change.offset + written.count, with: written)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

struct PowerLossTests {
    private static let compiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Compiles the layer that is put between the program and its files.
    private func makeLayer(in directory: String) throws -> String {
        let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Peers/forgetful_disk.c").path
        let compile = Process()
        compile.executableURL = URL(filePath: Self.compiler ?? "")
        compile.arguments = ["-shared", "-fPIC", "-O1", "-o", directory + "/layer.so", source, "-ldl", "-lpthread"]
        try compile.run()
        compile.waitUntilExit()
        #expect(compile.terminationStatus == 0)
        return directory + "/layer.so"
    }

    private struct Acknowledged: Sendable {
        let order: String
        /// How much of the log was written when the client heard of it.
        let logEnd: Int
    }

    /// Sells from eight clients at once, then kills the process.
    private func sell(_ count: Int, in directory: String, log: String, layer: String) async throws -> [Acknowledged] {
        let (process, address, key) = try await VitrineProcess.serve(
            directory, environment: ["LD_PRELOAD": layer, "VITRINE_DISK_LOG": log])
        let client = ShopClient(address, key: key)
        _ = try await client.send(
            .POST, "/v1/products",
            ["title": "Mug", "variants": [["sku": "A1", "prices": [["amount": 1_000, "currency": "GBP"]]]]])
        let location = try await client.send(
            .POST, "/v1/inventory/locations", ["code": "l", "name": "Place", "country": "GB"])
        _ = try await client.send(
            .POST, "/v1/inventory/adjustments",
            ["location_id": location.json["id"] ?? .null, "lines": [["sku": "A1", "quantity": 100_000]]])
        let acknowledged = try await withThrowingTaskGroup(of: [Acknowledged].self) { group in
            for worker in 0..<8 {
                group.addTask {
                    let client = ShopClient(address, key: key)
                    var mine: [Acknowledged] = []
                    for _ in stride(from: worker, to: count, by: 8) {
                        let reply = try await client.send(
                            .POST, "/v1/orders",
                            [
                                "currency": "GBP", "payment": ["card": "sandbox_approve"],
                                "lines": [["sku": "A1", "quantity": 1]],
                            ])
                        #expect(reply.status == 201, "\(reply.text)")
                        let size = try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int
                        mine.append(Acknowledged(order: reply.json["id"]?.string ?? "", logEnd: size ?? .max))
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        process.kill()
        _ = try await process.exitStatus()
        return acknowledged.sorted { $0.logEnd < $1.logEnd }
    }

    /// The orders that a shop finds after the power has come back; checks its books, too.
    private func orders(in directory: String) async throws -> Set<String> {
        var configuration = try Configuration(environment: [:])
        configuration.dataDirectory = directory
        let shop = try await Shop.open(configuration)
        let found = await Result { try await paidOrders(of: shop) }
        await shop.database.close()
        return try found.get()
    }

    private func paidOrders(of shop: Shop) async throws -> Set<String> {
        try await shop.database.read { connection in
            let faults = try shop.inventory.audit(in: connection) + shop.ordering.audit(in: connection)
            #expect(faults.isEmpty)
            let integrity = try connection.first("PRAGMA integrity_check") { try $0.next(String.self) }
            #expect(integrity == "ok")
            return Set(
                try connection.all("SELECT id FROM orders WHERE state = 'paid'") { try $0.next(String.self) })
        }
    }

    @Test(.enabled(if: PowerLossTests.compiler != nil, "there is no C compiler"))
    func `what was acknowledged is there after a power loss at any moment`() async throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1"
        let work = try TestDirectory()
        defer { work.remove() }
        let log = work.path + "/disk.log"
        let acknowledged = try await sell(
            isLong ? 5_000 : 300, in: work.path + "/shop", log: log, layer: try makeLayer(in: work.path))
        let records = try DiskLog(path: log).records
        #expect(records.contains { $0.kind == "S" } && records.contains { $0.kind == "W" })
        let first = records.firstIndex { $0.end > acknowledged[0].logEnd } ?? 0
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let cuts = Set((0..<(isLong ? 400 : 40)).map { _ in Int.random(in: first..<records.count, using: &generator) })
        var disk = ForgetfulDisk()
        var lossy = ForgetfulDisk()
        lossy.ignoresSyncs = true
        for (place, record) in records.enumerated() {
            disk.apply(record)
            lossy.apply(record)
            guard cuts.contains(place) else { continue }
            let image = try TestDirectory()
            defer { image.remove() }
            try disk.lose(to: image.path, by: &generator)
            let found = try await orders(in: image.path)
            let lost = acknowledged.filter { $0.logEnd <= record.end && !found.contains($0.order) }
            #expect(lost.isEmpty, "\(lost.count) orders are lost at record \(place), seed \(seed)")
        }
        // The harness finds what it looks for: without syncs, orders are lost or the file is no database.
        let image = try TestDirectory()
        defer { image.remove() }
        try lossy.lose(to: image.path, by: &generator)
        let survived = try? await orders(in: image.path)
        #expect((survived ?? []).count < acknowledged.count, "nothing is lost even where nothing was synced")
    }
}
