// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Writes a part: series in the order of their keys, each with its samples in the order of time.
struct PartWriter {
    /// Bytes of chunks that are compressed together. Larger is smaller on the disk and slower to ask about one series.
    private static let blockBytes = 128 << 10
    /// Samples of one series that are packed together.
    private static let chunkCount = 1_024

    private var file: PartFile
    private var block = ByteWriter()
    private var blocks: [Part.Block] = []
    private var table = ByteWriter()
    private var lastKey: [UInt8] = []
    private var times: ClosedRange<Int64>?
    private var (seriesCount, sampleCount) = (0, 0)

    init(_ sequence: UInt64, on disk: any Disk, level: Int32 = Zstandard.quick) throws {
        file = try PartFile(.metrics, sequence, on: disk, level: level)
    }

    /// Adds a series, whose key comes after all before it. Times ascend, none twice.
    mutating func add(_ key: [UInt8], _ samples: SampleColumns) throws {
        guard let first = samples.times.first, let last = samples.times.last else { return }
        times = min(times?.lowerBound ?? first, first)...max(times?.upperBound ?? last, last)
        let shared = zip(key, lastKey).prefix { $0 == $1 }.count
        table.count(shared)
        table.text(key[shared...])
        lastKey = key
        let starts = stride(from: 0, to: samples.count, by: Self.chunkCount)
        table.count(starts.underestimatedCount)
        for start in starts {
            let range = start..<min(start + Self.chunkCount, samples.count)
            guard
                let chunk = SampleChunk(
                    SampleColumns(times: Array(samples.times[range]), values: Array(samples.values[range])))
            else { continue }
            table.signed(chunk.times.lowerBound)
            table.varint(UInt64(chunk.times.upperBound - chunk.times.lowerBound))
            table.count(chunk.count)
            table.count(chunk.bytes.count)
            block.raw(chunk.bytes)
        }
        seriesCount += 1
        sampleCount += samples.count
        if block.count >= Self.blockBytes { try finishBlock() }
    }

    private mutating func finishBlock() throws {
        guard block.count > 0 else { return }
        blocks.append(try file.append(block.bytes))
        block.removeAll()
    }

    /// Gives up; what was written of it goes.
    func abandon() { file.abandon() }

    /// Makes the part durable, and only then visible under its name.
    ///
    /// - Returns: `nil` where no sample was added.
    mutating func finish(rank: UInt64, coveredSegment: UInt64, replacing replaced: [UInt64]) throws -> Part? {
        guard let times else {
            file.abandon()
            return nil
        }
        try finishBlock()
        return try file.finish(
            Part.Footer(
                sequence: file.sequence, rank: rank, coveredSegment: coveredSegment, replaced: replaced, times: times,
                subjects: seriesCount, rows: sampleCount, blocks: blocks, table: try file.append(table.bytes)))
    }
}
