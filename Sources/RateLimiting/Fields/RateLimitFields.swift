// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import NIOCore

/// What a client is told of its quotas: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), and the
/// `X-RateLimit-` fields that older clients read.
public struct RateLimitFields: Sendable {
    private let decision: Decision
    private let limiter: RateLimiter
    private let now: Int64

    /// `now` is in seconds since 1970.
    public init(_ decision: Decision, of limiter: RateLimiter, now: Int64) {
        (self.decision, self.limiter, self.now) = (decision, limiter, now)
    }

    /// The value of `RateLimit-Policy`; `nil` where no quota is told.
    public var policy: String? { text { $0.add(policiesOf: self) } }

    /// The value of `RateLimit`; `nil` where no quota is told.
    public var limit: String? { text { $0.add(limitsOf: self) } }

    private func text(_ write: (inout FieldText) -> Void) -> String? {
        let text = String(unsafeUninitializedCapacity: sizeMax) { bytes in
            var text = FieldText(UnsafeMutableRawBufferPointer(bytes))
            write(&text)
            return text.count
        }
        return text.isEmpty ? nil : text
    }

    /// Of the policy that is nearest to its end: limit, what is left, and when that may be more, in seconds since 1970.
    public var legacy: (limit: Int, remaining: Int, reset: Int64)? {
        var nearest: (place: Int, share: Double)?
        for place in 0..<decision.count {
            let (quota, told) = (decision.quotas[place], told(place))
            guard !told.isShadow, told.window > 0 else { continue }
            // Of what it can hold, which is less than the limit in a bucket with a small burst.
            let share = Double(quota.usable) / (told.capacityShare * Double(quota.limit))
            if share < nearest?.share ?? 2 { nearest = (place, share) }
        }
        guard let nearest else { return nil }
        let quota = decision.quotas[nearest.place]
        return (quota.limit, quota.usable, now + Self.span(quota, told(nearest.place)))
    }

    /// Adds the fields to a head of HTTP/1.1, each on a line of its own.
    package func write(to head: inout ByteBuffer) {
        guard (0..<decision.count).contains(where: { !told($0).isShadow }) else { return }
        head.writeWithUnsafeMutableBytes(minimumWritableBytes: sizeMax) { bytes in
            var text = FieldText(bytes)
            text.add("RateLimit-Policy: ")
            text.add(policiesOf: self)
            text.add("\r\nRateLimit: ")
            text.add(limitsOf: self)
            if let legacy {
                text.add("\r\nX-RateLimit-Limit: ")
                text.add(decimal: Int64(legacy.limit))
                text.add("\r\nX-RateLimit-Remaining: ")
                text.add(decimal: Int64(legacy.remaining))
                text.add("\r\nX-RateLimit-Reset: ")
                text.add(decimal: legacy.reset)
            }
            text.add("\r\n")
            return text.count
        }
    }

    /// Bytes that all lines together have at most: a name of 64 letters comes twice, and five numbers.
    package var sizeMax: Int { decision.count == 0 ? 0 : 192 + 256 * decision.count }

    /// What is told, in the order of the policies.
    fileprivate func forEach(_ body: (Quota, ToldPolicy, _ isFirst: Bool) -> Void) {
        var isFirst = true
        for place in 0..<decision.count where !told(place).isShadow {
            body(decision.quotas[place], told(place), isFirst)
            isFirst = false
        }
    }

    private func told(_ place: Int) -> ToldPolicy { limiter.told[Int(decision.quotas[place].policyIndex)] }

    /// Whole seconds in which no more than what is told can be used: until more comes, and so long that nobody reads a higher
    /// rate from it than the policy's own (draft section 8.5).
    fileprivate static func span(_ quota: Quota, _ told: ToldPolicy) -> Int64 {
        guard told.window > 0 else { return 1 }
        let comes = quota.fits ? quota.spanNanoseconds : quota.waitNanoseconds
        let fair = Int64(Double(told.window) * min(1, Double(quota.usable) / Double(quota.limit)))
        return max(1, (max(comes, fair) + 999_999_999) / 1_000_000_000)
    }
}

/// What of a policy is told, made once.
struct ToldPolicy: Sendable {
    let quotedName: [UInt8]
    /// `;w=60`, or what is counted instead.
    let windowParameter: [UInt8]
    /// Nanoseconds; 0 where nothing passes with time.
    let window: Int64
    /// What it can hold at once, as a share of its limit.
    let capacityShare: Double
    let isShadow: Bool

    init(_ policy: RatePolicy) {
        // Names have no character that a string of structured fields would escape.
        quotedName = Array("\"\(policy.name)\"".utf8)
        window = policy.rule.window.map(\.wholeNanoseconds) ?? 0
        let parameter =
            window > 0
            ? ";w=\(max(1, (window + 999_999_999) / 1_000_000_000))" : ";qu=\"concurrent-requests\""
        windowParameter = Array(parameter.utf8)
        capacityShare = Double(policy.rule.costMax) / Double(policy.limit)
        isShadow = policy.isShadow
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
            let policy = self[place].policy
            return self[place].fits || limiter.told[policy.index].isShadow ? nil : limiter.name(of: policy)
        }
    }

    /// Seconds for `Retry-After`: never before the request would be let in, and spread over a third of the window or twenty
    /// seconds, so that clients who were refused together do not come back together.
    public func retryAfterSeconds(of limiter: RateLimiter, spread: Double = .random(in: 0..<1)) -> Int64 {
        let longest =
            (0..<count).filter { !self[$0].fits }
            .map { limiter.told[self[$0].policy.index].window }.max() ?? 0
        let room = min(Double(longest) / 3, 20e9)
        return max(1, (waitNanoseconds + Int64(room * spread) + 999_999_999) / 1_000_000_000)
    }
}

/// Bytes that are written by hand, because that is done for every answer; a test reads them with the codec of structured fields.
private struct FieldText {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    mutating func add(policiesOf fields: RateLimitFields) {
        fields.forEach { quota, told, isFirst in
            if !isFirst { add(", ") }
            add(told.quotedName)
            add(";q=")
            add(decimal: Int64(quota.limit))
            add(told.windowParameter)
        }
    }

    mutating func add(limitsOf fields: RateLimitFields) {
        fields.forEach { quota, told, isFirst in
            if !isFirst { add(", ") }
            add(told.quotedName)
            add(";r=")
            add(decimal: Int64(quota.usable))
            guard told.window > 0 else { return }
            add(";t=")
            add(decimal: RateLimitFields.span(quota, told))
        }
    }

    mutating func add(_ text: StaticString) {
        add(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func add(_ text: [UInt8]) { text.withUnsafeBytes { add($0) } }

    private mutating func add(_ text: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).copyMemory(from: text)
        count += text.count
    }

    /// Adds a number in decimal digits; one below zero as 0, because nobody has less than nothing left.
    mutating func add(decimal number: Int64) {
        var rest = UInt64(clamping: number)
        var (digits, power) = (1, UInt64(10))
        while digits < 19, rest >= power { (digits, power) = (digits + 1, power &* 10) }
        count += digits
        for place in 1...digits {
            bytes[count - place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
