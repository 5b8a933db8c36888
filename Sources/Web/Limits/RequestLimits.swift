// SPDX-License-Identifier: Apache-2.0

internal import Kernel
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

/// Holds every request of the shop to the limits of who sends it.
package final class RequestLimits: Sendable {
    package let limiter: RateLimiter
    package let proxies: TrustedProxies
    /// Changed while the shop is open.
    private let off: Mutex<Set<LimitName>>
    /// Out of force by the configuration, which nothing overrules.
    private let offForGood: Set<LimitName>
    /// How long the window of each is.
    private let minutes: [Double]

    /// - Throws: `Failure` with `misconfigured`.
    package init(_ settings: LimitSettings, capacity: Int = 65_536) throws {
        do {
            limiter = try RateLimiter(settings.policies, capacity: capacity)
        } catch {
            throw Failure(.misconfigured, "VITRINE_LIMITS: \(error)")
        }
        proxies = settings.proxies
        off = Mutex(settings.off)
        offForGood = settings.off
        minutes = settings.policies.map { ($0.rule.window ?? .seconds(60)) / .seconds(60) }
    }

    // MARK: Requests

    /// - Returns: `nil` where nothing limits the request. Whoever is let in is to be released, unless `isInstant`.
    package func decide(
        _ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse, isInstant: Bool = false
    ) -> Decision? {
        let checks = checks(principal, address, use, isInstant: isInstant)
        return checks.isEmpty ? nil : limiter.decide(checks)
    }

    /// The same, with nothing counted.
    package func look(_ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse) -> Decision? {
        let checks = checks(principal, address, use, isInstant: false)
        return checks.isEmpty ? nil : limiter.look(checks)
    }

    private func checks(
        _ principal: Principal?, _ address: ClientAddress?, _ use: EndpointUse, isInstant: Bool
    ) -> [Check] {
        guard use.cost > 0, principal?.tier != .trusted else { return [] }
        let off = off.withLock { $0 }
        var checks: [Check] = []
        func add(_ name: LimitName, _ key: LimitKey, _ cost: Int, limit: Int? = nil) {
            if !off.contains(name) {
                checks.append(Check(limiter.policyIDs[name.index], key, cost: cost, limit: limit))
            }
        }
        let key = principal.map { LimitKey("key:" + $0.id) } ?? address?.key() ?? Self.local
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
        max(1, Int(Double(units) * minutes[name.index]))
    }

    /// Whoever has no address, such as a socket of this machine.
    private static let local = LimitKey("local")

    // MARK: Guessed keys

    /// Counts a key that nobody holds.
    ///
    /// Only such keys are refused, because a neighbour behind the same address, who sends an old key over and over, must not
    /// keep out those whose keys are good.
    /// - Throws: ``Problem`` 429 where too many came from this address.
    package func noteFailedSignIn(from address: ClientAddress?) throws {
        guard !off.withLock({ $0.contains(.signIn) }) else { return }
        let decision = limiter.decide(Check(limiter.policyIDs[LimitName.signIn.index], address?.key() ?? Self.local))
        guard decision.isAllowed else { throw problem(decision) }
    }

    // MARK: Changing

    /// Sets a limit while requests run; `isOff` takes it out of force.
    package func set(_ name: LimitName, limit: Int, isOff: Bool) throws(RatePolicyError) {
        try limiter.set(limit: limit, of: limiter.policyIDs[name.index])
        off.withLock { off in
            if isOff || offForGood.contains(name) { off.insert(name) } else { off.remove(name) }
        }
    }

    package func state(of name: LimitName) -> LimitState {
        let policy = limiter[limiter.policyIDs[name.index]]
        return LimitState(
            limit: policy.limit, windowSeconds: policy.rule.window.map { Int($0 / .seconds(1)) },
            isOff: off.withLock { $0.contains(name) }, isOffForGood: offForGood.contains(name),
            isShadow: policy.isShadow)
    }

    // MARK: Telling

    func problem(_ decision: Decision) -> Problem {
        let seconds = decision.retryAfterSeconds(of: limiter)
        let names = decision.violated(of: limiter)
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
        RateLimitFields(decision, of: limiter, now: now.milliseconds / 1_000).all
            .map { HeaderField($0.name, $0.value) }
    }
}
