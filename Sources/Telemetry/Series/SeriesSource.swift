// SPDX-License-Identifier: Apache-2.0

/// Where samples are read from: the embedded store, or a table in a test.
package protocol SeriesSource: Sendable {
    /// Hands over each series that has samples in the selection, in any order, no series twice.
    ///
    /// Reads while it is called; what is handed over is in the order of time, no time twice.
    ///
    /// - Throws: What `body` throws, or a `Failure` where stored data cannot be read.
    func select(_ selection: SeriesSelection, _ body: (LabelSet, SampleColumns) throws -> Void) throws

    /// Hands over what `make` makes of each such series, on the calling thread and in the order of ``select(_:_:)``.
    ///
    /// - Parameters:
    ///   - selection: which series.
    ///   - threads: how many may read and make at once, the calling one among them.
    ///   - batch: series that one of them makes before they are handed over; some batches of each thread are held.
    ///   - check: asked on the calling thread for each series that is read there.
    ///   - make: called on any of them.
    ///   - take: is given one after the other.
    /// - Throws: What `check`, `make` and `take` throw, or a `Failure` where stored data cannot be read.
    func select<Made: Sendable>(
        _ selection: SeriesSelection, threads: Int, batch: Int, check: () throws -> Void,
        _ make: @escaping @Sendable (LabelSet, SampleColumns) throws -> Made, _ take: (Made) throws -> Void
    ) throws

    /// What has changed since a revision that was told before, or since the beginning for 0.
    func changes(since revision: UInt64) -> SeriesChanges

    /// The label sets of the series that may have samples in the selection, in any order.
    func series(_ selection: SeriesSelection, _ body: (LabelSet) throws -> Void) throws
}

extension SeriesSource {
    package func select<Made: Sendable>(
        _ selection: SeriesSelection, threads: Int, batch: Int, check: () throws -> Void,
        _ make: @escaping @Sendable (LabelSet, SampleColumns) throws -> Made, _ take: (Made) throws -> Void
    ) throws {
        try select(selection) {
            try check()
            try take(make($0, $1))
        }
    }

    /// Of a source that keeps no account: everything may have.
    package func changes(since revision: UInt64) -> SeriesChanges { SeriesChanges(revision: 0, earliest: .min) }
}

/// From which time on the samples of a source are not what they were.
package struct SeriesChanges: Sendable {
    /// That of the source now.
    package let revision: UInt64
    /// Milliseconds since 1970: samples from then on may be other ones, more or fewer. `nil` where none are.
    package let earliest: Int64?

    package init(revision: UInt64, earliest: Int64?) { (self.revision, self.earliest) = (revision, earliest) }
}

/// Which series, and from when until when.
package struct SeriesSelection: Sendable, Equatable {
    /// All must hold. Empty takes every series.
    package var matchers: [LabelMatcher]
    /// Milliseconds since 1970, both included.
    package var times: ClosedRange<Int64>

    package init(_ matchers: [LabelMatcher], _ times: ClosedRange<Int64>) {
        self.matchers = matchers
        self.times = times
    }
}

/// What the value of a label must be; a series without the label has the empty value.
package struct LabelMatcher: Hashable, Sendable {
    package enum Operation: String, Sendable {
        case equal = "="
        case notEqual = "!="
        /// The whole value, as a regular expression.
        case matches = "=~"
        case matchesNot = "!~"
    }

    package let name: String
    package let operation: Operation
    package let value: String

    package init(_ name: String, _ operation: Operation, _ value: String) {
        self.name = name
        self.operation = operation
        self.value = value
    }
}

/// Samples of one series: milliseconds since 1970, ascending, and the values at them.
package struct SampleColumns: Sendable, Equatable {
    package var times: [Int64]
    package var values: [Double]

    package init(times: [Int64] = [], values: [Double] = []) {
        self.times = times
        self.values = values
    }

    package var count: Int { times.count }
    package var isEmpty: Bool { times.isEmpty }

    package mutating func append(_ time: Int64, _ value: Double) {
        times.append(time)
        values.append(value)
    }

    package mutating func removeAll() {
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }
}

/// The value that says a series has ended (Prometheus, `value.StaleNaN`).
package enum StaleMarker {
    package static let value = Double(bitPattern: 0x7ff0_0000_0000_0002)

    package static func isStale(_ value: Double) -> Bool { value.bitPattern == 0x7ff0_0000_0000_0002 }
}
