// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
internal import Synchronization
internal import Tracing

/// Makes faults at the edges of a process while a plan is in force, and is a single look at a number else.
public final class FaultInjector: Sendable {
    private struct State {
        var plan: FaultPlan?
        var begunAt: Int64 = 0
        /// Calls that matched, and those that something was done to, for each fault.
        var matched: [Int] = []
        var made: [Int] = []
    }

    /// Nothing is done to the calls of a task in which this is set, such as those that are to end the faults.
    @TaskLocal public static var isExempt = false

    private let state = Mutex(State())
    private let isActive = Atomic(false)
    private let now: MonotonicTime.Source
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger = Logger(label: "resilience.faults")

    public init(
        now: @escaping MonotonicTime.Source = MonotonicTime.system,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// Puts a plan in force, in place of any other.
    public func begin(_ plan: FaultPlan) {
        let now = now()
        state.withLock { state in
            let none = Array(repeating: 0, count: plan.faults.count)
            state = State(plan: plan, begunAt: now, matched: none, made: none)
        }
        isActive.store(true, ordering: .releasing)
        logger.warning(
            "Faults are made on purpose",
            metadata: ["seed": "\(plan.seed)", "faults": "\(plan.faults.count)", "length": "\(plan.length)"])
    }

    /// Ends the plan, if there is one.
    public func end() {
        isActive.store(false, ordering: .releasing)
        let hadPlan = state.withLock { state in
            defer { state.plan = nil }
            return state.plan != nil
        }
        if hadPlan { logger.notice("No more faults are made on purpose") }
    }

    /// The plan in force, and how long it still is.
    public var current: (plan: FaultPlan, left: Duration)? {
        let now = now()
        return state.withLock { state in
            guard let plan = state.plan else { return nil }
            let left = plan.length - .nanoseconds(now - state.begunAt)
            return left > .zero ? (plan, left) : nil
        }
    }

    /// How many calls something was done to, for each fault of the last plan.
    public var made: [Int] { state.withLock { $0.made } }

    /// Runs `body` as the plan wants it. `facts` are looked at only while a plan is in force.
    /// - Parameters:
    ///   - edge: what the process calls it.
    ///   - facts: of this call.
    ///   - refusal: what a call fails with that is not made, or whose answer is lost.
    ///   - alter: makes of an answer what a fault of bytes does to it: `bandwidth`, `drip` or `wrong`. Default: nothing.
    ///   - body: the call.
    /// - Returns: what `body` does.
    /// - Throws: what `body` throws, or `refusal`.
    public func run<Result>(
        at edge: String, facts: @autoclosure () -> [String: String] = [:], refusal: (Fault) -> any Error,
        alter: (Fault, Result) -> Result = { $1 }, _ body: () async throws -> Result
    ) async throws -> Result {
        guard let (fault, wait) = verdict(at: edge, facts()) else { return try await body() }
        switch fault.kind {
        case .latency, .tail:
            try await sleep(wait)
            return try await body()
        case .error: throw refusal(fault)
        case .reset:
            _ = try await body()
            throw refusal(fault)
        case .timeout:
            try await sleep(patience(wait))
            throw refusal(fault)
        case .partition:
            try await sleep(patience(left(of: fault)))
            throw refusal(fault)
        case .bandwidth, .drip, .wrong: return alter(fault, try await body())
        }
    }

    /// What is to be done to one call, which then counts as done; `nil` for nothing. Cost without a plan: a look at a number.
    func verdict(at edge: String, _ facts: @autoclosure () -> [String: String]) -> (fault: Fault, wait: Duration)? {
        guard isActive.load(ordering: .acquiring), !Self.isExempt, let found = draw(edge, facts()) else { return nil }
        tell(found.0)
        return found
    }

    /// How long a fault is still made; nothing for one that is not made.
    public func left(of fault: Fault) -> Duration {
        guard let (plan, left) = current, plan.faults.contains(fault) else { return .zero }
        let age = plan.length - left
        guard age >= fault.from else { return .zero }
        return max(.zero, min(left, fault.until.map { $0 - age } ?? left))
    }

    private func patience(_ wait: Duration) -> Duration {
        max(.zero, min(wait, Deadline.current?.remaining ?? wait))
    }

    /// The first fault that takes the call.
    private func draw(_ edge: String, _ facts: [String: String]) -> (Fault, Duration)? {
        let now = now()
        return state.withLock { state in
            guard let plan = state.plan else { return nil }
            let age = Duration.nanoseconds(now - state.begunAt)
            guard age < plan.length else {
                isActive.store(false, ordering: .releasing)
                state.plan = nil
                return nil
            }
            for (place, fault) in plan.faults.enumerated() {
                guard fault.edge == edge, age >= fault.from, fault.until.map({ age < $0 }) ?? true,
                    fault.facts.allSatisfy({ facts[$0.key] == $0.value })
                else { continue }
                state.matched[place] += 1
                guard let wait = plan.draw(fault: place, call: state.matched[place]) else { continue }
                state.made[place] += 1
                return (fault, wait)
            }
            return nil
        }
    }

    private func tell(_ fault: Fault) {
        Counter(label: "resilience.faults.injected", dimensions: [("edge", fault.edge), ("kind", fault.name)])
            .increment()
        let span = startSpan("fault \(fault.name)")
        span.attributes = ["resilience.fault.edge": .string(fault.edge), "resilience.fault.kind": .string(fault.name)]
        span.end()
    }
}
