// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// The labels of a series as bytes: each name and value with its length before it, sorted by name.
///
/// What the store compares and hashes; texts are made of it only for those who ask.
enum SeriesKey {
    static func bytes(of labels: LabelSet) -> [UInt8] {
        var writer = ByteWriter()
        for label in labels.labels {
            writer.text(label.name.utf8)
            writer.text(label.value.utf8)
        }
        return writer.bytes
    }

    static func labels(of key: some Collection<UInt8>) -> LabelSet {
        var labels: [MetricLabel] = []
        let read: Void? = key.withContiguousStorageIfAvailable { bytes in
            forEachLabel(of: bytes) { name, value in
                labels.append(
                    MetricLabel(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
            }
        }
        return read == nil ? self.labels(of: Array(key)) : LabelSet(sorted: labels)
    }

    static func forEachLabel(
        of key: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var reader = ByteReader(key)
        while !reader.isAtEnd {
            let name = reader.text()
            let value = reader.text()
            if !reader.isDamaged { body(name, value) }
        }
    }
}

/// Samples of many series on their way in, in columns.
package struct SampleBatch: Sendable {
    struct Row {
        /// Where the key stands in ``SampleBatch/keys``.
        let key: Range<Int>
        var samples: Range<Int>
        /// Each value counts from the one before, not from the start of the series.
        var isDelta = false
    }

    private(set) var keys: [UInt8] = []
    private(set) var rows: [Row] = []
    private(set) var times: [Int64] = []
    private(set) var values: [Double] = []

    package init() {}

    package var count: Int { times.count }
    package var seriesCount: Int { rows.count }

    var hashes: [UInt64] {
        keys.withUnsafeBufferPointer { keys in
            rows.map { KeyHash.of(UnsafeBufferPointer(rebasing: keys[$0.key])) }
        }
    }

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
        var isSorted = labels.allSatisfy { !$0.value.isEmpty }
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
            append(text: label.name)
            append(text: label.value)
        }
        rows.append(Row(key: first..<keys.count, samples: times.count..<times.count))
    }

    private mutating func append(text: UnsafeBufferPointer<UInt8>) {
        var rest = UInt64(text.count)
        while rest >= 0x80 {
            keys.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        keys.append(UInt8(truncatingIfNeeded: rest))
        keys.append(contentsOf: text)
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
