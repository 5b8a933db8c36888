// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import NIOCore

/// What a client is told of its quotas: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), and the
/// `X-RateLimit-` fields that older clients read.
public struct RateLimitFields: Sendable {
    private let policies: [UInt8]
    private let limits: [UInt8]
    /// Of the policy that is nearest to its end: limit, what is left, and when that may be more, in seconds since 1970.
    public let legacy: (limit: Int, remaining: Int, reset: Int64)?

    /// `now` is in seconds since 1970.
    public init(_ decision: Decision, of limiter: RateLimiter, now: Int64) {
        // Written by hand, because it is done for every answer; a test reads it with the codec of structured fields.
        var (policies, limits) = ([UInt8](), [UInt8]())
        policies.reserveCapacity(48 * decision.count)
        limits.reserveCapacity(48 * decision.count)
        var nearest: (quota: Quota, span: Int64, share: Double)?
        for place in 0..<decision.count {
            let quota = decision[place]
            let told = limiter.told[quota.policy.index]
            guard !told.isShadow else { continue }
            let span = Self.span(quota, told)
            if !policies.isEmpty {
                policies.append(", ")
                limits.append(", ")
            }
            policies += told.quotedName
            policies.append(";q=")
            policies.append(decimal: Int64(quota.limit))
            policies += told.windowParameter
            limits += told.quotedName
            limits.append(";r=")
            limits.append(decimal: Int64(quota.usable))
            guard told.window > 0 else { continue }
            limits.append(";t=")
            limits.append(decimal: span)
            // Of what it can hold, which is less than the limit in a bucket with a small burst.
            let share = Double(quota.usable) / (told.capacityShare * Double(quota.limit))
            if share < nearest?.share ?? 2 { nearest = (quota, span, share) }
        }
        (self.policies, self.limits) = (policies, limits)
        legacy = nearest.map { ($0.quota.limit, $0.quota.usable, now + $0.span) }
    }

    /// `nil` where no quota is told.
    public var policy: String? { policies.isEmpty ? nil : String(decoding: policies, as: UTF8.self) }
    public var limit: String? { limits.isEmpty ? nil : String(decoding: limits, as: UTF8.self) }

    /// Adds the fields to a head of HTTP/1.1, each on a line of its own.
    package func write(to head: inout ByteBuffer) {
        guard !policies.isEmpty else { return }
        head.writeStaticString("RateLimit-Policy: ")
        head.writeBytes(policies)
        head.writeStaticString("\r\nRateLimit: ")
        head.writeBytes(limits)
        if let legacy {
            var lines = [UInt8]()
            lines.reserveCapacity(112)
            lines.append("\r\nX-RateLimit-Limit: ")
            lines.append(decimal: Int64(legacy.limit))
            lines.append("\r\nX-RateLimit-Remaining: ")
            lines.append(decimal: Int64(legacy.remaining))
            lines.append("\r\nX-RateLimit-Reset: ")
            lines.append(decimal: legacy.reset)
            head.writeBytes(lines)
        }
        head.writeStaticString("\r\n")
    }

    /// Whole seconds in which no more than what is told can be used: until more comes, and so long that nobody reads a higher
    /// rate from it than the policy's own (draft section 8.5).
    private static func span(_ quota: Quota, _ told: ToldPolicy) -> Int64 {
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

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Adds a number in decimal digits; one below zero as 0, because nobody has less than nothing left.
    fileprivate mutating func append(decimal number: Int64) {
        let start = count
        var rest = UInt64(clamping: number)
        repeat {
            append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}
