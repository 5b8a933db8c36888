// SPDX-License-Identifier: Apache-2.0

/// What is known of a block without reading it.
struct RecordSummary {
    var rows = 0
    /// Milliseconds since 1970, of all beginnings and ends.
    var times: ClosedRange<Int64> = 0...0
    /// Nanoseconds that the longest span took.
    var longest: UInt64 = 0
    /// Spans that failed, or log records of level error and above.
    var errors = 0
    /// What its rows are about, each once: of spans the kind, the service and the name; of log records the service.
    var facets: Set<[UInt8]> = []
    /// Hashes of its traces, each once, ascending.
    var traces: [UInt32] = []
    /// Hashes of what can be searched for, with repetitions.
    var terms: [UInt64] = []

    mutating func note(_ start: UInt64, _ end: UInt64) {
        let (first, last) = (Int64(min(start, end) / 1_000_000), Int64(max(start, end) / 1_000_000))
        times = rows == 0 ? first...last : min(times.lowerBound, first)...max(times.upperBound, last)
        rows += 1
    }
}

/// A span or log record among those of some batches.
struct RecordPlace {
    private let numbers: (UInt32, UInt32)

    var batch: Int { Int(numbers.0) }
    var row: Int { Int(numbers.1) }

    init(batch: Int, row: Int) { numbers = (UInt32(batch), UInt32(row)) }
}

/// Records in the order in which they are to be written, in units that stay together: the spans of a trace, or one log record.
struct RecordOrder {
    private(set) var places: [RecordPlace] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    subscript(unit: Int) -> ArraySlice<RecordPlace> { places[(unit == 0 ? 0 : ends[unit - 1])..<ends[unit]] }

    mutating func append(_ unit: some Sequence<RecordPlace>) {
        places.append(contentsOf: unit)
        ends.append(places.count)
    }

    /// Units together in blocks of about `rows` records.
    func blocks(of rows: Int) -> [RecordOrder] {
        var (blocks, block) = ([RecordOrder](), RecordOrder())
        for unit in 0..<count {
            var rest = self[unit]
            while !rest.isEmpty {
                // Only what is larger than a block is divided.
                let part = rest.prefix(rows)
                if !block.places.isEmpty, block.places.count + part.count > rows {
                    blocks.append(block)
                    block = RecordOrder()
                }
                block.append(part)
                rest = rest.dropFirst(part.count)
            }
        }
        if !block.places.isEmpty { blocks.append(block) }
        return blocks
    }
}

/// In which steps the times of a block go.
enum TimeUnit: UInt8 {
    case nanosecond, microsecond, millisecond

    var nanoseconds: Int64 {
        switch self {
        case .nanosecond: 1
        case .microsecond: 1_000
        case .millisecond: 1_000_000
        }
    }

    /// The coarsest one in which all times are whole.
    static func fitting(_ times: some Sequence<UInt64>) -> TimeUnit {
        var unit = TimeUnit.millisecond
        for time in times {
            if unit == .millisecond, time % 1_000_000 != 0 { unit = .microsecond }
            if unit == .microsecond, time % 1_000 != 0 { return .nanosecond }
        }
        return unit
    }

    /// The whole difference, in steps.
    func steps(from earlier: UInt64, to later: UInt64) -> Int64 {
        Int64(bitPattern: later &- earlier) / nanoseconds
    }

    func time(_ steps: Int64, after earlier: UInt64) -> UInt64 {
        earlier &+ UInt64(bitPattern: steps &* nanoseconds)
    }
}
