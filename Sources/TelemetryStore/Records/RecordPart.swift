// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// A part of spans or log records: groups of rows in the order of time, and for each what lets a question skip it.
struct RecordPart: Sendable {
    struct Group: Sendable {
        var rows = 0
        /// Milliseconds since 1970.
        var times: ClosedRange<Int64> = 0...0
        /// Nanoseconds of the longest span.
        var longest: UInt64 = 0
        var errors = 0
        /// Places in ``RecordPart/facets``.
        var facets: [Int] = []
        var sections: [Part.Block] = []
        var filter: Part.Block
    }

    let part: Part
    let facets: [[UInt8]]
    let groups: [Group]
    /// The first trace of each page of the index.
    let firstTraces: [UInt32]
    /// Whether only those traces are left in it that are to be kept.
    let isThinned: Bool
    /// Whether its filters have what texts within texts are looked for by; those of before had not.
    let hasFragments: Bool

    enum Flag {
        static let thinned: UInt8 = 1
        static let fragments: UInt8 = 2
    }

    var name: String { part.name }

    /// Stands for any facet, where there were too many.
    static let anyFacet: [UInt8] = [255]

    /// - Throws: `Failure` with `corrupt`.
    init(_ part: Part) throws {
        self.part = part
        let table = try part.expanded(part.footer.table)
        var (facets, groups, firstTraces): ([[UInt8]], [Group], [UInt32]) = ([], [], [])
        let flags: UInt8 = try table.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let flags = reader.byte()
            facets = reader.texts().map { Array(buffer[$0]) }
            var offset = Part.beginning.count
            for _ in 0..<reader.count() { groups.append(Self.group(&reader, &offset)) }
            for _ in 0..<reader.count() { firstTraces.append(reader.fixed32()) }
            guard !reader.isDamaged, firstTraces.count == part.footer.blocks.count,
                groups.allSatisfy({ group in group.facets.allSatisfy { $0 < facets.count } })
            else { throw Failure(.corrupt, "the table of \(part.name) makes no sense") }
            return flags
        }
        (isThinned, hasFragments) = (flags & Flag.thinned != 0, flags & Flag.fragments != 0)
        (self.facets, self.groups, self.firstTraces) = (facets, groups, firstTraces)
    }

    private static func group(_ reader: inout ByteReader, _ offset: inout Int) -> Group {
        func block() -> Part.Block {
            let block = Part.Block(
                offset: offset, count: reader.count(max: .max), expandedCount: reader.count(max: 1 << 31),
                checksum: reader.fixed32())
            offset += block.count
            return block
        }
        let rows = reader.count(max: 1 << 28)
        let (first, last) = (reader.signed(), reader.signed())
        let (longest, errors) = (reader.varint(), reader.count(max: .max))
        let facets = (0..<reader.count()).map { _ in reader.count(max: .max) }
        let sections = (0..<reader.count()).map { _ in block() }
        return Group(
            rows: rows, times: first...max(first, last), longest: longest, errors: errors, facets: facets,
            sections: sections, filter: block())
    }

    static func write(_ group: Group, to writer: inout ByteWriter) {
        writer.count(group.rows)
        writer.signed(group.times.lowerBound)
        writer.signed(group.times.upperBound)
        writer.varint(group.longest)
        writer.count(group.errors)
        writer.count(group.facets.count)
        for facet in group.facets { writer.count(facet) }
        writer.count(group.sections.count)
        for block in group.sections + [group.filter] {
            writer.count(block.count)
            writer.count(block.expandedCount)
            writer.fixed(block.checksum)
        }
    }

    /// The columns of a group.
    func sections(of group: Int) -> some RecordSections { GroupSections(part: part, group: groups[group]) }

    /// Whether a group may have what a term stands for.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func filter(of group: Int) throws -> TermFilter { TermFilter(bytes: try part.expanded(groups[group].filter)) }

    /// Groups that may have spans or records of a trace.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func groups(withTrace trace: UInt32) throws -> [Int] {
        // Traces of one hash may go over the end of a page.
        let after = firstTraces.firstIndex { $0 > trace } ?? firstTraces.count
        var (found, page) = ([Int](), after - 1)
        while page >= 0 {
            found += try groups(withTrace: trace, page)
            guard firstTraces[page] == trace else { break }
            page -= 1
        }
        return found
    }

    private func groups(withTrace trace: UInt32, _ page: Int) throws -> [Int] {
        var found: [Int] = []
        try eachTrace(of: page) { hash, group in
            if hash == trace { found.append(group) }
            return hash <= trace
        }
        return found
    }

    /// What stands for each of its traces.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func traces() throws -> Set<UInt32> {
        var traces: Set<UInt32> = []
        for page in firstTraces.indices {
            try eachTrace(of: page) { hash, _ in
                traces.insert(hash)
                return true
            }
        }
        return traces
    }

    /// `body` says whether to go on.
    private func eachTrace(of page: Int, _ body: (UInt32, Int) -> Bool) throws {
        let bytes = try part.expanded(part.footer.blocks[page])
        try bytes.withUnsafeBufferPointer { buffer in
            var (reader, hash) = (ByteReader(buffer), UInt64(0))
            while !reader.isAtEnd {
                hash &+= reader.varint()
                let group = reader.count(max: .max)
                guard !reader.isDamaged, group < groups.count else {
                    throw Failure(.corrupt, "the index of \(part.name) makes no sense")
                }
                if !body(UInt32(truncatingIfNeeded: hash), group) { return }
            }
        }
    }
}

private struct GroupSections: RecordSections {
    let part: Part
    let group: RecordPart.Group

    var rows: Int { group.rows }

    func section(_ number: Int) throws -> [UInt8] {
        group.sections.indices.contains(number) ? try part.expanded(group.sections[number]) : []
    }
}
