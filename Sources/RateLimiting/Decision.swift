// SPDX-License-Identifier: Apache-2.0

/// One question to a limiter: may `key` use so much under a policy.
public struct Check: Sendable {
    let policy: Int
    public let key: LimitKey
    public let cost: Int
    /// The key's own limit, in place of the policy's.
    public let limit: Int?

    /// A `cost` of 0 is let in wherever the limit is not overdrawn.
    public init(_ policy: RateLimiter.PolicyID, _ key: LimitKey, cost: Int = 1, limit: Int? = nil) {
        precondition(
            (0...RatePolicy.limitMax).contains(cost), "A cost is not negative, and at most a thousand millions.")
        precondition(limit.map { (1...RatePolicy.limitMax).contains($0) } ?? true, "A limit lets something through.")
        self.policy = policy.index
        self.key = key
        self.cost = cost
        self.limit = limit
    }
}

/// What one policy says of a request.
public struct Quota: Sendable {
    // Small, because a decision is handed around whole.
    var availableUnits: Int32 = 0
    var limitUnits: Int32 = 0
    /// Counted so much, at a moment of the algorithm's own.
    var charged: Int32 = 0
    var policyIndex: UInt8 = 0
    /// Whether this policy would let the request in.
    public internal(set) var fits = true
    /// Whether it was counted in a place that several keys share.
    var isShared = false
    /// Whether it was counted in a store that processes share.
    var isElsewhere = false
    var hash: UInt64 = 0
    var moment: Int64 = 0
    /// Nanoseconds in which no more than ``available`` becomes available.
    public internal(set) var spanNanoseconds: Int64 = 0
    /// Nanoseconds until the request would fit; 0 where it does.
    public internal(set) var waitNanoseconds: Int64 = 0

    /// What can be used at once.
    public var available: Int { Int(availableUnits) }
    public var limit: Int { Int(limitUnits) }
    public var policy: RateLimiter.PolicyID { .init(index: Int(policyIndex)) }
}

/// The answer of all policies together: either each has counted the request, or none has.
public struct Decision: Sendable {
    public internal(set) var isAllowed = true
    /// Whether a cost is larger than its policy can ever let in, so that waiting does not help.
    public internal(set) var isImpossible = false
    /// Whether it was refused because nobody could be asked: the limit may not be used up at all.
    public internal(set) var isStoreAway = false
    public internal(set) var count = 0
    var quotas = InlineArray<8, Quota>(repeating: Quota())

    public subscript(place: Int) -> Quota {
        precondition(place < count, "A decision has as many quotas as there were checks.")
        return quotas[place]
    }

    /// Nanoseconds until the same request would be let in, if nothing else is used meanwhile; 0 where it was.
    public internal(set) var waitNanoseconds: Int64 = 0

    /// Adds what one more policy says; quotas come in the order of their policies.
    mutating func add(_ quota: Quota) {
        var place = count
        while place > 0, quotas[place - 1].policyIndex > quota.policyIndex {
            quotas[place] = quotas[place - 1]
            place -= 1
        }
        quotas[place] = quota
        count += 1
    }

    public var retryAfter: Duration { .nanoseconds(waitNanoseconds) }

    /// Of a request that no policy was asked about.
    public static let unlimited = Decision()

    /// Policies that one request may be checked against.
    public static let checksMax = 8
}
