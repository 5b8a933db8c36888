// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import ServiceContextModule
internal import Synchronization

/// One series of a metric. What records it holds it, so that recording looks nothing up.
package protocol SeriesRecorder: AnyObject, Sendable {
    var value: MetricPoint.Value { get }
}

/// A count that only grows. An increment is one atomic addition.
package final class CounterSeries: SeriesRecorder, CounterHandler {
    private let count = Atomic<Int64>(0)

    package init() {}

    package var total: Int64 { count.load(ordering: .relaxed) }

    package var value: MetricPoint.Value { .sum(Double(total)) }

    /// What is below zero would take a count back and is left out, as the data model asks.
    package func increment(by amount: Int64) {
        guard amount > 0 else { return }
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    package func reset() { count.store(0, ordering: .relaxed) }
}

/// A sum of fractions that only grows.
final class FloatingPointCounterSeries: SeriesRecorder, FloatingPointCounterHandler {
    private let sum = AtomicDouble()

    var value: MetricPoint.Value { .sum(sum.value) }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        sum.add(amount)
    }

    func reset() { sum.value = 0 }
}

/// A value that goes up and down.
final class GaugeSeries: SeriesRecorder, MeterHandler, RecorderHandler {
    private let current = AtomicDouble()

    var value: MetricPoint.Value { .gauge(current.value) }

    func set(_ value: Int64) { current.value = Double(value) }
    func set(_ value: Double) { current.value = value }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { current.value = Double(value) }
    func record(_ value: Double) { current.value = value }
}

/// A distribution. Timers are recorded in nanoseconds and shown in seconds.
final class HistogramSeries: SeriesRecorder, RecorderHandler, TimerHandler {
    private let state: Mutex<HistogramState>

    init(_ buckets: MetricDescription.Buckets) { state = Mutex(HistogramState(buckets)) }

    var value: MetricPoint.Value { .histogram(state.withLock { $0 }) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        state.withLock { $0.record(value) }
        ServiceContext.current?.position?.live?.note(value, in: self)
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    /// Shows a trace that is kept beside the bucket of its value.
    func attach(_ exemplar: Exemplar) { state.withLock { $0.attach(exemplar) } }
}

/// A series of which nothing is kept: the name is taken by another kind of metric. Each recording is counted.
final class RejectedSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    private let count: CounterSeries

    init(count: CounterSeries) { self.count = count }

    func increment(by: Int64) { count.increment(by: 1) }
    func increment(by: Double) { count.increment(by: 1) }
    func decrement(by: Double) { count.increment(by: 1) }
    func set(_: Int64) { count.increment(by: 1) }
    func set(_: Double) { count.increment(by: 1) }
    func record(_: Int64) { count.increment(by: 1) }
    func record(_: Double) { count.increment(by: 1) }
    func recordNanoseconds(_: Int64) { count.increment(by: 1) }
    func reset() {}
}

/// A fraction that several threads add to.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double {
        get { Double(bitPattern: bits.load(ordering: .relaxed)) }
        nonmutating set { bits.store(newValue.bitPattern, ordering: .relaxed) }
    }

    func add(_ amount: Double) {
        var known = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: known) + amount).bitPattern
            let (isDone, seen) = bits.compareExchange(expected: known, desired: sum, ordering: .relaxed)
            if isDone { return }
            known = seen
        }
    }
}
