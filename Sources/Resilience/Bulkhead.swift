// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Synchronization

/// No room: as many calls run as may.
public struct BulkheadFull: Error, Equatable, CustomStringConvertible {
    public let name: String

    public var description: String { "\(name) has as many calls under way as it may" }
}

/// Lets so many calls to a dependency run at the same time, so that one that is slow does not take every hand there is.
///
/// Nobody waits: whoever finds no room is told at once. Cost: a lock each way.
public final class Bulkhead: Sendable {
    public let name: String
    private let limit: Int
    private let running = Mutex(0)
    private let gauge: Gauge
    private let rejected: Counter

    public init(_ name: String, limit: Int) {
        precondition(limit >= 1, "There is room for one.")
        self.name = name
        self.limit = limit
        gauge = Gauge(label: "resilience.bulkhead.in_flight", dimensions: [("name", name)])
        rejected = Counter(label: "resilience.bulkhead.rejected", dimensions: [("name", name)])
    }

    /// - Throws: ``BulkheadFull``, or what `work` throws.
    public func run<Result>(_ work: () async throws -> Result) async throws -> Result {
        try enter()
        defer { leave() }
        return try await work()
    }

    private func enter() throws(BulkheadFull) {
        let entered: Int? = running.withLock { running in
            guard running < limit else { return nil }
            running += 1
            return running
        }
        guard let entered else {
            rejected.increment()
            throw BulkheadFull(name: name)
        }
        gauge.record(entered)
    }

    private func leave() {
        gauge.record(
            running.withLock { running in
                running -= 1
                return running
            })
    }
}
