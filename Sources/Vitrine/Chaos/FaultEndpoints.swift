// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Resilience
internal import Synchronization
internal import Web

/// Faults in a shop that is served: an administrator begins them, sees them and ends them, for this process.
struct FaultEndpoints: Sendable {
    /// `nil` where the configuration does not allow any.
    let faults: FaultInjector?
    /// Those to whose bytes faults can be done.
    let wires: Set<String>
    let outbox: Outbox

    static let path = "/v1/faults"

    var endpoints: [Endpoint] {
        [
            .get(Self.path, "getFaults", "Read which faults are made on purpose", use: get).scope(.readTelemetry)
                .unshed(),
            .change(.put, Self.path, "putFaults", "Make faults on purpose, for a time", use: put).scope(.writeKeys)
                .unshed().mayAnswer(.insufficientScope, .faultsNotAllowed),
            .act(.delete, Self.path, "endFaults", "Make no more faults", status: 204, use: end).scope(.writeKeys)
                .unshed().mayAnswer(.insufficientScope, .faultsNotAllowed),
        ]
    }

    private func get(_ call: Call, _: NoBody) async throws -> Answer<FaultsBody> { .ok(state) }

    private func put(_ call: Call, _: NoBody, _ input: FaultsInput) async throws -> Answer<FaultsBody> {
        let faults = try allowed(call)
        for (place, fault) in input.faults.enumerated() {
            if let complaint = fault.complaint(wires: wires) {
                throw Problem(.invalidBody, "#/faults/\(place): \(complaint)")
            }
        }
        let plan = FaultPlan(
            seed: UInt64(input.seed), input.faults.map(\.fault), length: .seconds(input.seconds))
        // A replay of a request does not begin them again.
        let isFresh = Atomic(false)
        let answer: Answer<FaultsBody> = try await call.commit { transaction in
            try outbox.publish(
                "faults.begun", subject: "faults", actor: call.actor,
                [
                    "seed": .integer(Int64(input.seed)), "seconds": .integer(Int64(input.seconds)),
                    "faults": .array(
                        input.faults.map { .string("\($0.edge.rawValue) \($0.kind.rawValue) \($0.percent) %") }),
                ], in: transaction)
            isFresh.store(true, ordering: .relaxed)
            return .ok(
                FaultsBody(allowed: true, secondsLeft: input.seconds, seed: input.seed, faults: input.faults, made: []))
        }
        if isFresh.load(ordering: .relaxed) { faults.begin(plan) }
        return answer
    }

    private func end(_ call: Call, _: NoBody) async throws -> Answer<NoBody> {
        // Ended before it is written down, whatever becomes of that.
        try allowed(call).end()
        return try await call.commit { transaction in
            try outbox.publish("faults.ended", subject: "faults", actor: call.actor, [:], in: transaction)
            return .noContent
        }
    }

    private func allowed(_ call: Call) throws -> FaultInjector {
        guard call.principal?.tier == .trusted else {
            throw Problem(.insufficientScope, "Faults are for keys of the tier trusted.")
        }
        guard let faults else {
            throw Problem(.faultsNotAllowed, "Start the process with VITRINE_FAULTS=allowed.")
        }
        return faults
    }

    private var state: FaultsBody {
        guard let (plan, left) = faults?.current else {
            return FaultsBody(allowed: faults != nil, secondsLeft: 0, seed: nil, faults: [], made: [])
        }
        return FaultsBody(
            allowed: true, secondsLeft: Int((left / .seconds(1)).rounded(.up)), seed: Int(plan.seed),
            faults: plan.faults.map(FaultBody.init), made: faults?.made ?? [])
    }
}

struct FaultsInput: WireBody {
    let seed: Int
    let seconds: Int
    let faults: [FaultBody]

    static let schema = Schema.object(
        "FaultsInput", FaultsInput.init,
        .standard("seed", \.seed, .count, 1, "The same seed makes the same faults."),
        .required("seconds", \.seconds, .integer(1...3_600), "After which they end by themselves."),
        .required("faults", \.faults, .array(of: FaultBody.schema, countMin: 1, countMax: 32)))
}

struct FaultsBody: WireBody {
    let allowed: Bool
    let secondsLeft: Int
    let seed: Int?
    let faults: [FaultBody]
    let made: [Int]

    static let schema = Schema.object(
        "Faults", FaultsBody.init,
        .required("allowed", \.allowed, .boolean, "Whether this process may make any."),
        .required("seconds_left", \.secondsLeft, .count, "0 where none are made."),
        .optional("seed", \.seed, .count),
        .required("faults", \.faults, .array(of: FaultBody.schema)),
        .required("made", \.made, .array(of: .count), "How many calls each was done to."))
}

extension ProblemType {
    static let faultsNotAllowed = ProblemType(
        "faults-not-allowed", 403, "This process makes no faults",
        "Faults on purpose are made only by a process that was started with `VITRINE_FAULTS=allowed`.")
}
