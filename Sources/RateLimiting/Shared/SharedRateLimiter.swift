// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
internal import Redis

/// Decides whether requests may pass, by limits that many processes share in one Redis.
///
/// Either every policy counts a request or none does, in one round trip; a key that is busy is decided about here, out of units
/// that were counted beforehand, and one that is refused is refused here until it can fit. No decision takes longer than the
/// options' deadline: where Redis does not answer, each policy does what ``RatePolicy/whenStoreFails`` says.
public final class SharedRateLimiter: Sendable {
    /// The policies, those that each process counts for itself, and the shares of this one while Redis is away.
    public let local: RateLimiter
    let redis: RedisClient
    let options: SharedLimitOptions
    private let leases: KeyTable<Lease>
    private let refusals: KeyTable<Refusal>
    let fleet: Fleet
    private let book: PolicyBook
    private let clock: LimitClock
    private let counters: Counters

    /// Connects in the background; see ``settled()``.
    /// - Parameters:
    ///   - policies: the same in all processes.
    ///   - address: `redis://user:password@host:port/database`.
    ///   - options: how to share.
    ///   - capacity: keys of each policy that this process remembers.
    ///   - clock: of this process.
    /// - Throws: ``RatePolicyError``, or what is wrong with the address.
    public init(
        _ policies: [RatePolicy], redis address: String, options: SharedLimitOptions = SharedLimitOptions(),
        capacity: Int = 65_536, clock: LimitClock = .monotonic
    ) throws {
        local = try RateLimiter(policies, capacity: capacity, clock: clock)
        redis = RedisClient(
            try RedisAddress(address), scripts: [LimitScript.shared, LimitScript.beat], deadline: options.deadline)
        self.options = options
        self.clock = clock
        leases = KeyTable(capacity: capacity)
        refusals = KeyTable(capacity: capacity / 4)
        book = PolicyBook(policies, leaseTimeMax: options.leaseTime.wholeNanoseconds)
        fleet = Fleet(redis, prefix: options.prefix)
        counters = Counters()
    }

    /// Returns once Redis was reached for the first time, or could not be.
    public func settled() async { await redis.settled() }

    /// Whether Redis can be asked at the moment.
    public var isSharing: Bool { redis.isAnswering }

    /// Ends the connection.
    public func close() { redis.close() }

    /// Changes a limit in this process while requests run; what was used stays used.
    public func set(limit: Int, of policy: RateLimiter.PolicyID) throws(RatePolicyError) {
        try local.set(limit: limit, of: policy)
        book.set(local[policy].rule, of: policy.index)
    }

    // MARK: Deciding

    /// Asks all policies and, if each lets the request in, counts it with each.
    ///
    /// - Precondition: one to eight checks, in the order in which their policies were declared, none twice.
    public func decide(_ checks: [Check]) async -> Decision {
        let (own, shared) = split(checks)
        if let decision = decideAtOnce(own, shared) { return decision }
        guard !own.isEmpty else { return await ask(shared) }
        let decision = local.decide(own)
        return decision.isAllowed ? merged(decision, await ask(shared)) : decision
    }

    /// The same where Redis need not be asked; `nil` where it must, and nothing is counted then.
    public func decideAtOnce(_ checks: [Check]) -> Decision? {
        let (own, shared) = split(checks)
        return decideAtOnce(own, shared)
    }

    /// Those that this process counts for itself, and those that it shares.
    private func split(_ checks: [Check]) -> (own: [Check], shared: [Check]) {
        guard book.hasOwn else { return ([], checks) }
        return (checks.filter { book.isPerProcess[$0.policy] }, checks.filter { !book.isPerProcess[$0.policy] })
    }

    private func decideAtOnce(_ own: [Check], _ shared: [Check]) -> Decision? {
        let now = clock.now()
        fleet.beat(now)
        if let refusal = knownRefusal(shared, now) { return refusal }
        guard let leased = takeLeases(shared, now) else { return nil }
        guard !own.isEmpty else { return leased }
        let decision = local.decide(own)
        if decision.isAllowed { return merged(decision, leased) }
        for place in 0..<leased.count { putBack(leased[place]) }
        return decision
    }

    /// What ``decide(_:)`` would say; nothing is counted.
    public func look(_ checks: [Check]) async -> Decision {
        let (own, shared) = split(checks)
        var decision = own.isEmpty ? Decision() : local.look(own)
        if !shared.isEmpty { decision = merged(decision, await ask(shared, .look)) }
        return decision
    }

    /// The answer of both; what this process counted for itself is given back where the others refuse.
    private func merged(_ own: Decision, _ shared: Decision) -> Decision {
        if own.isAllowed, !shared.isAllowed {
            local.settle(own, actual: 0)
            local.release(own)
        }
        var decision = shared
        decision.isAllowed = own.isAllowed && shared.isAllowed
        decision.isImpossible = own.isImpossible || shared.isImpossible
        decision.isStoreAway = own.isStoreAway || shared.isStoreAway
        decision.waitNanoseconds = max(own.waitNanoseconds, shared.waitNanoseconds)
        for place in 0..<own.count {
            var quota = own[place]
            if !decision.isAllowed { quota.charged = 0 }
            decision.add(quota)
        }
        return decision
    }

    // MARK: Here

    private func knownRefusal(_ checks: [Check], _ now: Int64) -> Decision? {
        var decision = Decision()
        for check in checks where !book.isShadow[check.policy] {
            guard let refusal = refusals.entry(check.refusalHash, now), refusal.end > now else { continue }
            if let lease = leases.entry(check.leaseHash, now), refusal.askedAt <= lease.givenBackAt { continue }
            var quota = refusal.told.quota(check, now)
            (quota.fits, quota.waitNanoseconds) = (false, refusal.fitsAt - now)
            decision.isImpossible = decision.isImpossible || refusal.isImpossible
            decision.isAllowed = false
            decision.waitNanoseconds = max(decision.waitNanoseconds, quota.waitNanoseconds)
            decision.add(quota)
        }
        guard !decision.isAllowed else { return nil }
        counters.refused.increment()
        note(decision)
        return decision
    }

    /// Uses units that this process holds; all that are needed, or none.
    private func takeLeases(_ checks: [Check], _ now: Int64) -> Decision? {
        var decision = Decision()
        var isLow = false
        for check in checks {
            let quota = leases.with(check.leaseHash, now) { lease in
                let quota = lease.take(check, now)
                isLow = isLow || lease.isLow(now)
                return quota
            }
            guard let quota else {
                for place in 0..<decision.count { putBack(decision[place]) }
                return nil
            }
            decision.add(quota)
        }
        if isLow { replenish(checks) }
        if !checks.isEmpty { counters.leased.increment() }
        note(decision)
        return decision
    }

    private func putBack(_ quota: Quota) {
        leases.with(Check.leaseHash(quota.hash, Int(quota.policyIndex)), clock.now()) { $0.putBack(quota) }
    }

    private func note(_ decision: Decision) {
        for place in 0..<decision.count { local.note(decision[place].fits, under: Int(decision[place].policyIndex)) }
    }

    // MARK: Asking Redis

    private func ask(_ checks: [Check], _ mode: LimitQuestion.Mode = .decide) async -> Decision {
        let now = clock.now()
        let question = question(checks, mode, now)
        do {
            let value = try await redis.call(command(question), script: LimitScript.shared)
            guard let answer = LimitAnswer(value, lines: checks.count) else {
                throw RedisError.refused("an answer of another form")
            }
            let decision = learn(question, answer, askedAt: now)
            if mode == .decide {
                counters.asked.increment()
                note(decision)
            }
            return decision
        } catch {
            forget(question, now)
            return mode == .decide ? withoutStore(checks) : Decision()
        }
    }

    private func question(_ checks: [Check], _ mode: LimitQuestion.Mode, _ now: Int64) -> LimitQuestion {
        let policies = book.policies
        let horizon = options.leaseTime.wholeNanoseconds / 2
        let until = now + options.deadline.wholeNanoseconds
        var question = LimitQuestion(mode: mode)
        for check in checks {
            let policy = policies[check.policy]
            var line = LimitQuestion.Line(policy: policy, check: check, cost: check.cost)
            let most = (check.limit ?? policy.algorithm.limit) / (4 * fleet.count)
            // Of a small limit others would miss what is leased here.
            if mode == .decide, policy.leaseTime > 0, most >= 4 {
                leases.with(check.leaseHash, now) { lease in
                    lease.prepare(&line, now, horizon: horizon, most: most, askingUntil: until)
                }
            }
            question.lines.append(line)
        }
        return question
    }

    private func command(_ question: LimitQuestion) -> RedisCommand {
        let now = options.clock == .redis ? 0 : options.wallClock()
        return question.command(
            prefix: options.prefix, now: now, divisor: 2 * fleet.count, timeToLive: book.timeToLive,
            horizon: options.leaseTime.wholeNanoseconds / 2_000)
    }

    /// Makes a decision of an answer, and remembers what can be decided without asking.
    private func learn(_ question: LimitQuestion, _ answer: LimitAnswer, askedAt: Int64) -> Decision {
        var decision = Decision()
        decision.isAllowed = answer.isAllowed
        for (place, line) in question.lines.enumerated() {
            let told = answer[place]
            let reading = line.policy.read(told.state, line.check, at: answer.now * 1_000)
            var quota = Quota(line.check, reading, granted: told.granted)
            quota.fits = told.fits
            if told.fits { quota.waitNanoseconds = 0 }
            if answer.isAllowed, told.fits, question.mode == .decide { quota.charged = Int32(line.check.cost) }
            if !told.fits, !line.policy.isShadow {
                decision.waitNanoseconds = max(decision.waitNanoseconds, reading.wait)
                decision.isImpossible = decision.isImpossible || reading.isImpossible
            }
            decision.add(quota)
            guard question.mode == .decide else { continue }
            if !told.fits, !line.policy.isShadow {
                let refusal = Refusal(
                    hash: line.check.refusalHash, quota, isImpossible: reading.isImpossible, askedAt: askedAt)
                refusals.with(refusal.hash, askedAt) { $0 = refusal }
            }
            let old = leases.with(line.check.leaseHash, askedAt) { lease in
                lease.learn(line.policy, quota, granted: told.granted, answeredAt: answer.now * 1_000, askedAt: askedAt)
            }
            if let old { giveBack(old.units, slot: old.slot, of: line.check) }
        }
        return decision
    }

    /// An answer did not come.
    private func forget(_ question: LimitQuestion, _ now: Int64) {
        for line in question.lines where line.policy.leaseTime > 0 {
            leases.with(line.check.leaseHash, now) { $0.forgetAsking() }
        }
    }

    /// Leases more before there is nothing left; nobody waits for it.
    private func replenish(_ checks: [Check]) {
        let now = clock.now()
        let free = checks.map { Check(RateLimiter.PolicyID(index: $0.policy), $0.key, cost: 0, limit: $0.limit) }
        let question = question(free, .decide, now)
        redis.send(command(question), script: LimitScript.shared) { [self] result in
            guard case .success(let value) = result, let answer = LimitAnswer(value, lines: free.count) else {
                return forget(question, now)
            }
            _ = learn(question, answer, askedAt: now)
        }
    }

    // MARK: Without Redis

    private func withoutStore(_ checks: [Check]) -> Decision {
        counters.failed.increment()
        var decision = Decision()
        var shares: [Check] = []
        for check in checks {
            switch book.whenStoreFails[check.policy] {
            case .open: continue
            case .closed:
                var quota = Quota(
                    policyIndex: UInt8(check.policy), fits: book.isShadow[check.policy], hash: check.key.hash)
                quota.isElsewhere = true
                quota.waitNanoseconds = quota.fits ? 0 : Refusal.timeMax
                if !quota.fits {
                    (decision.isAllowed, decision.isStoreAway) = (false, true)
                    decision.waitNanoseconds = Refusal.timeMax
                }
                decision.add(quota)
                local.note(quota.fits, under: check.policy)
            case .share:
                let limit = check.limit ?? book.policies[check.policy].algorithm.limit
                shares.append(
                    Check(
                        RateLimiter.PolicyID(index: check.policy), check.key, cost: check.cost,
                        limit: max(1, limit / fleet.count)))
            }
        }
        guard decision.isAllowed, !shares.isEmpty else { return decision }
        var own = local.decide(shares)
        // What is too much for a share may be had again when the shares are one.
        if own.isImpossible { (own.isImpossible, own.isStoreAway) = (false, true) }
        return merged(own, decision)
    }

    // MARK: Afterwards

    /// Makes what was counted for a request what it really cost; more than that may overdraw a limit. `checks` are those that
    /// were decided about. Nobody waits for Redis.
    public func settle(_ decision: Decision, for checks: [Check], actual cost: Int) {
        guard decision.isAllowed else { return }
        local.settle(decision, actual: cost)
        var question = LimitQuestion(mode: .count)
        for (quota, check, policy) in elsewhere(decision, checks) where !policy.isConcurrency && quota.charged != cost {
            if cost < quota.charged { leases.with(check.leaseHash, clock.now()) { $0.givenBackAt = clock.now() } }
            question.lines.append(
                LimitQuestion.Line(
                    policy: policy, check: check, cost: max(0, cost - Int(quota.charged)),
                    back: max(0, Int(quota.charged) - cost), backSlot: quota.moment))
        }
        if !question.lines.isEmpty { redis.send(command(question), script: LimitScript.shared) { _ in } }
    }

    /// Ends what concurrency policies have let in.
    public func release(_ decision: Decision, for checks: [Check]) {
        local.release(decision)
        guard book.hasSharedPlaces else { return }
        for (quota, check, policy) in elsewhere(decision, checks) where policy.isConcurrency {
            leases.with(check.leaseHash, clock.now()) { $0.givenBackAt = clock.now() }
            giveBack(Int(quota.charged), slot: quota.moment, of: check)
        }
    }

    private func elsewhere(_ decision: Decision, _ checks: [Check]) -> [(Quota, Check, SharedPolicy)] {
        (0..<decision.count).compactMap { place in
            let quota = decision[place]
            guard quota.isElsewhere, quota.charged > 0 else { return nil }
            guard let check = checks.first(where: { $0.policy == Int(quota.policyIndex) }) else { return nil }
            return (quota, check, book.policies[check.policy])
        }
    }

    private func giveBack(_ units: Int, slot: Int64, of check: Check) {
        var question = LimitQuestion(mode: .count)
        question.lines.append(
            LimitQuestion.Line(
                policy: book.policies[check.policy], check: check, cost: 0, back: units, backSlot: slot))
        redis.send(command(question), script: LimitScript.shared) { _ in }
    }

    /// By where it was made.
    private struct Counters: Sendable {
        let leased = Self.counter("leased")
        let refused = Self.counter("known_refusal")
        let asked = Self.counter("redis")
        let failed = Self.counter("without_redis")

        private static func counter(_ source: String) -> Counter {
            Counter(label: "rate_limit.shared.decisions", dimensions: [("source", source)])
        }
    }
}
