// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Spans or log records that stand in no part yet: the records of the log that brought them, as they are.
struct RecordHead {
    struct Block: Sendable {
        let block: PackedBlock
        /// Milliseconds since 1970.
        let times: ClosedRange<Int64>
        /// What stands for its traces, ascending.
        let traces: [UInt32]

        /// What it takes of the bytes after which there is a flush: those that it has here, or a part of what it expands to where that
        /// is more than usual, because a flush expands all.
        var weight: Int { max(block.count, block.expandedCount / 16) }

        func hasTrace(_ hash: UInt32) -> Bool {
            var (low, high) = (0, traces.count)
            while low < high {
                let middle = (low + high) / 2
                if traces[middle] < hash { low = middle + 1 } else { high = middle }
            }
            return low < traces.count && traces[low] == hash
        }
    }

    private(set) var blocks: [Block] = []
    private(set) var rows = 0

    mutating func append(_ block: Block) {
        blocks.append(block)
        rows += block.block.rows
    }

    mutating func seal() -> [Block] {
        defer { self = RecordHead() }
        return blocks
    }
}

/// What a signal has in the log that stands in no part yet.
struct Unflushed {
    /// Bytes of records since the last flush began.
    private(set) var bytes = 0
    /// The first segment with any of them; `nil` where there is none.
    private(set) var oldestSegment: UInt64?
    /// The same of what is being written into a part.
    private(set) var frozenSegment: UInt64?
    var lastFlush = ContinuousClock.now

    /// - Throws: `Failure` with `overloaded` where flushes do not keep up; they begin at `max`.
    func check(max: Int) throws {
        guard bytes < max * 8 else {
            throw Failure(.overloaded, "The disk does not keep up with telemetry. Send it again later.")
        }
    }

    mutating func note(_ count: Int, in segment: UInt64) {
        bytes += count
        if oldestSegment == nil { oldestSegment = segment }
    }

    mutating func seal() {
        frozenSegment = oldestSegment
        (bytes, oldestSegment, lastFlush) = (0, nil, ContinuousClock.now)
    }

    /// What was sealed stands in a part.
    mutating func finish() { frozenSegment = nil }

    /// The first segment that is still needed.
    var neededSegment: UInt64? { frozenSegment ?? oldestSegment }
}

/// Spans, or log records: those in memory and the parts of the others.
struct RecordShelf {
    let signal: Signal
    var head = RecordHead()
    /// What is being written into a part.
    var frozen: [RecordHead.Block]?
    /// The last segment of the log that ``frozen`` is in.
    var coveredSegment: UInt64 = 0
    var frozenSequence: UInt64 = 0
    var parts: [RecordPart] = []
    var unflushed = Unflushed()

    init(_ signal: Signal) { self.signal = signal }

    mutating func remove(_ names: Set<String>, adding part: RecordPart? = nil) {
        parts.removeAll { names.contains($0.name) }
        if let part { parts.append(part) }
        parts.sort { $0.part.footer.rank < $1.part.footer.rank }
    }
}
