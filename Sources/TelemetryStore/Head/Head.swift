// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// The samples that stand in no part yet.
struct Head {
    struct Series {
        /// What has been packed, in the order in which it came.
        var chunks: [SampleChunk] = []
        /// What has not, in the order of time.
        var open = SampleColumns()
        var lastTime = Int64.min
        /// The segment of the log that describes the series last.
        var describedIn: UInt64 = 0

        var isEmpty: Bool { chunks.isEmpty && open.isEmpty }
    }

    /// A series with its key, for those who read.
    struct KeyedSeries {
        let key: [UInt8]
        let series: Series

        var metricName: String { SeriesKey.labels(of: key).metricName }
    }

    /// Samples that are packed together.
    private static let chunkCount = 60

    private(set) var table = TextTable()
    private(set) var series: [Series] = []
    private(set) var index = LabelIndex()
    private(set) var sampleCount = 0

    func keyed(_ number: UInt32) -> KeyedSeries {
        KeyedSeries(key: Array(table.key(Int(number))), series: series[Int(number)])
    }

    /// Adds a series that is not there.
    mutating func add(_ key: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32 {
        series.append(Series())
        index.add(SeriesKey.labels(of: key))
        return table.add(key, hash)
    }

    /// The number of a series, which is added where it is new.
    mutating func number(of key: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = KeyHash.of(key)
        return table.find(key, hash) ?? add(key, hash)
    }

    mutating func describe(_ number: UInt32, in segment: UInt64) { series[Int(number)].describedIn = segment }

    /// Adds a sample in its place in time; of two at one time the later one to come stays.
    mutating func add(_ time: Int64, _ value: Double, to number: UInt32) {
        let place = Int(number)
        if time <= series[place].lastTime {
            insert(time, value, into: place)
        } else {
            series[place].open.append(time, value)
            series[place].lastTime = time
            sampleCount += 1
        }
        if series[place].open.count >= Self.chunkCount { pack(place) }
    }

    /// What is older than all that is open opens a chunk of its own; chunks may overlap.
    private mutating func insert(_ time: Int64, _ value: Double, into place: Int) {
        let times = series[place].open.times
        let later = times.firstIndex { $0 >= time } ?? times.count
        if later < times.count, times[later] == time {
            series[place].open.values[later] = value
        } else {
            series[place].open.times.insert(time, at: later)
            series[place].open.values.insert(value, at: later)
            sampleCount += 1
        }
    }

    private mutating func pack(_ place: Int) {
        if let chunk = SampleChunk(series[place].open) { series[place].chunks.append(chunk) }
        series[place].open.removeAll()
    }

    /// Hands over all samples, by number, with the index of the numbers. Series stay known, unless a quarter of them have had no
    /// sample since `time`: then those are forgotten, and the others get new numbers.
    mutating func seal(forgettingBefore time: Int64) -> (series: [KeyedSeries], index: LabelIndex) {
        for place in series.indices where !series[place].open.isEmpty { pack(place) }
        let sealed = (series.indices.map { keyed(UInt32($0)) }, index)
        let idle = series.count { $0.isEmpty && $0.lastTime < time }
        if idle * 4 > series.count {
            self = Head()
            for series in sealed.0 where !series.series.isEmpty || series.series.lastTime >= time {
                let place = Int(series.key.withUnsafeBufferPointer { number(of: $0) })
                self.series[place].lastTime = series.series.lastTime
            }
        } else {
            for place in series.indices { series[place].chunks = [] }
            sampleCount = 0
        }
        return sealed
    }
}
