// SPDX-License-Identifier: Apache-2.0

/// Sums over windows that end at each step, from records in any order.
///
/// Holds a number for each series and slot, whatever the number of records: a slot is what two neighbouring steps' windows do not
/// have in common, from one edge of a window to the next.
struct LogWindows {
    /// Series times slots.
    private static let cellsMax = 4_000_000

    private let ends: [UInt64]
    /// Where windows begin or end, ascending; slot i is what is after edge i and not after edge i + 1.
    private let edges: [UInt64]
    private let window: UInt64
    private var sums: [[String: String]: [Double]] = [:]

    /// All in nanoseconds. A window has its end and not its begin.
    init(_ times: ClosedRange<UInt64>, step: UInt64, window: UInt64) {
        var (ends, end): ([UInt64], UInt64) = ([], times.lowerBound)
        while end <= times.upperBound {
            ends.append(end)
            let (next, isOver) = end.addingReportingOverflow(step)
            if isOver { break }
            end = next
        }
        self.ends = ends
        self.window = window
        edges = Set(ends + ends.map { $0 > window ? $0 - window : 0 }).sorted()
    }

    /// - Throws: `APIError` where there are too many series.
    mutating func add(_ time: UInt64, _ weight: Double, to labels: [String: String]) throws(APIError) {
        var (low, high) = (0, edges.count)
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] < time { low = middle + 1 } else { high = middle }
        }
        // Before the first window, or after the last.
        guard low > 0, low < edges.count else { return }
        if sums[labels] == nil {
            guard (sums.count + 1) * edges.count <= Self.cellsMax else {
                throw .execution(
                    "more than \(sums.count) series at \(ends.count) steps; sum by fewer labels, or ask with a larger step"
                )
            }
            sums[labels] = Array(repeating: 0, count: edges.count)
        }
        sums[labels]?[low - 1] += weight
    }

    /// For each series its windows that are not empty, by their ends.
    var series: [([String: String], [(UInt64, Double)])] {
        let places = Dictionary(uniqueKeysWithValues: edges.enumerated().map { ($1, $0) })
        return sums.map { labels, slots in
            var (below, running) = ([0.0], 0.0)
            for slot in slots {
                running += slot
                below.append(running)
            }
            let points = ends.compactMap { end -> (UInt64, Double)? in
                guard let last = places[end], let first = places[end > window ? end - window : 0] else { return nil }
                let sum = below[last] - below[first]
                return sum > 0 ? (end, sum) : nil
            }
            return (labels, points)
        }.filter { !$0.1.isEmpty }
    }
}
