// SPDX-License-Identifier: Apache-2.0

internal import Inventory
internal import Kernel
internal import NIOHTTP1
internal import Ordering
internal import Persistence
internal import Resilience
internal import Synchronization

/// Runs an experiment on an open shop: without faults, with them, without them, and then through its books.
struct ExperimentRun {
    let experiment: Experiment
    let shop: Shop
    let faults: FaultInjector
    let address: ShopAddress
    let key: String
    let say: @Sendable (String) -> Void

    /// What was found.
    struct Findings {
        /// Each in a sentence; none where everything held.
        var broken: [String] = []
        var isAborted = false
    }

    func run() async throws -> Findings {
        let tally = Tally(isPhased: true)
        var findings = Findings()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await Shoppers(address: address, key: key, count: experiment.shoppers, tally: tally).run()
            }
            defer { group.cancelAll() }
            try await pass(tally, &findings)
        }
        let phases = zip(
            tally.phases, [("before", experiment.before), ("during", experiment.during), ("after", experiment.after)])
        for (phase, (name, expectation)) in phases {
            say(
                "\(name): \(phase.requests) requests, \(phase.failedPercent.tenths) % failed, "
                    + "p99 \(phase.p99.wholeMilliseconds) ms, \(phase.orders.count) orders")
            findings.broken += expectation.broken(by: phase).map { "\(name): \($0)" }
        }
        findings.broken += try await books(promised: tally.phases.flatMap(\.orders))
        return findings
    }

    private func pass(_ tally: Tally, _ findings: inout Findings) async throws {
        try await Task.sleep(for: .seconds(experiment.before.seconds))
        // What is not well without faults tells nothing with them.
        guard experiment.before.broken(by: tally.phases[0]).isEmpty else {
            findings.broken.append("The experiment did not begin: the shop was not as it should be without faults.")
            return
        }
        tally.beginPhase(takesOpen: true)
        faults.begin(experiment.plan)
        findings.isAborted = try await watch(tally)
        let made = faults.made
        faults.end()
        tally.beginPhase(takesOpen: false)
        for (fault, count) in zip(experiment.faults, made) {
            say("\(fault.edge.rawValue) \(fault.kind.rawValue): done to \(count) calls")
        }
        if findings.isAborted { findings.broken.append("The experiment was aborted: too many requests failed.") }
        try await Task.sleep(for: .seconds(experiment.after.seconds))
        // The last of those that met a fault may still wait.
        for _ in 0..<120 where tally.phases[1].open > 0 { try await Task.sleep(for: .milliseconds(250)) }
    }

    /// Waits for the end of the faults.
    /// - Returns: whether so many requests failed that they had to end earlier.
    private func watch(_ tally: Tally) async throws -> Bool {
        for _ in 0..<experiment.during.seconds * 4 {
            try await Task.sleep(for: .milliseconds(250))
            let now = tally.phases[1]
            if now.requests >= 20, now.failedPercent > Double(experiment.abortPercent) { return true }
        }
        return false
    }

    /// Looks whether the books are right and every promised order is in them.
    private func books(promised: [String]) async throws -> [String] {
        let shop = shop
        try await shop.ordering.recover()
        var broken = try await shop.database.read { connection in
            try shop.inventory.audit(in: connection) + shop.ordering.audit(in: connection)
        }
        let client = ShopClient(address, key: key)
        var lost: [String] = []
        for id in promised where try await client.send(.GET, "/v1/orders/\(id)").status != 200 { lost.append(id) }
        await client.close()
        broken += lost.map { "The order \($0) was promised and is lost." }
        say("books: \(promised.count) orders promised, \(lost.count) lost, \(broken.count - lost.count) disagreements")
        return broken
    }
}

extension Double {
    /// With one digit after the point.
    var tenths: String {
        let tenths = Int((self * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

extension Duration {
    var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }
}
