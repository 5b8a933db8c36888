// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RateLimiting

@Suite struct LimiterTests {
    private func limiter(_ policies: [RatePolicy], _ clock: HandClock, capacity: Int = 1_024) throws -> RateLimiter {
        try RateLimiter(policies, capacity: capacity, clock: clock.clock)
    }

    @Test func `what one policy refuses costs nothing under the others`() throws {
        let clock = HandClock()
        let limiter = try limiter(
            [
                .slidingWindow("first", limit: 100, per: .seconds(60)),
                .tokenBucket("second", limit: 2, per: .seconds(60)),
                .concurrency("third", limit: 50),
            ], clock)
        let checks = limiter.policyIDs.map { Check($0, LimitKey("c"), cost: 2) }
        #expect(limiter.decide(checks).isAllowed)
        for _ in 0..<200 {
            let decision = limiter.decide(checks)
            #expect(!decision.isAllowed && decision[0].fits && !decision[1].fits && decision[2].fits)
            #expect(decision[0].available == 98 && decision[2].available == 48)
            #expect(decision.retryAfter == .seconds(60))
        }
    }

    @Test func `a shadow counts and refuses nothing`() throws {
        let clock = HandClock()
        var tried = RatePolicy.slidingWindow("tried", limit: 1, per: .seconds(60))
        tried.isShadow = true
        let limiter = try limiter([tried, .slidingWindow("kept", limit: 3, per: .seconds(60))], clock)
        let decisions = (0..<4).map { _ in limiter.decide(limiter.policyIDs.map { Check($0, LimitKey("c")) }) }
        #expect(decisions.map(\.isAllowed) == [true, true, true, false])
        #expect(decisions.map { $0[0].fits } == [true, false, false, false])
    }

    @Test func `the real cost takes the place of the charged one, also when it was more`() throws {
        let clock = HandClock()
        let limiter = try limiter(
            [.slidingWindow("w", limit: 10, per: .seconds(60)), .tokenBucket("b", limit: 10, per: .seconds(100))], clock
        )
        let checks = limiter.policyIDs.map { Check($0, LimitKey("c"), cost: 8) }
        let decision = limiter.decide(checks)
        limiter.settle(decision, actual: 3)
        var left = limiter.look(checks)
        #expect(left[0].available == 7 && left[1].available == 7)
        clock.advance(by: .seconds(61))
        limiter.settle(decision, actual: 3)
        #expect(limiter.look(checks)[0].available == 10, "a slot that no longer counts gives nothing back")
        let dear = limiter.decide(limiter.policyIDs.map { Check($0, LimitKey("c"), cost: 1) })
        limiter.settle(dear, actual: 25)
        left = limiter.look([Check(limiter.policyIDs[0], LimitKey("c")), Check(limiter.policyIDs[1], LimitKey("c"))])
        #expect(!left.isAllowed && left[0].available == 0 && left[1].available == 0)
        clock.now += left.waitNanoseconds
        #expect(
            limiter.look([Check(limiter.policyIDs[0], LimitKey("c")), Check(limiter.policyIDs[1], LimitKey("c"))])
                .isAllowed)
    }

    @Test func `settling leaves places alone, and goes by the limit that was counted under`() throws {
        let clock = HandClock()
        let limiter = try limiter(
            [
                .slidingWindow("w", limit: 100, per: .seconds(60)), .tokenBucket("b", limit: 10, per: .seconds(100)),
                .concurrency("c", limit: 8),
            ], clock)
        let (window, bucket, places) = (limiter.policyIDs[0], limiter.policyIDs[1], limiter.policyIDs[2])
        let decision = limiter.decide([Check(window, LimitKey("c"), cost: 8), Check(places, LimitKey("c"), cost: 8)])
        limiter.settle(decision, actual: 3)
        #expect(limiter.look([Check(places, LimitKey("c"))])[0].available == 0)
        limiter.release(decision)
        #expect(limiter.look([Check(places, LimitKey("c"))])[0].available == 8)

        let rich = limiter.decide(Check(bucket, LimitKey("rich"), cost: 800, limit: 1_000))
        limiter.settle(rich, actual: 790)
        #expect(limiter.look([Check(bucket, LimitKey("rich"), limit: 1_000)])[0].available == 210)
        let slow = try self.limiter([.tokenBucket("b", limit: 1, per: .seconds(86_400))], clock)
        let large = slow.decide(Check(slow.policyIDs[0], LimitKey("c"), cost: 1_000_000, limit: 1_000_000_000))
        slow.settle(large, actual: 0)
        #expect(large.isAllowed)
    }

    @Test func `as many run at once as are allowed, and a released place is free`() throws {
        let limiter = try limiter([.concurrency("c", limit: 2)], HandClock())
        let check = Check(limiter.policyIDs[0], LimitKey("c"))
        let running = [limiter.decide(check), limiter.decide(check)]
        let refused = limiter.decide(check)
        #expect(running.allSatisfy(\.isAllowed) && !refused.isAllowed)
        limiter.release(refused)
        #expect(!limiter.decide(check).isAllowed, "what was refused holds no place")
        limiter.release(running[0])
        #expect(limiter.decide(check).isAllowed && !limiter.decide(check).isAllowed)
    }

    @Test func `a key may have a limit of its own, and a limit may change while it is used`() throws {
        let clock = HandClock()
        let limiter = try limiter([.slidingWindow("w", limit: 2, per: .seconds(60))], clock)
        let policy = limiter.policyIDs[0]
        func passed(_ key: String, _ limit: Int?) -> Int {
            (0..<200_000).prefix { _ in limiter.decide(Check(policy, LimitKey(key), limit: limit)).isAllowed }.count
        }
        #expect(passed("common", nil) == 2)
        #expect(passed("partner", 50) == 50)
        try limiter.set(limit: 5, of: policy)
        #expect(passed("common", nil) == 3)
        try limiter.set(limit: 100_000, of: policy)
        #expect(passed("common", nil) == 100_000 - 5, "counters grew with the limit")
        #expect(passed("partner", 60) == 10)
        #expect(throws: RatePolicyError.self) { try limiter.set(limit: 0, of: policy) }
    }

    @Test func `a key may have far more than others, and a bucket keeps its proportion through every change`() throws {
        var policy = RatePolicy.slidingWindow("w", limit: 6_000, per: .seconds(60))
        policy.keyLimitMax = 1_000_000
        let limiter = try limiter(
            [policy, .tokenBucket("b", limit: 3_000, per: .seconds(60), burst: 500)], HandClock())
        let key = LimitKey("partner")
        let dear = limiter.decide(Check(limiter.policyIDs[0], key, cost: 900_000, limit: 1_000_000))
        #expect(dear.isAllowed && dear[0].available == 100_000)
        for limit in [1, 7, 1_000_000_000, 3_000] {
            try limiter.set(limit: limit, of: limiter.policyIDs[1])
        }
        #expect(limiter[limiter.policyIDs[1]].rule == .tokenBucket(limit: 3_000, window: .seconds(60), burst: 500))
    }

    @Test func `the largest numbers there are do no harm`() throws {
        let clock = HandClock(Int64.max / 4)
        let year = Duration.seconds(366 * 86_400)
        let limiter = try limiter(
            [
                .slidingWindow("w", limit: 1_000_000_000, per: year, slots: 1_024),
                .tokenBucket("b", limit: 1_000_000_000, per: year), .tokenBucket("slow", limit: 1, per: year, burst: 1),
                .concurrency("c", limit: 1_000_000_000),
            ], clock)
        for cost in [0, 1, 1_000_000_000] {
            for _ in 0..<10 {
                let decision = limiter.decide(limiter.policyIDs.map { Check($0, LimitKey("c"), cost: cost) })
                _ = RateLimitFields(decision, of: limiter, now: 0)
                _ = decision.retryAfterSeconds(of: limiter)
                limiter.settle(decision, actual: 1_000_000_000)
            }
        }
        for _ in 0..<10 {
            let one = limiter.decide(Check(limiter.policyIDs[0], LimitKey("d")))
            for _ in 0..<10 { limiter.settle(one, actual: 1_000_000_000) }
            let other = limiter.decide(Check(limiter.policyIDs[1], LimitKey("d")))
            for _ in 0..<1_000 { limiter.settle(other, actual: 1_000_000_000) }
        }
        #expect(!limiter.look([Check(limiter.policyIDs[0], LimitKey("d"))]).isAllowed)
        #expect(throws: RatePolicyError.self) {
            try RateLimiter([.tokenBucket("b", limit: 1, per: year, burst: 2)])
        }
        let impossible = limiter.decide(Check(limiter.policyIDs[2], LimitKey("e"), cost: 1_000_000_000))
        #expect(!impossible.isAllowed && impossible.isImpossible)
    }

    @Test func `who shared a place gives that back, also when there is another by then`() throws {
        let limiter = try limiter([.concurrency("c", limit: 1)], HandClock(), capacity: 64)
        let policy = limiter.policyIDs[0]
        let all = (0..<20_000).map { limiter.decide(Check(policy, LimitKey("\($0)"))) }
        let admitted = all.filter(\.isAllowed)
        #expect(admitted.count > 900 && limiter.losses(of: policy).shared > 10_000)
        // The first to leave make room where those who shared will be looked for.
        for decision in admitted { limiter.release(decision) }
        let again = (0..<20_000).map { limiter.decide(Check(policy, LimitKey("again \($0)"))) }
        #expect(again.count(where: \.isAllowed) == admitted.count)
    }

    @Test func `whoever is at the limit is not forgotten in a flood of strangers`() throws {
        let clock = HandClock()
        let limiter = try limiter(
            [.slidingWindow("w", limit: 5, per: .seconds(60)), .tokenBucket("b", limit: 5, per: .seconds(60))], clock)
        func decide(_ key: String) -> Decision { limiter.decide(limiter.policyIDs.map { Check($0, LimitKey(key)) }) }
        let limited = (0..<200).map { "limited \($0)" }
        for key in limited { for _ in 0..<5 { #expect(decide(key).isAllowed) } }
        for number in 0..<100_000 { _ = decide("stranger \(number)") }
        #expect(limited.allSatisfy { !decide($0).isAllowed })
        #expect(limiter.losses(of: limiter.policyIDs[0]).forgotten > 90_000)
        // When the limit has passed, there is room again.
        clock.advance(by: .seconds(120))
        let before = limiter.losses(of: limiter.policyIDs[0])
        for number in 0..<1_000 { #expect(decide("new \(number)").isAllowed) }
        #expect(limiter.losses(of: limiter.policyIDs[0]).shared == before.shared)
    }

    @Test func `newcomers share a place where every other one is at its limit`() throws {
        let limiter = try limiter([.slidingWindow("w", limit: 1, per: .seconds(60))], HandClock(), capacity: 64)
        let admitted = (0..<100_000).count { limiter.decide(Check(limiter.policyIDs[0], LimitKey("\($0)"))).isAllowed }
        // Sixteen shards of sixty-four places and one to share.
        #expect(admitted <= 16 * 65)
        #expect(limiter.losses(of: limiter.policyIDs[0]).shared > 90_000)
    }

    @Test func `threads that meet on one key are let in exactly as often as the limit says`() async throws {
        let clock = HandClock()
        let limiter = try limiter(
            [
                .slidingWindow("w", limit: 5_000, per: .seconds(60)),
                .tokenBucket("b", limit: 4_000, per: .seconds(3_600)),
            ],
            clock)
        let admitted = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    (0..<2_000).count { number in
                        // Other keys in the other order of shards, for whoever would wait in a ring.
                        let own = LimitKey("own \(worker) \(number % 50)")
                        _ = limiter.decide(limiter.policyIDs.map { Check($0, own, cost: 0) })
                        return limiter.decide(limiter.policyIDs.map { Check($0, LimitKey("shared")) }).isAllowed
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(admitted == 4_000)
    }

    @Test(
        arguments: [
            (RatePolicy.slidingWindow("w", limit: 0, per: .seconds(1)), "limit"),
            (.slidingWindow("w", limit: 1, per: .zero), "window"),
            (.slidingWindow("w", limit: 1, per: .seconds(1), slots: 0), "slots"),
            (.tokenBucket("w", limit: 1, per: .seconds(1), burst: 0), "burst"),
            (.concurrency("two words", limit: 1), "name"),
        ])
    func `a policy that cannot be kept says why`(policy: RatePolicy, word: String) throws {
        let error = #expect(throws: RatePolicyError.self) { try RateLimiter([policy]) }
        #expect(error?.description.contains(word) == true)
    }
}
