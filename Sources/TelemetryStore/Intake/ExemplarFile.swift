// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
internal import Telemetry

/// The exemplars on the disk, written whole every time.
enum ExemplarFile {
    static let name = "exemplars"
    private static let beginning = Array("VTREXEM1".utf8)
    /// Those are 20,000 with labels of 2,000 bytes at most.
    private static let bytesMax = 64 << 20

    static func write(_ exemplars: [StoredExemplar], to disk: any Disk) throws {
        var rows = ByteWriter()
        rows.count(exemplars.count)
        var before: Int64 = 0
        for exemplar in exemplars {
            rows.text(SeriesKey.bytes(of: exemplar.series))
            rows.fixed(exemplar.value.bitPattern)
            rows.signed(exemplar.time &- before)
            before = exemplar.time
            for number in [exemplar.trace.high, exemplar.trace.low, exemplar.span] { rows.fixed(number) }
        }
        let packed = Zstandard.compressed(rows.bytes)
        var head = ByteWriter()
        head.raw(beginning)
        head.fixed(UInt32(rows.count))
        head.fixed(Checksum.crc32(packed))
        let file = try disk.create(name + ".tmp")
        try file.append(head.bytes + packed)
        try file.sync()
        try disk.rename(name + ".tmp", to: name)
        try disk.syncNames()
    }

    /// - Throws: `Failure` with `corrupt`.
    static func read(_ disk: any Disk) throws -> [StoredExemplar] {
        let file = try disk.open(name)
        let bytes = try file.read(at: 0, count: file.size)
        return try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            guard reader.slice(beginning.count).elementsEqual(beginning) else {
                throw Failure(.corrupt, "the exemplars do not begin as they should")
            }
            let (count, checksum) = (Int(reader.fixed32()), reader.fixed32())
            let packed = reader.slice(max(0, buffer.count - beginning.count - 8))
            guard !reader.isDamaged, count <= bytesMax, Checksum.crc32(packed) == checksum else {
                throw Failure(.corrupt, "the exemplars are not what was written")
            }
            return try Zstandard.expanded(packed, count: count).withUnsafeBufferPointer(rows)
        }
    }

    private static func rows(_ bytes: UnsafeBufferPointer<UInt8>) throws -> [StoredExemplar] {
        var (reader, time, found) = (ByteReader(bytes), Int64(0), [StoredExemplar]())
        for _ in 0..<reader.count() {
            let series = SeriesKey.labels(of: reader.text())
            let value = Double(bitPattern: reader.fixed64())
            time &+= reader.signed()
            let trace = TraceID(high: reader.fixed64(), low: reader.fixed64())
            found.append(
                StoredExemplar(series: series, value: value, time: time, trace: trace, span: reader.fixed64()))
            guard !reader.isDamaged else { throw Failure(.corrupt, "the exemplars end too early") }
        }
        return found
    }
}

extension SignalStore {
    /// How much a machine that stops may take of them.
    private static let exemplarsEvery = Duration.seconds(60)

    /// Writes exemplars where some came since the last time and that is a minute ago, or where it is the last time.
    func saveExemplars(isLast: Bool = false) throws {
        guard let rows = exemplars.unsaved(for: isLast ? .zero : Self.exemplarsEvery) else { return }
        do {
            try upkeep.withLock { _ in try ExemplarFile.write(rows, to: disk) }
        } catch {
            exemplars.noteUnsaved()
            throw error
        }
    }

    /// Those of the disk; none where they are damaged, which sets them aside.
    static func readExemplars(_ names: [String], of disk: any Disk, _ state: inout State) throws -> ExemplarTable {
        guard names.contains(ExemplarFile.name) else { return ExemplarTable() }
        do { return ExemplarTable(try ExemplarFile.read(disk)) } catch let failure as Failure
            where failure.code == .corrupt
        {
            try disk.rename(ExemplarFile.name, to: ExemplarFile.name + ".damaged")
            state.damaged.append(ExemplarFile.name)
            return ExemplarTable()
        }
    }
}
