// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// An immutable file: compressed blocks, a table of what is in them, and a footer that says where all of it stands. `DiskFormat.md` describes the bytes.
struct Part: Sendable {
    static let beginning: [UInt8] = Array("VTRPART1".utf8)
    static let ending: [UInt8] = Array("VTRPEND1".utf8)
    static let tailCount = 16

    struct Block: Sendable {
        let offset: Int
        let count: Int
        let expandedCount: Int
        let checksum: UInt32
    }

    struct Footer: Sendable {
        var sequence: UInt64
        /// Where it stands in time of writing: of two samples at one moment that of the higher rank counts.
        var rank: UInt64
        /// Segments of the log up to this one are in this part or in older ones.
        var coveredSegment: UInt64
        /// Parts whose samples are all in this one.
        var replaced: [UInt64]
        /// Milliseconds since 1970.
        var times: ClosedRange<Int64>
        /// Series, or what records are about.
        var subjects: Int
        /// Samples, spans or log records.
        var rows: Int
        var blocks: [Block]
        var table: Block
    }

    let name: String
    let footer: Footer
    private let file: any DiskReader

    /// Bytes of the file.
    var size: Int { file.size }

    static func name(_ signal: Signal, _ sequence: UInt64) -> String { "\(signal.rawValue)-\(sequence).part" }

    static func sequence(of name: String) -> UInt64? {
        name.split(separator: "-").last.flatMap { UInt64($0.prefix { $0.isNumber }) }
    }

    /// What a part keeps, by its name; `nil` for the name of another file.
    static func signal(of name: String) -> Signal? {
        name.hasSuffix(".part") ? name.split(separator: "-").first.flatMap { Signal(rawValue: String($0)) } : nil
    }

    // MARK: Footer

    static func bytes(of footer: Footer) -> [UInt8] {
        var writer = ByteWriter()
        writer.varint(footer.sequence)
        writer.varint(footer.rank)
        writer.varint(footer.coveredSegment)
        writer.count(footer.replaced.count)
        for sequence in footer.replaced { writer.varint(sequence) }
        writer.signed(footer.times.lowerBound)
        writer.signed(footer.times.upperBound)
        writer.count(footer.subjects)
        writer.count(footer.rows)
        writer.count(footer.blocks.count)
        for block in footer.blocks + [footer.table] {
            writer.count(block.offset)
            writer.count(block.count)
            writer.count(block.expandedCount)
            writer.fixed(block.checksum)
        }
        var tail = ByteWriter()
        tail.raw(writer.bytes)
        tail.fixed(UInt32(writer.count))
        tail.fixed(Checksum.crc32(writer.bytes))
        tail.raw(ending)
        return tail.bytes
    }

    /// Opens a part by its footer.
    ///
    /// - Throws: `Failure` with `corrupt` where it is not what was written.
    init(_ name: String, of disk: any Disk) throws {
        self.name = name
        file = try disk.open(name)
        let size = file.size
        guard size > Self.beginning.count + Self.tailCount else { throw Failure(.corrupt, "\(name) is too short") }
        let tail = try file.read(at: size - Self.tailCount, count: Self.tailCount)
        let (count, checksum) = tail.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            return (Int(reader.fixed32()), reader.fixed32())
        }
        guard tail.suffix(8).elementsEqual(Self.ending), count + Self.tailCount + Self.beginning.count <= size else {
            throw Failure(.corrupt, "\(name) does not end as a part does")
        }
        let bytes = try file.read(at: size - Self.tailCount - count, count: count)
        guard Checksum.crc32(bytes) == checksum else { throw Failure(.corrupt, "the footer of \(name) is damaged") }
        footer = try Self.footer(of: bytes, name)
    }

    private static func footer(of bytes: [UInt8], _ name: String) throws -> Footer {
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let (sequence, rank, covered) = (reader.varint(), reader.varint(), reader.varint())
            let replaced = (0..<reader.count()).map { _ in reader.varint() }
            let (first, last) = (reader.signed(), reader.signed())
            let (subjects, rows) = (reader.count(max: .max), reader.count(max: .max))
            var blocks: [Block] = []
            for _ in 0...reader.count() {
                blocks.append(
                    Block(
                        offset: reader.count(max: .max), count: reader.count(max: .max),
                        expandedCount: reader.count(max: 1 << 31), checksum: reader.fixed32()))
            }
            guard !reader.isDamaged, first <= last, let table = blocks.popLast() else {
                throw Failure(.corrupt, "the footer of \(name) makes no sense")
            }
            return Footer(
                sequence: sequence, rank: rank, coveredSegment: covered, replaced: replaced, times: first...last,
                subjects: subjects, rows: rows, blocks: blocks, table: table)
        }
    }

    /// A block as it was before it was compressed.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func expanded(_ block: Block) throws -> [UInt8] {
        let bytes = try file.read(at: block.offset, count: block.count)
        guard Checksum.crc32(bytes) == block.checksum else {
            throw Failure(.corrupt, "a block of \(name) at \(block.offset) is damaged")
        }
        return try bytes.withUnsafeBufferPointer { try Zstandard.expanded($0, count: block.expandedCount) }
    }
}
