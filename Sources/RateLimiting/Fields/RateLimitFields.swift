// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// What a client is told of its quotas: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), and the
/// `X-RateLimit-` fields that older clients read.
public struct RateLimitFields: Sendable {
    /// `nil` where no quota is told.
    public let policy: String?
    public let limit: String?
    /// Of the policy that is nearest to its end: limit, what is left, and when that may be more, in seconds since 1970.
    public let legacy: (limit: Int, remaining: Int, reset: Int64)?

    /// - Parameter now: seconds since 1970.
    public init(_ decision: Decision, of limiter: RateLimiter, now: Int64) {
        var (policies, limits) = ([StructuredMember](), [StructuredMember]())
        var nearest: (quota: Quota, span: Int64, share: Double)?
        for place in 0..<decision.count {
            let quota = decision[place]
            let policy = limiter[quota.policy]
            guard !policy.isShadow else { continue }
            let span = Self.span(quota, policy.rule)
            policies.append(Self.policy(policy, limit: quota.limit))
            limits.append(Self.limit(policy, quota, span))
            guard policy.rule.window != nil else { continue }
            // Of what it can hold, which is less than the limit in a bucket with a small burst.
            let capacity = Double(policy.rule.costMax) * Double(quota.limit) / Double(policy.limit)
            let share = Double(quota.usable) / capacity
            if share < nearest?.share ?? 2 { nearest = (quota, span, share) }
        }
        // Names were checked when the policies were declared, and numbers have ten digits at most.
        policy = policies.isEmpty ? nil : try? StructuredField.text(policies)
        limit = limits.isEmpty ? nil : try? StructuredField.text(limits)
        legacy = nearest.map { ($0.quota.limit, $0.quota.usable, now + $0.span) }
    }

    private static func policy(_ policy: RatePolicy, limit: Int) -> StructuredMember {
        var parameters = NamedValues<BareItem>()
        parameters["q"] = .integer(Int64(limit))
        if let window = policy.rule.window {
            parameters["w"] = .integer(max(1, (nanoseconds(window) + 999_999_999) / 1_000_000_000))
        } else {
            parameters["qu"] = .string("concurrent-requests")
        }
        return .item(StructuredItem(.string(policy.name), parameters))
    }

    private static func limit(_ policy: RatePolicy, _ quota: Quota, _ span: Int64) -> StructuredMember {
        var parameters = NamedValues<BareItem>()
        parameters["r"] = .integer(Int64(quota.usable))
        if policy.rule.window != nil { parameters["t"] = .integer(span) }
        return .item(StructuredItem(.string(policy.name), parameters))
    }

    /// Whole seconds in which no more than what is told can be used: until more comes, and so long that nobody reads a higher
    /// rate from it than the policy's own (draft section 8.5).
    private static func span(_ quota: Quota, _ rule: RatePolicy.Rule) -> Int64 {
        guard let window = rule.window else { return 1 }
        let width = nanoseconds(window)
        let comes = quota.fits ? quota.spanNanoseconds : quota.waitNanoseconds
        let fair = (width / 1_000 * Int64(quota.usable) / Int64(quota.limit)) * 1_000
        return max(1, (max(comes, fair) + 999_999_999) / 1_000_000_000)
    }
}

extension Quota {
    /// What may be used now; nothing where more was asked for than there is, because the next attempt has to wait.
    var usable: Int { fits ? available : 0 }
}

extension Decision {
    /// The names of policies that refused.
    public func violated(of limiter: RateLimiter) -> [String] {
        (0..<count).compactMap { place in
            let policy = limiter[self[place].policy]
            return self[place].fits || policy.isShadow ? nil : policy.name
        }
    }

    /// Seconds for `Retry-After`: never before the request would be let in, and spread over a third of the window or twenty
    /// seconds, so that clients who were refused together do not come back together.
    public func retryAfterSeconds(of limiter: RateLimiter, spread: Double = .random(in: 0..<1)) -> Int64 {
        let longest =
            (0..<count).filter { !self[$0].fits }
            .compactMap { limiter[self[$0].policy].rule.window.map(nanoseconds) }.max() ?? 0
        let room = min(Double(longest) / 3, 20e9)
        return max(1, (waitNanoseconds + Int64(room * spread) + 999_999_999) / 1_000_000_000)
    }
}
