// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Writes a part of spans or log records, group by group in the order of time.
struct RecordPartWriter {
    /// Traces in a page of the index.
    private static let pageCount = 4_096
    /// Services and operations that a part tells apart.
    private static let facetsMax = 4_096

    private let signal: Signal
    private var file: PartFile
    private var facets = TextTable(slots: 64)
    private var groups: [RecordPart.Group] = []
    private var traces: [(hash: UInt32, group: UInt32)] = []
    private var times: ClosedRange<Int64>?
    private var rows = 0

    init(_ signal: Signal, _ sequence: UInt64, on disk: any Disk, level: Int32) throws {
        self.signal = signal
        file = try PartFile(signal, sequence, on: disk, level: level)
    }

    mutating func add(_ block: RecordBlock, _ summary: RecordSummary) throws {
        let sections = try block.sections.map { try file.append($0) }
        let filter = try file.append(TermFilter(summary.terms).bytes)
        traces += summary.traces.map { ($0, UInt32(groups.count)) }
        times =
            times.map {
                min($0.lowerBound, summary.times.lowerBound)...max($0.upperBound, summary.times.upperBound)
            } ?? summary.times
        rows += summary.rows
        groups.append(
            RecordPart.Group(
                rows: summary.rows, times: summary.times, longest: summary.longest, errors: summary.errors,
                facets: Set(summary.facets.map { number(of: $0) }).sorted(), sections: sections,
                filter: filter))
    }

    /// The place of a facet; beyond as many as are told apart, that of one that may be anything.
    private mutating func number(of facet: [UInt8]) -> Int {
        let number = facets.count < Self.facetsMax ? Int(facets.number(of: facet)) : facets.find(facet).map(Int.init)
        return number ?? Int(facets.number(of: RecordPart.anyFacet))
    }

    /// Gives up; what was written of it goes.
    func abandon() { file.abandon() }

    /// Makes the part durable, and only then visible under its name.
    ///
    /// - Returns: `nil` where nothing was added.
    mutating func finish(
        rank: UInt64, coveredSegment: UInt64, replacing replaced: [UInt64], isThinned: Bool
    ) throws -> RecordPart? {
        guard let times else {
            file.abandon()
            return nil
        }
        traces.sort { ($0.hash, $0.group) < ($1.hash, $1.group) }
        var (pages, firsts) = ([Part.Block](), [UInt32]())
        for start in stride(from: 0, to: traces.count, by: Self.pageCount) {
            var (page, before) = (ByteWriter(), UInt32(0))
            for entry in traces[start..<min(start + Self.pageCount, traces.count)] {
                page.varint(UInt64(entry.hash - before))
                page.count(Int(entry.group))
                before = entry.hash
            }
            firsts.append(traces[start].hash)
            pages.append(try file.append(page.bytes))
        }
        var table = ByteWriter()
        table.byte((isThinned ? RecordPart.Flag.thinned : 0) | (signal == .logs ? RecordPart.Flag.fragments : 0))
        table.texts(facets)
        table.count(groups.count)
        for group in groups { RecordPart.write(group, to: &table) }
        table.count(firsts.count)
        for first in firsts { table.fixed(first) }
        let footer = Part.Footer(
            sequence: file.sequence, rank: rank, coveredSegment: coveredSegment, replaced: replaced, times: times,
            subjects: facets.count, rows: rows, blocks: pages, table: try file.append(table.bytes))
        return try RecordPart(file.finish(footer))
    }
}
