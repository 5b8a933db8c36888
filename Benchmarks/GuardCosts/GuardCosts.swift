// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import RateLimiting
import Resilience

/// What a decision, and what a call through guards costs the thread that asks for it, in nanoseconds of its CPU time, and what ten million strangers cost the
/// process in memory.
@main enum GuardCosts {
    private static let policies: [RatePolicy] = [
        .tokenBucket("bucket", limit: 1_000_000_000, per: .seconds(1), burst: 1_000_000),
        .slidingWindow("window", limit: 60_000, per: .seconds(60)),
        .slidingWindow("search", limit: 30_000, per: .seconds(60)),
    ]

    static func main() async throws {
        let limiter = try RateLimiter(policies, capacity: 262_144)
        let keys = (0..<100_000).map { _ in LimitKey(UUID().uuidString) }
        let texts = keys.map(\.text)
        for (policy, name) in zip(limiter.policyIDs, ["bucket", "window"]) {
            let hot = Check(policy, keys[0])
            measure("\(name), a hot key", 5_000_000) { _ in _ = limiter.decide(hot) }
            let text = texts[0]
            measure("\(name), a hot key that is hashed each time", 5_000_000) { _ in
                _ = limiter.decide(Check(policy, LimitKey(text)))
            }
            measure("\(name), 100,000 keys at random", 2_000_000) { number in
                _ = limiter.decide(Check(policy, LimitKey(texts[(number &* 7_919) % 100_000])))
            }
        }
        measure("three policies, a hot key", 2_000_000) { _ in
            let checks: InlineArray<3, Check> = [
                Check(limiter.policyIDs[0], keys[0]), Check(limiter.policyIDs[1], keys[0]),
                Check(limiter.policyIDs[2], keys[0]),
            ]
            _ = limiter.decide(checks)
        }
        let decision = limiter.decide(limiter.policyIDs.map { Check($0, keys[0]) })
        measure("the fields that tell of three policies", 200_000) { _ in
            _ = RateLimitFields(decision, of: limiter, now: 1_700_000_000).all
        }
        let one = Check(limiter.policyIDs[1], keys[0])
        var head = ByteBufferAllocator().buffer(capacity: 4_096)
        measure("a decision, and the lines that tell of it", 2_000_000) { _ in
            head.clear()
            limiter.decide(one).writeFields(of: limiter, now: 1_700_000_000, to: &head)
        }
        try await pipeline()
        try flood()
        if let shared = try SharedCosts() {
            try await shared.run()
        } else {
            print("shared limits: Redis is not installed")
        }
    }

    /// Retry, throttle, bulkhead, adaptive limit, breaker and deadline around a call that does nothing.
    private static func pipeline() async throws {
        let guards = Guards(
            retry: RetryPolicy(budget: RetryBudget("peer")), throttle: ClientThrottle("peer") { _ in false },
            bulkhead: Bulkhead("peer", limit: 100), limiter: ConcurrencyLimiter("peer"), breaker: Breaker("peer"),
            timeMax: .seconds(5))
        var five = guards
        five.throttle = nil
        try await measure("five guards around a call") { try await five.run {} }
        try await measure("the same and a throttle") { try await guards.run {} }
        let breaker = Guards(breaker: Breaker("peer"))
        try await measure("a breaker around a call") { try await breaker.run {} }
    }

    /// The best of five, in CPU time of the process, because a task may change its thread.
    private static func measure(_ name: String, _ body: () async throws -> Void) async throws {
        var best = Int.max
        for _ in 0..<5 {
            let start = time(CLOCK_PROCESS_CPUTIME_ID)
            for _ in 0..<200_000 { try await body() }
            best = min(best, (time(CLOCK_PROCESS_CPUTIME_ID) - start) / 200_000)
        }
        print("\(name): \(best) ns")
    }

    private static func flood() throws {
        let limiter = try RateLimiter([.slidingWindow("window", limit: 60, per: .seconds(60)), policies[0]])
        let before = resident()
        for number in 0..<10_000_000 {
            let key = LimitKey("stranger \(number)")
            _ = limiter.decide([Check(limiter.policyIDs[0], key), Check(limiter.policyIDs[1], key)] as InlineArray)
        }
        print("10,000,000 strangers under two policies: \((resident() - before) >> 20) MiB more resident")
    }

    /// The best of five, because other processes only add.
    private static func measure(_ name: String, _ count: Int, _ body: (Int) -> Void) {
        let costs = (0..<5).map { _ in
            let start = time(CLOCK_THREAD_CPUTIME_ID)
            for number in 0..<(count / 5) { body(number) }
            return Double(time(CLOCK_THREAD_CPUTIME_ID) - start) / Double(count / 5)
        }
        print("\(name): \(Int((costs.min() ?? 0).rounded())) ns")
    }

    private static func time(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static func resident() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4_096
    }
}
