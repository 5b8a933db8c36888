// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// The labels of a series as bytes: each name and value with its length before it as a varint, sorted by name.
///
/// What is compared and hashed; texts are made of it only for those who ask.
package enum SeriesKey {
    package static func bytes(of labels: LabelSet) -> [UInt8] {
        var bytes: [UInt8] = []
        for label in labels.labels {
            append(canonical(label.name), to: &bytes)
            append(canonical(label.value), to: &bytes)
        }
        return bytes
    }

    /// Texts that read the same are the same here, too, as they are to `String`.
    private static func canonical(_ text: String) -> String.UTF8View {
        text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8 : text.precomposedStringWithCanonicalMapping.utf8
    }

    static func append(_ text: some Collection<UInt8>, to bytes: inout [UInt8]) {
        var rest = UInt64(text.count)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
        bytes.append(contentsOf: text)
    }

    /// What is no key yields the labels before its damage.
    package static func labels(of key: some Collection<UInt8>) -> LabelSet {
        key.withContiguousStorageIfAvailable(labels) ?? Array(key).withUnsafeBufferPointer(labels)
    }

    private static func labels(of key: UnsafeBufferPointer<UInt8>) -> LabelSet {
        var (labels, place) = ([MetricLabel](), 0)
        while place < key.count, let name = text(key, &place), let value = text(key, &place) {
            labels.append(MetricLabel(name, value))
        }
        return LabelSet(sorted: labels)
    }

    private static func text(_ key: UnsafeBufferPointer<UInt8>, _ place: inout Int) -> String? {
        var (count, shift): (UInt64, UInt64) = (0, 0)
        while place < key.count, shift < 35 {
            let byte = key[place]
            place += 1
            count |= UInt64(byte & 0x7F) << shift
            shift += 7
            guard byte < 0x80 else { continue }
            guard count <= UInt64(key.count - place) else { return nil }
            defer { place += Int(count) }
            return String(decoding: key[place..<place + Int(count)], as: UTF8.self)
        }
        return nil
    }
}

/// Samples of many series on their way in, in columns.
package struct SampleBatch: Sendable {
    package struct Row: Sendable {
        /// Where the key stands in ``SampleBatch/keys``.
        package let key: Range<Int>
        /// Places in ``SampleBatch/times`` and ``SampleBatch/values``.
        package fileprivate(set) var samples: Range<Int>
        /// Each value counts from the one before, not from the start of the series.
        package fileprivate(set) var isDelta = false
    }

    package private(set) var keys: [UInt8] = []
    package private(set) var rows: [Row] = []
    package private(set) var times: [Int64] = []
    package private(set) var values: [Double] = []

    package init() {}

    package var count: Int { times.count }
    package var seriesCount: Int { rows.count }

    /// Begins a series, whose samples follow.
    package mutating func begin(_ labels: LabelSet, isDelta: Bool = false) {
        begin(key: SeriesKey.bytes(of: labels))
        rows[rows.count - 1].isDelta = isDelta
    }

    mutating func begin(key: some Collection<UInt8>) {
        rows.append(Row(key: keys.count..<keys.count + key.count, samples: times.count..<times.count))
        keys.append(contentsOf: key)
    }

    /// Begins a series whose labels come as texts, in any order; of two with one name the later stays, and empty values are
    /// left out.
    package mutating func begin(_ labels: [(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)]) {
        // What is not plain is read as text, which repairs what is no UTF-8.
        var isSorted = labels.allSatisfy { label in
            !label.value.isEmpty && label.name.allSatisfy { $0 < 0x80 } && label.value.allSatisfy { $0 < 0x80 }
        }
        for place in 1..<max(1, labels.count) where isSorted {
            isSorted = labels[place - 1].name.lexicographicallyPrecedes(labels[place].name)
        }
        guard isSorted else {
            return begin(
                LabelSet(
                    labels.map {
                        MetricLabel(String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self))
                    }
                ))
        }
        let first = keys.count
        for label in labels {
            SeriesKey.append(label.name, to: &keys)
            SeriesKey.append(label.value, to: &keys)
        }
        rows.append(Row(key: first..<keys.count, samples: times.count..<times.count))
    }

    /// Milliseconds since 1970.
    package mutating func add(_ time: Int64, _ value: Double) {
        guard let last = rows.indices.last else { return }
        times.append(time)
        values.append(value)
        rows[last].samples = rows[last].samples.lowerBound..<times.count
    }

    package mutating func add(_ labels: LabelSet, _ time: Int64, _ value: Double) {
        begin(labels)
        add(time, value)
    }
}
