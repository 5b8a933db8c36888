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
        /// Of the attribute that was asked about, as far as it is a number.
        package fileprivate(set) var numbers = ValueSketch()

        fileprivate mutating func add(_ duration: UInt64, isError: Bool) {
            count += 1
            if isError { errors += 1 }
            durations.add(duration)
        }
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
    private var counts: [UInt32] = []
    private var total = 0
    /// Nanoseconds.
    package private(set) var longest: UInt64 = 0

    mutating func add(_ duration: UInt64) {
        let bucket = Self.bucket(duration)
        if bucket >= counts.count { counts += repeatElement(0, count: bucket + 1 - counts.count) }
        counts[bucket] += 1
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
        for (bucket, count) in counts.enumerated() {
            seen += Int(count)
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
    /// which are what the span is. With `measured`, the numbers that spans have for that attribute are told of each group.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `CancellationError` once `isCancelled`.
    package func spanGroups(
        _ query: SpanQuery, by attribute: String, of measured: String? = nil, isCancelled: () -> Bool = { false }
    ) throws -> SpanGroups {
        var (found, groups): (SpanGroups, [SpanGroups.Group]) = (SpanGroups(), [])
        var (numbers, seen): ([[UInt8]?: Int], Int) = ([:], 0)
        func place(of text: ArraySlice<UInt8>?) -> Int? {
            let key = text.map { Array($0) }
            if let known = numbers[key] { return known }
            guard groups.count < Self.valuesMax else { return nil }
            numbers[key] = groups.count
            groups.append(SpanGroups.Group(value: key.map { String(decoding: $0, as: UTF8.self) }))
            return groups.count - 1
        }
        try eachFitting(SpanTest(query), isCancelled) { outline, rows, sections in
            let values = try SpanValues(attribute, outline, sections, rows)
            let numbers = try measured.map { try SpanNumbers($0, outline, sections) }
            // Which group each value of the block belongs to, as far as it is known yet; none where there are too many.
            var places = [Int??](repeating: nil, count: values.texts.count)
            for row in rows {
                let number = values.numbers[row]
                if places[number] == nil { places[number] = .some(place(of: values.texts[number])) }
                guard let known = places[number], let place = known else {
                    found.isComplete = false
                    continue
                }
                let (start, end) = (outline.starts[row], outline.ends[row])
                groups[place].add(end > start ? end - start : 0, isError: outline.statuses[row] == 2)
                if let number = numbers?.values[row] { groups[place].numbers.add(number) }
                found.spans += 1
            }
            seen += rows.count
            if seen >= Self.countedMax { found.isComplete = false }
            return seen < Self.countedMax
        }
        found.groups = groups.sorted { ($0.count, $1.value ?? "") > ($1.count, $0.value ?? "") }
        return found
    }
}

/// What the spans of a block say in numbers for one attribute.
private struct SpanNumbers {
    /// Of each row; `nil` where it says none.
    private(set) var values: [Double?]

    init(_ attribute: String, _ outline: SpanOutline, _ sections: some RecordSections) throws {
        values = Array(repeating: nil, count: outline.rows)
        let table = try BlockAttributes(sections, shapes: outline.shapes)
        try table.eachNumber(of: Array(attribute.utf8), .firstOfName) { row, number in values[row] = number }
    }
}

/// What the spans of a block say for one attribute.
private struct SpanValues {
    /// Each text that occurs; the first is for those that say nothing.
    private(set) var texts: [ArraySlice<UInt8>?] = [nil]
    /// Of each row its place in ``texts``.
    private(set) var numbers: [Int]

    init(_ attribute: String, _ outline: SpanOutline, _ sections: some RecordSections, _ rows: [Int]) throws {
        numbers = Array(repeating: 0, count: outline.rows)
        switch attribute {
        case "name":
            texts += outline.names.texts.map { outline.bytes[$0] }
            for row in rows { numbers[row] = 1 + Int(outline.names.numbers[row]) }
        case "kind":
            texts += ["unspecified", "internal", "server", "client", "producer", "consumer"].map { Array($0.utf8)[...] }
            for row in rows { numbers[row] = 1 + min(5, Int(outline.kinds[row])) }
        case "status":
            texts += ["unset", "ok", "error"].map { Array($0.utf8)[...] }
            for row in rows { numbers[row] = 1 + min(2, Int(outline.statuses[row])) }
        default:
            let table = try BlockAttributes(sections, shapes: outline.shapes)
            let name = Array(attribute.utf8)
            let senders = table.origins.map { attribute == "service.name" ? $0.service : $0.value(name) }
            guard rows.allSatisfy({ Int(outline.origins[$0]) < senders.count }) else {
                throw Failure(.corrupt, "a span has no known sender")
            }
            let first = texts.count
            texts += senders.map { $0.map { $0[...] } }
            for row in rows { numbers[row] = first + Int(outline.origins[row]) }
            // What a span says itself is nearer.
            var known: [ArraySlice<UInt8>: Int] = [:]
            try table.eachValue(of: name, .firstOfName) { row, text in
                if let number = known[text] { return numbers[row] = number }
                known[text] = texts.count
                numbers[row] = texts.count
                texts.append(text)
            }
        }
    }
}
