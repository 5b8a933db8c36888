// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Resilience
internal import Web

/// What is to be found out about a shop: how it is without faults, which are made, and what must hold with and after them.
struct Experiment: WireBody {
    let title: String
    var seed: Int
    let shoppers: Int
    let faults: [FaultBody]
    let before: PhaseBody
    let during: PhaseBody
    let after: PhaseBody
    /// Percent of requests that fail, beyond which the faults end at once.
    let abortPercent: Int

    static let schema = Schema.object(
        "Experiment", Experiment.init,
        .required("title", \.title, .string(1...200)),
        .standard("seed", \.seed, .count, 1, "The same seed makes the same faults."),
        .standard("shoppers", \.shoppers, .integer(1...500), 12, "Simulated at once."),
        .required("faults", \.faults, .array(of: FaultBody.schema, countMin: 1, countMax: 32)),
        .required("before", \.before, PhaseBody.schema, "How the shop is without faults."),
        .required("during", \.during, PhaseBody.schema, "What must hold with them."),
        .required("after", \.after, PhaseBody.schema, "What must hold once they have ended."),
        .standard("abort_percent", \.abortPercent, .integer(1...100), 100, "Failed requests that end the experiment."))

    /// - Throws: `Failure` with `misconfigured`, which tells of everything that is wrong with the file, and where.
    static func read(_ bytes: [UInt8]) throws -> Experiment {
        let json: JSON
        do { json = try JSON.parse(bytes) } catch {
            throw Failure(.misconfigured, "The experiment is no JSON: \(error.reason) at byte \(error.offset).")
        }
        var decoding = Decoding()
        guard let found = schema.decode(json, &decoding) else {
            let faults = decoding.errors.map { "\($0.pointer): \($0.detail)" }.joined(separator: "\n  ")
            throw Failure(.misconfigured, "The experiment cannot be read:\n  \(faults)")
        }
        return found
    }

    /// - Throws: `Failure` with `misconfigured` for a fault that could not be done to a process that has these wires.
    func check(wires: Set<String>) throws {
        for (place, fault) in faults.enumerated() {
            guard let complaint = fault.complaint(wires: wires) else { continue }
            throw Failure(.misconfigured, "The experiment cannot be made:\n  #/faults/\(place): \(complaint)")
        }
    }

    var plan: FaultPlan {
        FaultPlan(seed: UInt64(seed), faults.map(\.fault), length: .seconds(during.seconds))
    }
}

/// How long a phase is, and what must hold in it.
struct PhaseBody: WireBody {
    let seconds: Int
    let failedPercentMax: Int
    let p99Milliseconds: Int
    let ordersMin: Int

    static let schema = Schema.object(
        "Phase", PhaseBody.init,
        .required("seconds", \.seconds, .integer(1...3_600)),
        .standard("failed_percent_max", \.failedPercentMax, .integer(0...100), 100, "Requests that fail."),
        .standard("p99_ms_max", \.p99Milliseconds, .integer(1...600_000), 600_000, "How long one in a hundred takes."),
        .standard("orders_min", \.ordersMin, .count, 0, "Orders that are taken."))

    /// What does not hold, each in a sentence.
    func broken(by phase: PhaseTally) -> [String] {
        var broken: [String] = []
        if phase.failedPercent > Double(failedPercentMax) {
            broken.append("\(phase.failedPercent.tenths) % of the requests failed; at most \(failedPercentMax) % may.")
        }
        if phase.p99 > .milliseconds(p99Milliseconds) {
            broken.append(
                "One request in a hundred took \(phase.p99.wholeMilliseconds) ms; \(p99Milliseconds) ms are allowed.")
        }
        if phase.orders.count < ordersMin {
            broken.append("\(phase.orders.count) orders were taken; \(ordersMin) are expected.")
        }
        return broken
    }
}
