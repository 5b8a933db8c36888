// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// How long many calls took, as a histogram that Prometheus can be told.
struct Latencies {
    private var buckets = [Double](repeating: 0, count: Latencies.bounds.count + 1)
    private(set) var count = 0.0
    private var sum = 0.0

    /// Seconds: 2 ms, doubled up to 16.384 s.
    private static let bounds = (0..<14).map { 0.002 * Double(1 << $0) }

    /// `weight` is for how many calls it stands.
    mutating func add(_ seconds: Double, _ weight: Double) {
        buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += weight
        count += weight
        sum += seconds * weight
    }

    mutating func add(_ other: Latencies) {
        for place in buckets.indices { buckets[place] += other.buckets[place] }
        count += other.count
        sum += other.sum
    }

    /// Whether somebody has been told.
    var isTold = false

    /// The series of the histogram `name`, by what is added to its labels.
    func write(_ add: (String, Double, [MetricLabel]) -> Void, as name: String) {
        var below = 0.0
        for (bound, count) in zip(Self.bounds + [.infinity], buckets) {
            below += count
            add("\(name)_bucket", below, [MetricLabel("le", SampleText.of(bound))])
        }
        add("\(name)_count", count, [])
        add("\(name)_sum", sum, [])
    }
}
