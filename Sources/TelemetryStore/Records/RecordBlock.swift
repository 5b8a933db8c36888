// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Where the columns of a block of wide records come from: a record of the log that is still in memory, or a part.
protocol RecordSections {
    /// Spans or log records.
    var rows: Int { get }

    /// A section as it was before it was compressed; empty where there is none of that number.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func section(_ number: Int) throws -> [UInt8]
}

extension RecordSections {
    /// The column of that number.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func attribute(_ column: Int) throws -> [UInt8] {
        try NumberedTexts.together(section(RecordBlock.Section.attributes + column))
    }
}

/// Some wide records in columns: sections of bytes, of which a question reads those that it needs.
///
/// `DiskFormat.md` says what is in them.
struct RecordBlock: RecordSections {
    /// What sections a block begins with; those of attributes follow.
    enum Section {
        /// Who sent, which attributes there are, and which of them come together.
        static let schema = 0
        /// What nearly every question asks about: times, names, kinds, severities, shapes.
        static let outline = 1
        /// Identifiers, which are random.
        static let identifiers = 2
        /// What few rows have.
        static let details = 3
        static let attributes = 4
    }

    let rows: Int
    let sections: [[UInt8]]

    func section(_ number: Int) -> [UInt8] { sections.indices.contains(number) ? sections[number] : [] }

    // MARK: In the log

    /// Sections shorter than this stay as they are.
    private static let compressedMin = 128

    /// As one run of bytes, as the log holds it.
    func packed(with compressor: Zstandard.Compressor) -> [UInt8] {
        var writer = ByteWriter()
        writer.count(rows)
        writer.count(sections.count)
        for section in sections {
            if section.count < Self.compressedMin {
                writer.count(section.count)
                writer.count(0)
                writer.raw(section)
            } else {
                let compressed = compressor.compressed(section)
                writer.count(compressed.count)
                writer.count(section.count)
                writer.raw(compressed)
            }
        }
        return writer.bytes
    }
}

/// A block as the log has it; its sections are expanded when they are asked for.
struct PackedBlock: RecordSections {
    private struct Place {
        let range: Range<Int>
        /// 0 where the bytes are not compressed.
        let expandedCount: Int
    }

    let rows: Int
    private let bytes: [UInt8]
    private let places: [Place]

    /// Bytes here, and those of all sections expanded.
    var count: Int { bytes.count }
    var expandedCount: Int { places.reduce(0) { $0 + max($1.range.count, $1.expandedCount) } }

    /// `bytes` has the block from `start` on.
    ///
    /// - Throws: `Failure` with `corrupt`.
    init(_ bytes: [UInt8], from start: Int = 0) throws {
        var places: [Place] = []
        (rows, self.bytes) = (
            try bytes.withUnsafeBufferPointer { buffer in
                var reader = ByteReader(buffer, at: start)
                let rows = reader.count(max: 1 << 28)
                for _ in 0..<reader.count() {
                    let (count, expanded) = (reader.count(), reader.count(max: 1 << 31))
                    places.append(Place(range: reader.place..<reader.place + count, expandedCount: expanded))
                    _ = reader.slice(count)
                }
                guard !reader.isDamaged else { throw Failure(.corrupt, "a block of records ends too early") }
                return rows
            }, bytes
        )
        self.places = places
    }

    func section(_ number: Int) throws -> [UInt8] {
        guard places.indices.contains(number) else { return [] }
        let place = places[number]
        if place.expandedCount == 0 { return Array(bytes[place.range]) }
        return try bytes.withUnsafeBufferPointer {
            try Zstandard.expanded(UnsafeBufferPointer(rebasing: $0[place.range]), count: place.expandedCount)
        }
    }
}
