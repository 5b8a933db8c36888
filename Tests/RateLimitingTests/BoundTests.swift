// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RateLimiting

/// What a window admits, measured by the exact log of what passed.
@Suite struct BoundTests {

    private static let seeds = 1_000
    private static let requests = 10_000

    @Test func `no span of a window ever holds more than the limit, and what is refused fits when it is said to`()
        throws
    {
        var untight = 0
        for seed in 1...UInt64(Self.seeds) {
            var random = SeededGenerator(seed: seed)
            let limit = [1, 2, 3, 10, 100, 1_000].randomElement(using: &random) ?? 1
            let slots = [1, 2, 10, 60].randomElement(using: &random) ?? 60
            let window = Int64([1_000, 60_000, 86_400_000].randomElement(using: &random) ?? 1_000) * 1_000_000
            let policy = RatePolicy.slidingWindow("w", limit: limit, per: .nanoseconds(window), slots: slots)
            let clock = HandClock(Int64.random(in: 0...window, using: &random))
            let limiter = try RateLimiter([policy], capacity: 64, clock: clock.clock)
            let key = LimitKey("client")
            var log = ExactLog(window: window)
            var schedule = Schedule(seed: seed, limit: limit, window: window)
            var wait: Int64 = 0
            for request in 0..<Self.requests {
                clock.now += schedule.pause(after: wait)
                let cost = schedule.cost()
                let check = Check(limiter.policyIDs[0], key, cost: cost)
                let decision = limiter.decide(check)
                wait = decision.waitNanoseconds
                log.roll(to: clock.now)
                if decision.isAllowed {
                    log.add(cost, at: clock.now)
                    guard log.total <= limit else {
                        Issue.record("seed \(seed), request \(request): \(log.total) of \(limit) in one window")
                        return
                    }
                } else if request % 16 == 0 {
                    // Tight: not a millisecond before, and at the moment itself.
                    let due = clock.now + wait
                    clock.now = max(clock.now, due - 1_000_000)
                    if wait > 1_000_000, limiter.look([check]).isAllowed { untight += 1 }
                    clock.now = due
                    if !limiter.look([check]).isAllowed { untight += 1 }
                }
            }
        }
        #expect(untight == 0)
    }

    @Test(arguments: [0.8, 1, 2, 10])
    func `sixty slots let through at least 98 of what the exact log would`(load: Double) throws {
        let (limit, window) = (100, Int64(60_000_000_000))
        let clock = HandClock()
        let limiter = try RateLimiter(
            [.slidingWindow("w", limit: limit, per: .seconds(60), slots: 60)], capacity: 64, clock: clock.clock)
        let check = Check(limiter.policyIDs[0], LimitKey("client"))
        var log = ExactLog(window: window)
        var (ours, exact) = (0, 0)
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60_000 {
            clock.now += Int64(Double(window) / Double(limit) / load * Double.random(in: 0...2, using: &random))
            if limiter.decide(check).isAllowed { ours += 1 }
            log.roll(to: clock.now)
            if log.total < limit {
                log.add(1, at: clock.now)
                exact += 1
            }
        }
        #expect(Double(ours) >= 0.98 * Double(exact), "\(ours) of \(exact)")
        #expect(ours <= exact)
    }

    /// Every sequence of costs and pauses of a small limiter, against a model that remembers single requests.
    @Test func `costs, burst and several policies agree with a model in every small case`() throws {
        for limit in 1...4 {
            for burst in 1...3 {
                for sequence in 0..<1_296 {
                    try compare(limit: limit, burst: burst, sequence: sequence)
                }
            }
        }
    }

    private func compare(limit: Int, burst: Int, sequence: Int) throws {
        let clock = HandClock(4_000_000_000)
        let limiter = try RateLimiter(
            [
                .slidingWindow("window", limit: limit, per: .seconds(4), slots: 4),
                .tokenBucket("bucket", limit: 2, per: .seconds(2), burst: burst),
            ], capacity: 64, clock: clock.clock)
        var passed: [(slot: Int64, cost: Int)] = []
        var (tokens, filledAt) = (Double(burst), 4.0)
        var rest = sequence
        for _ in 0..<4 {
            clock.now += Int64(rest % 3) * 1_000_000_000
            rest /= 3
            let cost = 1 + rest % 2
            rest /= 2
            let (slot, seconds) = (clock.now / 1_000_000_000, Double(clock.now) / 1e9)
            passed.removeAll { $0.slot < slot - 4 }
            tokens = min(Double(burst), tokens + seconds - filledAt)
            filledAt = seconds
            let fits = passed.reduce(0) { $0 + $1.cost } + cost <= limit && tokens >= Double(cost)
            let decision = limiter.decide([
                Check(limiter.policyIDs[0], LimitKey("a"), cost: cost),
                Check(limiter.policyIDs[1], LimitKey("b"), cost: cost),
            ])
            #expect(decision.isAllowed == fits, "limit \(limit), burst \(burst), sequence \(sequence)")
            #expect(decision.isImpossible == (cost > limit || cost > burst))
            if fits {
                passed.append((slot, cost))
                tokens -= Double(cost)
            }
            #expect(decision[0].available == max(0, limit - passed.reduce(0) { $0 + $1.cost }))
            #expect(decision[1].available == Int(tokens))
        }
    }

    @Test func `a bucket lets its burst through at once, and then its rate`() throws {
        let clock = HandClock()
        let limiter = try RateLimiter(
            [.tokenBucket("b", limit: 10, per: .seconds(1), burst: 5)], capacity: 64, clock: clock.clock)
        let check = Check(limiter.policyIDs[0], LimitKey("client"))
        func passed(_ attempts: Int) -> Int { (0..<attempts).count { _ in limiter.decide(check).isAllowed } }
        #expect(passed(20) == 5)
        let refused = limiter.decide(check)
        #expect(refused.retryAfter == .milliseconds(100))
        clock.advance(by: .milliseconds(99))
        #expect(passed(1) == 0)
        clock.advance(by: .milliseconds(1))
        #expect(passed(2) == 1)
        clock.advance(by: .seconds(60))
        #expect(passed(20) == 5)
    }
}
