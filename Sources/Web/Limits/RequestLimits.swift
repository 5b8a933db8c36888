// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import NIOCore
package import RateLimiting
internal import Synchronization

/// How much a key may use.
package enum Tier: String, CaseIterable, Sendable, Comparable {
    case standard
    case partner
    /// The shop's own systems: no limit.
    case trusted

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// A limit as it is now.
package struct LimitState: Sendable {
    package var limit: Int
    /// `nil` where it limits what runs at once.
    package let windowSeconds: Int?
    package var isOff: Bool
    /// By the configuration, which nothing overrules.
    package let isOffForGood: Bool
    package let isShadow: Bool
}

/// What an endpoint uses of which limits.
package struct EndpointUse: Sendable {
    package enum Kind: Sendable {
        case read
        case search
        case write
    }

    package let cost: Int
    package let kind: Kind

    package init(cost: Int, kind: Kind) {
        self.cost = cost
        self.kind = kind
    }
}

/// What is asked of the limits for an answer that is ready, made once with it.
struct ReadyChecks: Sendable {
    fileprivate let checks: [Check]
    /// What was out of force then.
    fileprivate let off: LimitNames
}

/// What became of a request, and what is to be given back when it is done.
package struct LimitRuling: Sendable {
    package let decision: Decision
    fileprivate let checks: [Check]
}

/// Holds every request of the shop to the limits of who sends it.
package final class RequestLimits: Sendable {
    package let limiter: RateLimiter
    /// Where several processes count together.
    private let shared: SharedRateLimiter?
    package let proxies: TrustedProxies
    /// Changed while the shop is open.
    private let offNow: Atomic<Int>
    /// Out of force by the configuration, which nothing overrules.
    private let offForGood: LimitNames
    /// How long the window of each is.
    private let minutes: [Double]
    /// What each is before anybody changes it.
    private let configuredLimits: [Int]

    /// - Throws: `Failure` with `misconfigured`.
    package init(_ settings: LimitSettings, capacity: Int = 65_536) throws {
        do {
            var options = SharedLimitOptions()
            options.deadline = settings.redisTimeMax
            shared = try settings.redisURL.map {
                try SharedRateLimiter(settings.policies, redis: $0, options: options, capacity: capacity)
            }
            limiter = try shared?.local ?? RateLimiter(settings.policies, capacity: capacity)
        } catch let error as RatePolicyError {
            throw Failure(.misconfigured, "VITRINE_LIMITS: \(error)")
        }
        proxies = settings.proxies
        offForGood = LimitNames(settings.off)
        offNow = Atomic(offForGood.rawValue)
        configuredLimits = settings.policies.map(\.rule.limit)
        minutes = settings.policies.map { ($0.rule.window ?? .seconds(60)) / .seconds(60) }
    }

    private var off: LimitNames { LimitNames(rawValue: offNow.load(ordering: .relaxed)) }

    // MARK: Requests

    /// Returns once it is known whether Redis is there.
    package func settled() async { await shared?.settled() }

    /// Whether other processes' use is known; `nil` where it is not asked for.
    package var isSharing: Bool? { shared?.isSharing }

    /// - Returns: `nil` where nothing limits the request. Whoever is let in is to be released.
    package func decide(
        _ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse
    ) async -> LimitRuling? {
        let checks = checks(principal, address, use, isInstant: false, off)
        guard !checks.isEmpty else { return nil }
        let decision = if let shared { await shared.decide(checks) } else { limiter.decide(checks) }
        return LimitRuling(decision: decision, checks: checks)
    }

    package func release(_ ruling: LimitRuling) {
        if let shared { shared.release(ruling.decision, for: ruling.checks) } else { limiter.release(ruling.decision) }
    }

    /// For answers that need nothing to be released.
    func readyChecks(_ principal: Principal, _ use: EndpointUse) -> ReadyChecks {
        let off = off
        return ReadyChecks(checks: checks(principal, nil, use, isInstant: true, off), off: off)
    }

    /// Decides about an answer that is ready.
    /// - Returns: why it may be given at once, with no quota where nothing limits it; `nil` for what ``decide(_:_:_:)`` has to
    ///   say, also where other limits are in force than when the checks were made.
    func admitAtOnce(_ ready: ReadyChecks) -> Decision? {
        guard ready.off == off else { return nil }
        if ready.checks.isEmpty { return .unlimited }
        if let shared {
            guard let decision = shared.decideAtOnce(ready.checks), decision.isAllowed else { return nil }
            return decision
        }
        let decision = limiter.decide(ready.checks)
        return decision.isAllowed ? decision : nil
    }

    /// What ``decide(_:_:_:)`` would say, with nothing counted.
    package func look(_ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse) async -> Decision? {
        let checks = checks(principal, address, use, isInstant: false, off)
        guard !checks.isEmpty else { return nil }
        return if let shared { await shared.look(checks) } else { limiter.look(checks) }
    }

    /// In the order of the policies.
    private func checks(
        _ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse, isInstant: Bool, _ off: LimitNames
    ) -> [Check] {
        var checks: [Check] = []
        guard use.cost > 0, principal?.tier != .trusted else { return checks }
        checks.reserveCapacity(4)
        func add(_ name: LimitName, _ key: LimitKey, _ cost: Int, limit: Int? = nil) {
            if !off.contains(name) {
                checks.append(Check(limiter.policyIDs[name.index], key, cost: cost, limit: limit))
            }
        }
        let key = principal?.limitKey ?? address?.key() ?? Self.local
        if let principal {
            let name = principal.tier == .partner ? LimitName.partner : .standard
            add(name, key, use.cost, limit: principal.unitsPerMinute.map { units(perMinute: $0, under: name) })
        } else {
            add(.anonymous, key, use.cost)
            if let address, !address.isIPv4 {
                add(.anonymous56, address.key(prefix: 56), use.cost)
                add(.anonymous48, address.key(prefix: 48), use.cost)
            }
        }
        if principal?.tier != .partner {
            if use.kind == .search { add(.search, key, use.cost) }
            if use.kind == .write { add(.writes, key, use.cost) }
        }
        if !isInstant { add(.open, key, 1) }
        return checks
    }

    /// As many in the limit's own window.
    private func units(perMinute units: Int, under name: LimitName) -> Int {
        max(1, Int(min(Double(RatePolicy.limitMax), Double(units) * minutes[name.index])))
    }

    /// Whoever has no address, such as a socket of this machine.
    private static let local = LimitKey("local")

    // MARK: Guessed keys

    /// Counts a key that nobody holds.
    ///
    /// Only such keys are refused, because a neighbour behind the same address, who sends an old key over and over, must not
    /// keep out those whose keys are good.
    /// - Throws: ``Problem`` 429 where too many came from this address.
    package func noteFailedSignIn(from address: ClientAddress?) async throws {
        guard !off.contains(.signIn) else { return }
        let check = Check(limiter.policyIDs[LimitName.signIn.index], address?.key() ?? Self.local)
        let decision = if let shared { await shared.decide([check]) } else { limiter.decide(check) }
        guard decision.isAllowed else { throw problem(decision) }
    }

    /// What ``noteFailedSignIn(from:)`` would say, with nothing counted.
    ///
    /// - Throws: ``Problem`` 429.
    package func requireSignInAllowed(from address: ClientAddress?) async throws {
        guard !off.contains(.signIn) else { return }
        let checks = [Check(limiter.policyIDs[LimitName.signIn.index], address?.key() ?? Self.local)]
        let decision = if let shared { await shared.look(checks) } else { limiter.look(checks) }
        guard decision.isAllowed else { throw problem(decision) }
    }

    // MARK: Changing

    /// Sets a limit while requests run; `isOff` takes it out of force.
    package func set(_ name: LimitName, limit: Int, isOff: Bool) throws(RatePolicyError) {
        let policy = limiter.policyIDs[name.index]
        if let shared { try shared.set(limit: limit, of: policy) } else { try limiter.set(limit: limit, of: policy) }
        let bit = LimitNames([name]).rawValue
        if isOff || offForGood.contains(name) {
            offNow.bitwiseOr(bit, ordering: .relaxed)
        } else {
            offNow.bitwiseAnd(~bit, ordering: .relaxed)
        }
    }

    package func state(of name: LimitName) -> LimitState {
        state(of: name, limit: limiter[limiter.policyIDs[name.index]].limit, isOff: off.contains(name))
    }

    /// What a limit is where nobody has changed it.
    package func configured(_ name: LimitName) -> LimitState {
        state(of: name, limit: configuredLimits[name.index], isOff: offForGood.contains(name))
    }

    private func state(of name: LimitName, limit: Int, isOff: Bool) -> LimitState {
        let policy = limiter[limiter.policyIDs[name.index]]
        return LimitState(
            limit: limit, windowSeconds: policy.rule.window.map { Int($0 / .seconds(1)) },
            isOff: isOff, isOffForGood: offForGood.contains(name),
            isShadow: policy.isShadow)
    }

    // MARK: Telling

    func problem(_ decision: Decision) -> Problem {
        let seconds = decision.retryAfterSeconds(of: limiter)
        let names = decision.violated(of: limiter)
        if decision.isStoreAway {
            return Problem(.unavailable, "What may be used cannot be found out just now. Wait \(seconds) s.")
                .with("retryAfter", .integer(seconds))
                .with(header: "Retry-After", String(seconds))
        }
        if decision.isImpossible {
            return Problem(
                .costExceedsLimit,
                "This operation costs more than \(names.joined(separator: ", ")) ever lets through at once.")
        }
        return Problem(
            .quotaExceeded, "Too much was asked for under \(names.joined(separator: ", ")). Wait \(seconds) s."
        )
        .with("violated-policies", .array(names.map { .string($0) }))
        .with("retryAfter", .integer(seconds))
        .with(header: "Retry-After", String(seconds))
    }

    func fields(_ decision: Decision, now: Timestamp) -> [HeaderField] {
        RateLimitFields(decision, of: limiter, now: now.milliseconds / 1_000).all.map { HeaderField($0.name, $0.value) }
    }

    func writeFields(_ decision: Decision, now: Timestamp, to head: inout ByteBuffer) {
        decision.writeFields(of: limiter, now: now.milliseconds / 1_000, to: &head)
    }
}
