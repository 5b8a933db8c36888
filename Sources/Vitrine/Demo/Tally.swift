// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization

/// What the shoppers have done so far, for the live line.
final class Tally: Sendable {
    private struct Counts {
        var orders = 0
        var declined = 0
        var outOfStock = 0
        var returns = 0
        var faults = 0
        var requests = 0
        var revenue: [Currency: Money] = [:]
        /// The latest durations, overwritten in turn.
        var durations: [Duration] = []
        var phases = [PhaseTally()]
        /// For each phase, the one that those who left in it belong to.
        var belongs = [0]
    }

    /// Enough for a steady 99th percentile of the last seconds.
    private static let durationsMax = 2_000

    private let counts = Mutex(Counts())
    private let isPhased: Bool

    /// With `isPhased`, everything is remembered until it is taken.
    init(isPhased: Bool = false) { self.isPhased = isPhased }

    /// The phases so far; the first begins with the tally.
    var phases: [PhaseTally] { counts.withLock { $0.phases } }

    /// With `takesOpen`, those without an answer yet belong to it too: faults that begin now may meet them.
    func beginPhase(takesOpen: Bool) {
        counts.withLock { counts in
            let last = counts.phases.count - 1
            counts.phases.append(PhaseTally())
            counts.belongs.append(last + 1)
            guard takesOpen else { return }
            counts.phases[last + 1].open = counts.phases[last].open
            counts.phases[last].open = 0
            for phase in counts.belongs.indices where counts.belongs[phase] == last { counts.belongs[phase] = last + 1 }
        }
    }

    /// A request leaves.
    /// - Returns: the phase in which it does, however late it is answered.
    func begins() -> Int {
        counts.withLock { counts in
            counts.phases[counts.phases.count - 1].open += 1
            return counts.phases.count - 1
        }
    }

    func order(_ order: JSON) {
        let total = order["totals"]?["total"]
        counts.withLock { counts in
            counts.orders += 1
            if isPhased { counts.phases[counts.phases.count - 1].orders.append(order["id"]?.string ?? "") }
            guard let amount = total?["amount"]?.integer, let code = total?["currency"]?.string,
                let currency = Currency(code), let money = try? Money(minorUnits: amount, currency)
            else { return }
            counts.revenue[currency] = (try? counts.revenue[currency, default: .zero(currency)].adding(money)) ?? money
        }
    }

    func decline() { counts.withLock { $0.declined += 1 } }
    func outOfStock() { counts.withLock { $0.outOfStock += 1 } }
    func takeBack() { counts.withLock { $0.returns += 1 } }
    func fault() { counts.withLock { $0.faults += 1 } }

    /// `hasFailed` where the shop gave no answer, or said that it could not.
    func request(_ duration: Duration, hasFailed: Bool, in phase: Int) {
        counts.withLock { counts in
            let phase = counts.belongs[phase]
            counts.phases[phase].open -= 1
            if isPhased { counts.phases[phase].request(duration, hasFailed: hasFailed) }
            if counts.durations.count < Self.durationsMax {
                counts.durations.append(duration)
            } else {
                counts.durations[counts.requests % Self.durationsMax] = duration
            }
            counts.requests += 1
        }
    }

    var line: String {
        let counts = counts.withLock { $0 }
        let sorted = counts.durations.sorted()
        func percentile(_ share: Double) -> String {
            guard !sorted.isEmpty else { return "-" }
            let duration = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            let tenths = Int(duration / .microseconds(100))
            return "\(tenths / 10).\(tenths % 10) ms"
        }
        let revenue = counts.revenue.values.sorted { $0.currency.code < $1.currency.code }.map(\.description)
        return """
            \(counts.orders) orders  \(revenue.joined(separator: " + "))  \(counts.declined) declined  \
            \(counts.outOfStock) out of stock  \(counts.returns) returned  \(counts.faults) faults  \
            p50 \(percentile(0.5))  p99 \(percentile(0.99))
            """
    }
}

/// What happened in one phase of an experiment.
struct PhaseTally {
    private(set) var requests = 0
    private(set) var failures = 0
    /// Those without an answer yet.
    var open = 0
    /// Those that were promised, by identifier.
    var orders: [String] = []
    private var durations: [Duration] = []

    mutating func request(_ duration: Duration, hasFailed: Bool) {
        requests += 1
        if hasFailed { failures += 1 }
        durations.append(duration)
    }

    var failedPercent: Double { requests == 0 ? 0 : Double(failures) * 100 / Double(requests) }

    var p99: Duration {
        let sorted = durations.sorted()
        return sorted.isEmpty ? .zero : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }
}
