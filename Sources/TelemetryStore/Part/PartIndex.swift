// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// The series of a part, as they are asked for.
struct PartIndex: Sendable {
    struct Chunk: Sendable {
        let times: ClosedRange<Int64>
        let count: Int
        /// Where it begins, were all blocks one.
        let offset: Int
    }

    struct Series: Sendable {
        let key: [UInt8]
        /// Places in ``PartIndex/chunks``.
        let chunks: Range<Int>
    }

    private(set) var series: [Series] = []
    private(set) var chunks: [Chunk] = []
    private(set) var labels = LabelIndex()

    /// - Throws: `Failure` with `corrupt`.
    init(_ part: Part) throws {
        let table = try part.expanded(part.footer.table)
        var offset = 0
        try table.withUnsafeBufferPointer { buffer in
            var (reader, key) = (ByteReader(buffer), [UInt8]())
            series.reserveCapacity(part.footer.subjects)
            while !reader.isAtEnd {
                key.removeLast(key.count - min(key.count, reader.count(max: key.count)))
                key += reader.text()
                let first = chunks.count
                for _ in 0..<reader.count() {
                    let start = reader.signed()
                    let end = start &+ Int64(truncatingIfNeeded: reader.varint())
                    let (count, bytes) = (reader.count(max: 1 << 20), reader.count(max: 1 << 30))
                    guard start <= end else { throw Failure(.corrupt, "the series of \(part.name) make no sense") }
                    chunks.append(Chunk(times: start...end, count: count, offset: offset))
                    offset += bytes
                }
                series.append(Series(key: key, chunks: first..<chunks.count))
                labels.add(SeriesKey.labels(of: key))
            }
            guard !reader.isDamaged, series.count == part.footer.subjects else {
                throw Failure(.corrupt, "the series of \(part.name) make no sense")
            }
        }
    }
}

/// Reads chunks of a part, for one query; what is asked for lies mostly in the block that was read last.
final class PartReader {
    let part: Part
    let index: PartIndex
    /// Where each block begins, were all one.
    private let starts: [Int]
    private var block: (place: Int, bytes: [UInt8])?

    init(_ part: Part, _ index: PartIndex) {
        self.part = part
        self.index = index
        var offset = 0
        starts = part.footer.blocks.map { block in
            defer { offset += block.expandedCount }
            return offset
        }
    }

    /// Appends the samples of the series' chunks that may have any at `times`.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func read(_ series: PartIndex.Series, _ times: ClosedRange<Int64>, into samples: inout SampleColumns) throws {
        for place in series.chunks where index.chunks[place].times.overlaps(times) {
            let offset = index.chunks[place].offset
            let number = (starts.firstIndex { $0 > offset } ?? starts.count) - 1
            guard starts.indices.contains(number) else { throw Failure(.corrupt, "\(part.name) lacks a block") }
            if block?.place != number { block = (number, try part.expanded(part.footer.blocks[number])) }
            guard let bytes = block?.bytes else { continue }
            try bytes.withUnsafeBufferPointer { buffer in
                var reader = ByteReader(buffer, at: offset - starts[number])
                try SampleChunk.read(&reader, into: &samples)
            }
        }
    }
}
