// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// The samples that stand in no part yet.
struct Head {
    struct Series {
        let key: [UInt8]
        /// What has been packed, in the order in which it came.
        var chunks: [SampleChunk] = []
        /// What has not, in the order of time.
        var open = SampleColumns()
        var lastTime = Int64.min
        /// The segment of the log that describes the series last.
        var describedIn: UInt64 = 0

        var isEmpty: Bool { chunks.isEmpty && open.isEmpty }
    }

    /// Series as they are at one moment, with the index of their numbers. To make one is cheap.
    struct Snapshot {
        var series = Pages<Series>()
        var index = LabelIndex()
    }

    /// Samples that are packed together.
    private static let chunkCount = 60

    private(set) var series = Pages<Series>()
    private(set) var index = LabelIndex()
    private var slots = HashSlots()
    private(set) var sampleCount = 0

    var snapshot: Snapshot { Snapshot(series: series, index: index) }

    /// The number of a series that is there.
    func find(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32? {
        slots.find(hash) { series[$0].key.isEqual(to: key) }
    }

    /// Adds a series that is not there.
    mutating func add(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32 {
        series.append(Series(key: Array(key)))
        index.add(SeriesKey.labels(of: key))
        let number = slots.add(hash)
        if slots.isFull { slots = slots.larger { series[$0].key.withUnsafeBufferPointer(KeyHash.of) } }
        return number
    }

    /// The number of a series, which is added where it is new.
    mutating func number(of key: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = KeyHash.of(key)
        return find(key, hash) ?? add(key, hash)
    }

    mutating func describe(_ number: UInt32, in segment: UInt64) { series[Int(number)].describedIn = segment }

    /// Adds a sample in its place in time; of two at one time the later one to come stays.
    mutating func add(_ time: Int64, _ value: Double, to number: UInt32) {
        sampleCount += series[Int(number)].add(time, value, chunkCount: Self.chunkCount)
    }

    /// Hands over all samples. Series stay known, unless a quarter of them have had no sample since `time`: then those are
    /// forgotten, and the others get new numbers.
    mutating func seal(forgettingBefore time: Int64) -> Snapshot {
        let sealed = snapshot
        let idle = sealed.series.count { $0.isEmpty && $0.lastTime < time }
        if idle * 4 > sealed.series.count {
            self = Head()
            for known in sealed.series where !known.isEmpty || known.lastTime >= time {
                let place = Int(known.key.withUnsafeBufferPointer { number(of: $0) })
                series[place].lastTime = known.lastTime
            }
        } else {
            for place in series.indices { series[place].empty() }
            sampleCount = 0
        }
        return sealed
    }
}

extension Head.Series {
    /// - Returns: how many samples there are more.
    fileprivate mutating func add(_ time: Int64, _ value: Double, chunkCount: Int) -> Int {
        var added = 1
        if time <= lastTime {
            added = insert(time, value)
        } else {
            open.append(time, value)
            lastTime = time
        }
        if open.count >= chunkCount { pack() }
        return added
    }

    /// What is older than all that is open opens a chunk of its own; chunks may overlap.
    private mutating func insert(_ time: Int64, _ value: Double) -> Int {
        let later = open.times.firstIndex { $0 >= time } ?? open.count
        if later < open.count, open.times[later] == time {
            open.values[later] = value
            return 0
        }
        open.times.insert(time, at: later)
        open.values.insert(value, at: later)
        return 1
    }

    private mutating func pack() {
        if let chunk = SampleChunk(open) { chunks.append(chunk) }
        open.removeAll()
    }

    fileprivate mutating func empty() { (chunks, open) = ([], SampleColumns()) }

    /// Appends the samples of chunks that overlap `range`, and all that are open, in the order in which they came where it is not
    /// that of time.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func read(_ range: ClosedRange<Int64> = .min ... .max, into samples: inout SampleColumns) throws {
        for chunk in chunks where chunk.times.overlaps(range) { try chunk.read(into: &samples) }
        samples.times += open.times
        samples.values += open.values
    }
}

extension [UInt8] {
    fileprivate func isEqual(to other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count, let start = other.baseAddress else { return count == other.count }
        return memcmp(self, start, count) == 0
    }
}
