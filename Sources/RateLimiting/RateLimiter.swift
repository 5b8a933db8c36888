// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Dispatch
internal import Synchronization

/// Decides whether requests may pass, by several policies at once, in the memory of this process.
///
/// Either every policy counts a request or none does: a request that is refused costs nothing. A decision takes the locks of
/// its keys, allocates nothing, and costs some 60 to 100 ns for each check.
public final class RateLimiter: Sendable {
    /// A policy of this limiter; those that are checked together come in the order of their declaration.
    public struct PolicyID: Sendable, Hashable, Comparable {
        let index: Int

        public static func < (left: Self, right: Self) -> Bool { left.index < right.index }
    }

    public let policyIDs: [PolicyID]
    private let declared: [RatePolicy]
    private let tables: [LimitTable]
    let told: ToldPolicies
    private let clock: LimitClock
    private let counters: [(allowed: Counter, limited: Counter)]
    /// Tables and counters again, reached without counting references, which all threads would write for every decision; the
    /// arrays above keep them.
    private let uncounted: [(table: Unmanaged<LimitTable>, allowed: Unmanaged<Counter>, limited: Unmanaged<Counter>)]

    /// So many keys of each policy as `capacity` says are remembered. With a token bucket a key takes 16 bytes, with a window of
    /// 60 slots 160, or 280 where a limit may be above 65,535.
    /// - Throws: ``RatePolicyError``.
    public init(
        _ policies: [RatePolicy], capacity: Int = 65_536, clock: LimitClock = .monotonic
    ) throws(RatePolicyError) {
        for policy in policies { try policy.validate() }
        guard policies.count <= 256 else { throw RatePolicyError(policies[256].name, "is one of more than 256") }
        let names = policies.map(\.name)
        if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
            throw RatePolicyError(twice, "is declared twice")
        }
        told = ToldPolicies(policies)
        declared = policies
        tables = policies.map { LimitTable($0, capacity: capacity) }
        policyIDs = policies.indices.map(PolicyID.init)
        self.clock = clock
        counters = policies.map { policy in
            func counter(_ outcome: String) -> Counter {
                Counter(label: "rate_limit.requests", dimensions: [("policy", policy.name), ("outcome", outcome)])
            }
            return (counter("allowed"), counter(policy.isShadow ? "shadow_limited" : "limited"))
        }
        uncounted = zip(tables, counters).map {
            (.passUnretained($0), .passUnretained($1.allowed), .passUnretained($1.limited))
        }
    }

    public func policy(named name: String) -> PolicyID? { declared.firstIndex { $0.name == name }.map(PolicyID.init) }

    public func name(of policy: PolicyID) -> String { declared[policy.index].name }

    /// The policy as it is now.
    public subscript(policy: PolicyID) -> RatePolicy {
        var now = declared[policy.index]
        now.rule = tables[policy.index].rule
        return now
    }

    /// Changes a limit while requests run; what was used stays used.
    public func set(limit: Int, of policy: PolicyID) throws(RatePolicyError) {
        // From what was declared, so that a bucket's burst does not drift with every change.
        var changed = declared[policy.index]
        changed.rule = changed.rule.with(limit: limit)
        try changed.validate()
        tables[policy.index].set(changed.rule)
    }

    // MARK: Deciding

    /// Asks all policies and, if each lets the request in, counts it with each.
    ///
    /// - Precondition: one to eight checks, in the order in which their policies were declared, none twice.
    public func decide(_ checks: [Check]) -> Decision {
        checks.withUnsafeBufferPointer { decide($0, isCounted: true) }
    }

    /// The same without an allocation.
    public func decide<let count: Int>(_ checks: borrowing InlineArray<count, Check>) -> Decision {
        checks.span.withUnsafeBufferPointer { decide($0, isCounted: true) }
    }

    public func decide(_ check: Check) -> Decision {
        withUnsafePointer(to: check) { decide(UnsafeBufferPointer(start: $0, count: 1), isCounted: true) }
    }

    /// What ``decide(_:)`` would say; nothing is counted.
    public func look(_ checks: [Check]) -> Decision {
        checks.withUnsafeBufferPointer { decide($0, isCounted: false) }
    }

    private func decide(_ checks: UnsafeBufferPointer<Check>, isCounted: Bool) -> Decision {
        precondition((1...Decision.checksMax).contains(checks.count), "A request has one to eight checks.")
        var decision = Decision()
        decision.count = checks.count
        step(checks, 0, clock.now(), isCounted, &decision)
        return decision
    }

    /// Holds the key of this check, looks at the further ones, and counts on the way back, when it is known what all say. Locks
    /// are taken in the order of policies, so that nobody waits for somebody who waits for him.
    private func step(
        _ checks: UnsafeBufferPointer<Check>, _ place: Int, _ now: Int64, _ isCounted: Bool, _ decision: inout Decision
    ) {
        guard place < checks.count else { return }
        let policy = checks[place].policy
        precondition(place == 0 || checks[place - 1].policy < policy, "Checks come in the order of their policies.")
        let (hash, cost) = (checks[place].key.hash, checks[place].cost)
        uncounted[policy].table._withUnsafeGuaranteedRef {
            $0.shards[LimitTable.shard(of: hash)].withLock { shard in
                let state = shard.state(of: hash, now)
                let algorithm = checks[place].limit.map { shard.algorithm.with(limit: $0) } ?? shard.algorithm
                let reading = algorithm.read(state, cost, now)
                if !reading.fits, !told[policy].isShadow {
                    decision.isAllowed = false
                    decision.waitNanoseconds = max(decision.waitNanoseconds, reading.wait)
                    if cost > algorithm.costMax { decision.isImpossible = true }
                }
                step(checks, place + 1, now, isCounted, &decision)
                var moment: Int64 = 0
                let isCharged = isCounted && decision.isAllowed && reading.fits
                if isCharged { moment = algorithm.charge(state, cost, now) }
                let (available, span) = algorithm.quota(state, now)
                decision.quotas[place] = Quota(
                    availableUnits: Int32(available), limitUnits: Int32(algorithm.limit),
                    charged: isCharged ? Int32(cost) : 0, policyIndex: UInt8(policy), fits: reading.fits,
                    isShared: state == shard.shared, hash: hash,
                    moment: moment, spanNanoseconds: span, waitNanoseconds: reading.wait)
            }
        }
        if isCounted { note(decision.quotas[place].fits, under: policy) }
    }

    /// Counts what a policy said.
    func note(_ fits: Bool, under policy: Int) {
        let (_, allowed, limited) = uncounted[policy]
        (fits ? allowed : limited)._withUnsafeGuaranteedRef { $0.increment() }
    }

    // MARK: Afterwards

    /// Makes what was counted for a request what it really cost; more than that may overdraw a limit. Places of what runs at
    /// the same time are left to ``release(_:)``.
    public func settle(_ decision: Decision, actual cost: Int) {
        precondition(
            (0...RatePolicy.limitMax).contains(cost), "A cost is not negative, and at most a thousand millions.")
        let now = clock.now()
        for place in 0..<decision.count where decision.isAllowed {
            let quota = decision.quotas[place]
            guard quota.charged > 0, !quota.isElsewhere, told[quota.policy.index].window > 0 else { continue }
            tables[quota.policy.index].shards[LimitTable.shard(of: quota.hash)].withLock { shard in
                let state = quota.isShared ? shard.shared : shard.state(of: quota.hash, now)
                // By the limit that it was counted under.
                let algorithm = shard.algorithm.with(limit: quota.limit)
                _ = algorithm.read(state, 0, now)
                algorithm.settle(state, charged: Int(quota.charged), actual: cost, at: quota.moment, now)
            }
        }
    }

    /// Ends what concurrency policies have let in.
    public func release(_ decision: Decision) {
        let now = clock.now()
        for place in 0..<decision.count {
            let quota = decision.quotas[place]
            guard quota.charged > 0, !quota.isElsewhere, told[quota.policy.index].window == 0 else { continue }
            tables[quota.policy.index].shards[LimitTable.shard(of: quota.hash)].withLock { shard in
                let state = quota.isShared ? shard.shared : shard.state(of: quota.hash, now)
                shard.algorithm.settle(state, charged: Int(quota.charged), actual: 0, at: 0, now)
            }
        }
    }

    /// Keys that were forgotten though they had used something, and times that a newcomer found no place of its own, for each
    /// policy. Where they grow, the capacity is too small.
    public func losses(of policy: PolicyID) -> (forgotten: Int, shared: Int) {
        let account = tables[policy.index].account
        return (account.forgotten, account.shared)
    }
}

/// Nanoseconds since some moment, never backwards.
public struct LimitClock: Sendable {
    public let now: @Sendable () -> Int64

    public init(now: @escaping @Sendable () -> Int64) { self.now = now }

    /// The system's monotonic clock.
    public static let monotonic = LimitClock { Int64(DispatchTime.now().uptimeNanoseconds) }
}
