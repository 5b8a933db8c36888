// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// Spans counted by the values of an attribute.
package struct SpanGroups: Sendable {
    package struct Group: Sendable {
        /// `nil` for spans without the attribute.
        package let value: String?
        package fileprivate(set) var count = 0
        package fileprivate(set) var errors = 0
        package fileprivate(set) var durations = DurationSketch()
    }

    /// The largest first.
    package fileprivate(set) var groups: [Group] = []
    /// How many spans were counted.
    package fileprivate(set) var spans = 0
    /// Whether all that fit were.
    package fileprivate(set) var isComplete = true
}

/// How durations are spread, in buckets whose bounds are a sixteenth of their size apart: what is read from it is at most 3.2 % off.
package struct DurationSketch: Sendable {
    private var counts: [Int: Int] = [:]
    private var total = 0
    /// Nanoseconds.
    package private(set) var longest: UInt64 = 0

    mutating func add(_ duration: UInt64) {
        counts[Self.bucket(duration), default: 0] += 1
        total += 1
        longest = max(longest, duration)
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 16 else { return Int(value) }
        let power = 63 - value.leadingZeroBitCount
        return (power - 3) * 16 + Int((value >> UInt64(power - 4)) & 15)
    }

    private static func middle(of bucket: Int) -> Double {
        guard bucket >= 16 else { return Double(bucket) }
        let width = Double(UInt64(1) << UInt64(bucket / 16 - 1))
        return (16 + Double(bucket % 16) + 0.5) * width
    }

    /// The duration that a share of all do not exceed, in nanoseconds.
    package func quantile(_ share: Double) -> Double {
        let wanted = max(1, Int((share * Double(total)).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
            seen += count
            if seen >= wanted { return min(Self.middle(of: bucket), Double(longest)) }
        }
        return 0
    }
}

extension SignalStore {
    /// Spans that are counted at most, the latest ones.
    private static let countedMax = 5_000_000
    /// Values that are told apart.
    private static let valuesMax = 2_000

    /// Counts the spans for which a query holds by an attribute of theirs or of their senders, or by `name`, `kind`, `status`,
    /// which are what the span is.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `CancellationError` once `isCancelled`.
    package func spanGroups(
        _ query: SpanQuery, by attribute: String, isCancelled: () -> Bool = { false }
    ) throws -> SpanGroups {
        var (found, groups): (SpanGroups, [[UInt8]?: SpanGroups.Group]) = (SpanGroups(), [:])
        try eachFitting(SpanTest(query), isCancelled) { outline, rows, sections in
            let values = try SpanValues(attribute, outline, sections, rows)
            for row in rows {
                let value = values[row]
                guard groups[value] != nil || groups.count < Self.valuesMax else {
                    found.isComplete = false
                    continue
                }
                let (start, end) = (outline.starts[row], outline.ends[row])
                var group =
                    groups[value] ?? SpanGroups.Group(value: value.map { String(decoding: $0, as: UTF8.self) })
                // In place, not a copy of all buckets.
                groups[value] = nil
                group.count += 1
                if outline.statuses[row] == 2 { group.errors += 1 }
                group.durations.add(end > start ? end - start : 0)
                groups[value] = group
                found.spans += 1
            }
            if found.spans >= Self.countedMax { found.isComplete = false }
            return found.spans < Self.countedMax
        }
        found.groups = groups.values.sorted { ($0.count, $1.value ?? "") > ($1.count, $0.value ?? "") }
        return found
    }
}

/// What the spans of a block say for one attribute.
private struct SpanValues {
    private var values: [[UInt8]?]

    init(_ attribute: String, _ outline: SpanOutline, _ sections: some RecordSections, _ rows: [Int]) throws {
        values = Array(repeating: nil, count: outline.rows)
        switch attribute {
        case "name":
            let names = outline.names.texts.map { Array(outline.bytes[$0]) }
            for row in rows { values[row] = names[Int(outline.names.numbers[row])] }
        case "kind":
            let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"].map { Array($0.utf8) }
            for row in rows { values[row] = kinds[min(5, Int(outline.kinds[row]))] }
        case "status":
            let statuses = ["unset", "ok", "error"].map { Array($0.utf8) }
            for row in rows { values[row] = statuses[min(2, Int(outline.statuses[row]))] }
        default:
            let table = try BlockAttributes(sections, shapes: outline.shapes)
            let name = Array(attribute.utf8)
            let senders = table.origins.map { attribute == "service.name" ? $0.service : $0.value(name) }
            guard rows.allSatisfy({ Int(outline.origins[$0]) < senders.count }) else {
                throw Failure(.corrupt, "a span has no known sender")
            }
            for row in rows { values[row] = senders[Int(outline.origins[row])] }
            // What a span says itself is nearer.
            try table.eachValue(of: name, .firstOfName) { row, text in values[row] = Array(text) }
        }
    }

    subscript(row: Int) -> [UInt8]? { values[row] }
}
