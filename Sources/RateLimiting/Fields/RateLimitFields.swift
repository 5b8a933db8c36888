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
    public var policy: String? { text { $0.add(policiesOf: decision, limiter.told) } }

    /// The value of `RateLimit`; `nil` where no quota is told.
    public var limit: String? { text { $0.add(limitsOf: decision, limiter.told) } }

    private func text(_ write: (inout FieldText) -> Void) -> String? {
        let text = String(unsafeUninitializedCapacity: decision.fieldsSizeMax) { bytes in
            limiter.told.write(UnsafeMutableRawBufferPointer(bytes), write)
        }
        return text.isEmpty ? nil : text
    }

    /// Of the policy that is nearest to its end: limit, what is left, and when that may be more, in seconds since 1970.
    public var legacy: (limit: Int, remaining: Int, reset: Int64)? { decision.nearest(limiter.told, now: now) }
}

extension Decision {
    /// More bytes than all lines of ``writeFields(of:now:to:)`` ever have, which are 139 and 187 for each policy: its name of 64
    /// letters twice, four numbers, and what stands between.
    package var fieldsSizeMax: Int { count == 0 ? 0 : 192 + 256 * count }

    /// Adds what ``RateLimitFields`` tells to a head of HTTP/1.1, each field on a line of its own.
    ///
    /// Cost: some 60 ns for one policy; nothing is allocated where `head` has room. `now` is in seconds since 1970.
    package func writeFields(of limiter: RateLimiter, now: Int64, to head: inout ByteBuffer) {
        let told = limiter.told
        guard (0..<count).contains(where: { !told[quotas[$0]].isShadow }) else { return }
        head.writeWithUnsafeMutableBytes(minimumWritableBytes: fieldsSizeMax) { bytes in
            told.write(bytes) { text in
                text.add("RateLimit-Policy: ")
                text.add(policiesOf: self, told)
                text.add("\r\nRateLimit: ")
                text.add(limitsOf: self, told)
                if let nearest = nearest(told, now: now) {
                    text.add("\r\nX-RateLimit-Limit: ")
                    text.add(decimal: Int64(nearest.limit))
                    text.add("\r\nX-RateLimit-Remaining: ")
                    text.add(decimal: Int64(nearest.remaining))
                    text.add("\r\nX-RateLimit-Reset: ")
                    text.add(decimal: nearest.reset)
                }
                text.add("\r\n")
            }
        }
    }

    fileprivate func nearest(_ told: ToldPolicies, now: Int64) -> (limit: Int, remaining: Int, reset: Int64)? {
        var nearest: (place: Int, share: Double)?
        for place in 0..<count {
            let (quota, told) = (quotas[place], told[quotas[place]])
            guard !told.isShadow, told.window > 0 else { continue }
            // Of what it can hold, which is less than the limit in a bucket with a small burst.
            let share = count == 1 ? 0 : Double(quota.usable) / (told.capacityShare * Double(quota.limit))
            if share < nearest?.share ?? 2 { nearest = (place, share) }
        }
        guard let nearest else { return nil }
        let quota = quotas[nearest.place]
        return (quota.limit, quota.usable, now + quota.span(told[quota]))
    }
}

extension Quota {
    /// What may be used now; nothing where more was asked for than there is, because the next attempt has to wait.
    var usable: Int { fits ? available : 0 }

    /// Whole seconds in which no more than what is told can be used: until more comes, and so long that nobody reads a higher
    /// rate from it than the policy's own (draft section 8.5).
    func span(_ told: ToldPolicy) -> Int64 {
        guard told.window > 0 else { return 1 }
        let comes = fits ? spanNanoseconds : waitNanoseconds
        let fair = Int64(Double(told.window) * min(1, Double(usable) / Double(limit)))
        return max(1, (max(comes, fair) + 999_999_999) / 1_000_000_000)
    }
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
