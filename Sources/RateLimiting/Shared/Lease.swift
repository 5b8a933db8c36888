// SPDX-License-Identifier: Apache-2.0

/// What was told of a key under a policy when Redis was asked last. Times are nanoseconds of the process's clock.
struct ToldQuota: Sendable {
    var available: Int32 = 0
    var limit: Int32 = 0
    /// No more than that comes until then.
    var spanEnd: Int64 = 0

    init() {}

    init(_ quota: Quota, askedAt: Int64) {
        (available, limit, spanEnd) = (quota.availableUnits, quota.limitUnits, askedAt + quota.spanNanoseconds)
    }

    func quota(_ check: Check, _ now: Int64) -> Quota {
        var quota = Quota(policyIndex: UInt8(check.policy), hash: check.key.hash)
        quota.isElsewhere = true
        (quota.availableUnits, quota.limitUnits) = (available, limit)
        quota.spanNanoseconds = max(0, spanEnd - now)
        return quota
    }
}

/// Units of a key under a policy that were counted already, for this process to use.
struct Lease: KeyEntry {
    let hash: UInt64
    /// Not used yet.
    private(set) var units: Int32 = 0
    private var granted: Int32 = 0
    /// Until when they may be used.
    private var end: Int64 = 0
    /// The slot of a window that they were counted in.
    private var slot: Int64 = 0
    private var told = ToldQuota()

    /// Used since Redis was asked last.
    private var used = 0
    /// Asked for then.
    private var wanted: Int32 = 0
    private var askedAt: Int64 = 0
    /// An answer is on its way until then.
    private var askingUntil: Int64 = 0
    /// Something was given back then, so that what had been refused may fit.
    var givenBackAt: Int64 = 0

    init(hash: UInt64) { self.hash = hash }

    func isIdle(_ now: Int64) -> Bool { end <= now && askingUntil <= now }
    var lastUse: Int64 { askedAt }

    /// Uses what a check costs, if it is here.
    mutating func take(_ check: Check, _ now: Int64) -> Quota? {
        guard end > now, Int(units) >= check.cost else { return nil }
        let cost = Int32(check.cost)
        units -= cost
        used += check.cost
        told.available = max(0, told.available - cost)
        var quota = told.quota(check, now)
        (quota.charged, quota.moment) = (cost, slot)
        return quota
    }

    mutating func putBack(_ quota: Quota) {
        guard slot == quota.moment, granted > 0 else { return }
        units += quota.charged
        used -= Int(quota.charged)
        told.available += quota.charged
    }

    /// Whether it is time to lease more.
    func isLow(_ now: Int64) -> Bool { units < granted / 4 && askingUntil <= now }

    /// Takes along what can no longer be used, and says how much more is used in `horizon`: at most `most`.
    mutating func prepare(
        _ line: inout LimitQuestion.Line, _ now: Int64, horizon: Int64, most: Int, askingUntil until: Int64
    ) {
        if units > 0, line.cost > 0 || end <= now {
            // What is leased of a bucket comes back by itself, and others may have it by now.
            if end > now || line.policy.algorithm.shared.isWindow { (line.back, line.backSlot) = (Int(units), slot) }
            units = 0
        }
        guard askingUntil <= now else {
            used += line.cost
            return
        }
        let elapsed = max(now - askedAt, horizon / 64)
        let rate = askedAt == 0 ? 0 : (Double(used) + Double(line.cost)) / Double(elapsed)
        line.want = min(most, max(Int(rate * Double(horizon)), Int(wanted) / 2))
        (wanted, used, askedAt, askingUntil) = (Int32(line.want), 0, now, until)
    }

    /// Remembers what Redis answered.
    /// - Returns: what was leased in a slot that has passed, and is to be given back.
    mutating func learn(
        _ policy: SharedPolicy, _ quota: Quota, granted more: Int, answeredAt: Int64, askedAt: Int64
    ) -> (units: Int, slot: Int64)? {
        askingUntil = 0
        told = ToldQuota(quota, askedAt: askedAt)
        guard more > 0 else { return nil }
        let rule = policy.algorithm.shared
        var time = policy.leaseTime
        // What is used in another slot than it was counted in would be counted too early. The script ran after it was asked,
        // so that nothing ends too late when it is reckoned from then.
        if rule.isWindow { time = min(time, (quota.moment + 1) * rule.pace * 1_000 - answeredAt) }
        let until = askedAt + time
        let left = (units: Int(units), slot: slot)
        if units > 0, slot == quota.moment {
            units += Int32(more)
            // Those of a bucket must not become older by it.
            end = rule.isWindow ? until : min(end, until)
            granted = units
            return nil
        }
        (units, granted, end, slot) = (Int32(more), Int32(more), until, quota.moment)
        return left.units > 0 ? left : nil
    }

    /// The answer did not come.
    mutating func forgetAsking() { askingUntil = 0 }
}

/// That a key was refused what costs so much, under one policy.
struct Refusal: KeyEntry {
    let hash: UInt64
    private(set) var askedAt: Int64 = 0
    /// When Redis is asked again, whether something was given back.
    private(set) var end: Int64 = 0
    /// When it fits, if nothing is.
    private(set) var fitsAt: Int64 = 0
    /// It never does.
    private(set) var isImpossible = false
    private(set) var told = ToldQuota()

    init(hash: UInt64) { self.hash = hash }

    init(hash: UInt64, _ quota: Quota, isImpossible: Bool, askedAt: Int64) {
        self.hash = hash
        self.isImpossible = isImpossible
        self.askedAt = askedAt
        fitsAt = askedAt + quota.waitNanoseconds
        end = min(fitsAt, askedAt + Self.timeMax)
        told = ToldQuota(quota, askedAt: askedAt)
    }

    func isIdle(_ now: Int64) -> Bool { end <= now }
    var lastUse: Int64 { askedAt }

    /// The longest that nobody asks.
    static let timeMax: Int64 = 1_000_000_000
}

extension Check {
    /// Of the key under its policy.
    var leaseHash: UInt64 { Self.leaseHash(key.hash, policy) }

    static func leaseHash(_ key: UInt64, _ policy: Int) -> UInt64 { mixed(key, policy + 1) }

    /// Of the key, what it costs, and its own limit, if it has one.
    var refusalHash: UInt64 { Self.mixed(Self.mixed(leaseHash, cost + 1), limit ?? 0) }

    private static func mixed(_ hash: UInt64, _ number: Int) -> UInt64 {
        let product = (hash ^ UInt64(number) &* 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        let mixed = product.high ^ product.low
        return mixed == 0 ? 1 : mixed
    }
}

extension Quota {
    init(_ check: Check, _ reading: SharedReading, granted: Int) {
        self.init(policyIndex: UInt8(check.policy), hash: check.key.hash)
        isElsewhere = true
        availableUnits = Int32(clamping: reading.available + granted)
        limitUnits = Int32(clamping: reading.limit)
        spanNanoseconds = reading.span
        waitNanoseconds = reading.wait
        moment = reading.slot
    }
}
