// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// A batch of wide records: of spans or of log records. What the store does with both it does by this.
protocol WideRecords: Sendable {
    static var signal: Signal { get }
    /// Rows that a block has in a part.
    static var blockRows: Int { get }

    var count: Int { get }

    /// - Throws: `Failure` with `corrupt`.
    static func read(_ sections: some RecordSections) throws -> Self
    /// Rows in the order of time, those together that belong together, none twice.
    static func order(_ places: [RecordPlace], of batches: [Self]) -> RecordOrder
    /// All rows of a batch that was read from a part, where they stand in order: what is together needs no sorting.
    static func units(of batches: [Self], at number: Int) -> RecordOrder
    static func block(_ order: RecordOrder, of batches: [Self], isIndexed: Bool) -> (RecordBlock, RecordSummary)
    /// Nanoseconds since 1970, by which rows are ordered.
    func start(of row: Int) -> UInt64
    func end(of row: Int) -> UInt64
    /// What stands for the row's trace; `nil` where it belongs to none.
    func trace(of row: Int) -> UInt32?
}

extension WideRecords {
    /// All rows of some batches.
    static func places(_ batches: [Self]) -> [RecordPlace] {
        batches.indices.flatMap { batch in
            (0..<batches[batch].count).map { RecordPlace(batch: batch, row: $0) }
        }
    }
}

extension SpanBatch: WideRecords {
    static var signal: Signal { .traces }
    static var blockRows: Int { 8_192 }

    static func read(_ sections: some RecordSections) throws -> SpanBatch { try SpanBlockReader.batch(sections) }

    func start(of row: Int) -> UInt64 { starts[row] }
    func end(of row: Int) -> UInt64 { ends[row] }
    func trace(of row: Int) -> UInt32? { KeyHash.ofTrace(traceHighs[row], traceLows[row]) }

    static func block(
        _ order: RecordOrder, of batches: [SpanBatch], isIndexed: Bool
    ) -> (RecordBlock, RecordSummary) {
        var writer = SpanBlockWriter(batches, isIndexed: isIndexed)
        let block = writer.write(order)
        return (block, writer.summary)
    }

    static func units(of batches: [SpanBatch], at number: Int) -> RecordOrder {
        var (order, start) = (RecordOrder(), 0)
        let (highs, lows) = (batches[number].traceHighs, batches[number].traceLows)
        for row in 1..<max(1, highs.count) + 1 {
            let isSame = row < highs.count && highs[row] == highs[start] && lows[row] == lows[start]
            guard !isSame, start < highs.count else { continue }
            order.append((start..<row).map { RecordPlace(batch: number, row: $0) })
            start = row
        }
        return order
    }

    private struct Entry {
        let high: UInt64
        let low: UInt64
        let start: UInt64
        let span: UInt64
        let place: RecordPlace

        func isBefore(_ other: Entry) -> Bool {
            if high != other.high { return high < other.high }
            if low != other.low { return low < other.low }
            return start != other.start ? start < other.start : span < other.span
        }
    }

    /// Traces by when they begin, in each its spans by when they begin. Of a span that was sent again the first to come stays.
    static func order(_ places: [RecordPlace], of batches: [SpanBatch]) -> RecordOrder {
        let entries = places.map { place in
            let batch = batches[place.batch]
            return Entry(
                high: batch.traceHighs[place.row], low: batch.traceLows[place.row], start: batch.starts[place.row],
                span: batch.spanIDs[place.row], place: place)
        }.sorted { $0.isBefore($1) }
        var traces: [Range<Int>] = []
        for number in entries.indices {
            if let last = traces.last, entries[last.lowerBound].high == entries[number].high,
                entries[last.lowerBound].low == entries[number].low
            {
                traces[traces.count - 1] = last.lowerBound..<number + 1
            } else {
                traces.append(number..<number + 1)
            }
        }
        traces.sort { (entries[$0.lowerBound].start, $0.lowerBound) < (entries[$1.lowerBound].start, $1.lowerBound) }
        var order = RecordOrder()
        for trace in traces {
            if trace.count == 1 {
                order.append(CollectionOfOne(entries[trace.lowerBound].place))
            } else {
                var seen: Set<UInt64> = []
                order.append(entries[trace].filter { seen.insert($0.span).inserted }.map(\.place))
            }
        }
        return order
    }
}

extension LogBatch: WideRecords {
    static var signal: Signal { .logs }
    static var blockRows: Int { 16_384 }

    static func read(_ sections: some RecordSections) throws -> LogBatch { try LogBlockReader.batch(sections) }

    func start(of row: Int) -> UInt64 { time(of: row) }
    func end(of row: Int) -> UInt64 { time(of: row) }
    func trace(of row: Int) -> UInt32? {
        hasTrace(row) ? KeyHash.ofTrace(traceHighs[row], traceLows[row]) : nil
    }

    static func block(_ order: RecordOrder, of batches: [LogBatch], isIndexed: Bool) -> (RecordBlock, RecordSummary) {
        var writer = LogBlockWriter(batches, isIndexed: isIndexed)
        let block = writer.write(order)
        return (block, writer.summary)
    }

    static func units(of batches: [LogBatch], at number: Int) -> RecordOrder {
        var order = RecordOrder()
        for row in 0..<batches[number].count {
            order.append(CollectionOfOne(RecordPlace(batch: number, row: row)))
        }
        return order
    }

    /// By time; those of one time in the order in which they came.
    static func order(_ places: [RecordPlace], of batches: [LogBatch]) -> RecordOrder {
        let times = places.map { batches[$0.batch].time(of: $0.row) }
        var order = RecordOrder()
        for number in places.indices.sorted(by: { (times[$0], $0) < (times[$1], $1) }) {
            order.append(CollectionOfOne(places[number]))
        }
        return order
    }
}
