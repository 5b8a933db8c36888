// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RateLimiting

@Suite(.enabled(if: TestRedis.isInstalled, "Redis is not installed: apt-get install redis-server"))
struct SharedTests {
    private static let policies: [RatePolicy] = [
        .slidingWindow("minute", limit: 40, per: .seconds(60)),
        .slidingWindow("wide", limit: 100_000, per: .seconds(7), slots: 5),
        .tokenBucket("bucket", limit: 30, per: .seconds(60), burst: 12),
        .slidingWindow("tried", limit: 9, per: .seconds(10), slots: 3),
    ]

    @Test func `Redis decides as this process does, whatever comes`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        var random = SeededGenerator(seed: 11)
        var policies = Self.policies
        policies[3].isShadow = true
        let clock = HandClock(1_700_000_000_000_000_000)
        var options = SharedLimitOptions()
        (options.leaseTime, options.deadline, options.clock) = (.zero, .seconds(10), .process)
        options.wallClock = { clock.now / 1_000 }
        let local = try RateLimiter(policies, clock: clock.clock)
        let shared = try SharedRateLimiter(policies, redis: server.url, options: options, clock: clock.clock)
        await shared.settled()
        var refused = 0
        for _ in 0..<6_000 {
            clock.now +=
                Int64.random(
                    in: 0...(Int.random(in: 0..<9, using: &random) == 0 ? 20_000_000 : 900_000), using: &random) * 1_000
            let key = LimitKey("client \(Int.random(in: 0..<3, using: &random))")
            let chosen = local.policyIDs.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            guard !chosen.isEmpty else { continue }
            let checks = chosen.map { policy in
                Check(
                    policy, key, cost: Int.random(in: 0...5, using: &random),
                    limit: Int.random(in: 0..<5, using: &random) == 0 ? 20 : nil)
            }
            let expected = local.decide(checks)
            let found = await shared.decide(checks)
            #expect(found.isAllowed == expected.isAllowed)
            if !expected.isAllowed { refused += 1 }
            // A refusal that is known here names the policies that refuse and no others.
            for place in 0..<found.count {
                let here = found[place]
                let there = try #require((0..<expected.count).map { expected[$0] }.first { $0.policy == here.policy })
                try #require(
                    here.fits == there.fits && here.limit == there.limit
                        && (found.count < expected.count || here.available == there.available),
                    "\(here) and \(there)")
                if here.fits { #expect(here.spanNanoseconds == there.spanNanoseconds) }
                if !here.fits, found.count == expected.count {
                    #expect(here.waitNanoseconds == there.waitNanoseconds)
                }
            }
            if found.isAllowed, Int.random(in: 0..<3, using: &random) == 0 {
                let cost = Int.random(in: 0...7, using: &random)
                local.settle(expected, actual: cost)
                shared.settle(found, for: checks, actual: cost)
            }
        }
        #expect(refused > 500)
    }

    @Test func `places of what runs at once are shared, given back, and come back from the dead`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let clock = HandClock(1_700_000_000_000_000_000)
        var options = SharedLimitOptions()
        (options.clock, options.deadline) = (.process, .seconds(10))
        options.wallClock = { clock.now / 1_000 }
        var own = RatePolicy.concurrency("own", limit: 2)
        own.isPerProcess = true
        let processes = try (0..<3).map { _ in
            try SharedRateLimiter(
                [.concurrency("open", limit: 3), own], redis: server.url, options: options, clock: clock.clock)
        }
        for process in processes { await process.settled() }
        let checks = processes[0].local.policyIDs.map { Check($0, LimitKey("c")) }
        var decisions: [Decision] = []
        for process in processes { decisions.append(await process.decide(checks)) }
        #expect(decisions.map(\.isAllowed) == [true, true, true])
        let fourth = await processes[1].decide(checks)
        #expect(!fourth.isAllowed && fourth.retryAfter == .seconds(1) && !fourth[0].fits)
        clock.advance(by: .milliseconds(1_001))
        processes[0].release(decisions[0], for: checks)
        // What follows on the same connection comes after it.
        _ = await processes[0].look(checks)
        let again = await processes[1].decide(checks)
        #expect(again.isAllowed && again[1].available == 0, "its own place was not kept by what was refused")
        let third = await processes[1].decide(checks)
        #expect(!third.isAllowed && third[0].policy == processes[0].local.policyIDs[1])
        clock.advance(by: .seconds(62))
        #expect(await processes[2].decide(checks).isAllowed, "the places of whoever died are free again")
    }

    @Test func `while Redis is away each policy does what it says, and Redis is found again`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        var policies = ["open", "closed", "share"].map { RatePolicy.slidingWindow($0, limit: 10, per: .seconds(600)) }
        (policies[0].whenStoreFails, policies[1].whenStoreFails) = (.open, .closed)
        var options = SharedLimitOptions()
        options.leaseTime = .zero
        options.deadline = .seconds(5)
        let processes = try (0..<2).map { _ in
            try SharedRateLimiter(policies, redis: server.url, options: options)
        }
        for process in processes { await process.settled() }
        let ids = processes[0].local.policyIDs
        func ask(_ policy: Int, _ times: Int, _ key: String = "c") async -> Int {
            var allowed = 0
            for turn in 0..<times {
                if await processes[turn % 2].decide([Check(ids[policy], LimitKey(key))]).isAllowed { allowed += 1 }
            }
            return allowed
        }
        func soon(_ isDone: () async -> Bool) async throws {
            let end = ContinuousClock.now + .seconds(20)
            while await !isDone() {
                try #require(ContinuousClock.now < end, "it never came to be")
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        try await soon {
            for process in processes { _ = process.decideAtOnce([Check(ids[0], LimitKey("x"))]) }
            return processes.map(\.fleet.count) == [2, 2]
        }
        for policy in 0..<3 { #expect(await ask(policy, 14) == 10) }

        try server.crash()
        try await soon { processes.allSatisfy { !$0.redis.isAnswering } }
        #expect(await ask(0, 40, "other") == 40)
        #expect(await ask(1, 40) == 0)
        try await soon {
            // What was refused before Redis went is remembered for a second at most.
            let decision = await processes[0].decide([Check(ids[2], LimitKey("c"))])
            return decision[0].fits
        }
        #expect(await ask(2, 40) == 9, "two processes share ten, of which one was used")
        let refusal = await processes[0].decide([Check(ids[1], LimitKey("new"))])
        #expect(!refusal.isAllowed && refusal.retryAfter == .seconds(1))

        try server.restart()
        try await soon { processes.allSatisfy { $0.redis.isAnswering } }
        for policy in 0..<3 { #expect(await ask(policy, 1) + ask(policy, 20) == 10, "no more than once again") }
        try await soon {
            _ = processes[0].decideAtOnce([Check(ids[0], LimitKey("c"))])
            return processes[0].fleet.lossCount == 1
        }
    }

    /// Processes on one Redis, whose clocks a test moves by hand.
    private func fleet(
        _ server: TestRedis, _ policy: RatePolicy, _ clocks: [HandClock], leaseTime: Duration = .zero
    ) async throws -> [SharedRateLimiter] {
        var limiters: [SharedRateLimiter] = []
        for clock in clocks {
            var options = SharedLimitOptions()
            (options.leaseTime, options.deadline, options.clock) = (leaseTime, .seconds(10), .process)
            options.wallClock = { clock.now / 1_000 }
            let limiter = try SharedRateLimiter([policy], redis: server.url, options: options, clock: clock.clock)
            await limiter.settled()
            limiters.append(limiter)
        }
        return limiters
    }

    @Test func `clocks that disagree by little do not fill a bucket twice`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let start: Int64 = 1_700_000_000_000_000_000
        let clocks = [HandClock(start + 10_000_000), HandClock(start)]
        let fleet = try await fleet(server, .tokenBucket("b", limit: 100, per: .seconds(1), burst: 20), clocks)
        var allowed = 0
        // A second passes, in which the two ask by turns.
        for turn in 0..<1_000 {
            for clock in clocks { clock.advance(by: .milliseconds(1)) }
            let limiter = fleet[turn % 2]
            if await limiter.decide([Check(limiter.local.policyIDs[0], LimitKey("c"))]).isAllowed { allowed += 1 }
        }
        #expect(allowed <= 122, "a hundred a second, twenty at once, and what the clocks differ by")
        #expect(allowed >= 115)
    }

    @Test func `what was leased of a bucket and not used is nobody's once it has come back by itself`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let clock = HandClock(1_700_000_000_000_000_000)
        let policy = RatePolicy.tokenBucket("b", limit: 3_000, per: .seconds(60), burst: 500)
        let fleet = try await fleet(server, policy, [clock, clock], leaseTime: .milliseconds(200))
        let check = Check(fleet[0].local.policyIDs[0], LimitKey("c"))
        // Busy enough to be given a lease, and then silent.
        for _ in 0..<60 {
            clock.advance(by: .milliseconds(1))
            #expect(await fleet[0].decide([check]).isAllowed)
        }
        clock.advance(by: .seconds(20))
        let rest = Check(fleet[0].local.policyIDs[0], LimitKey("c"), cost: 480)
        #expect(await fleet[1].decide([rest]).isAllowed)
        var more = 0
        for _ in 0..<100 where await fleet[0].decide([check]).isAllowed { more += 1 }
        #expect(more <= 20, "five hundred at once, and no more")
    }

    @Test func `costs that are larger than anything are refused for good, also when it is known`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let clock = HandClock(1_700_000_000_000_000_000)
        let policy = RatePolicy.tokenBucket("b", limit: 5, per: .seconds(3_600))
        let fleet = try await fleet(server, policy, [clock], leaseTime: .milliseconds(200))
        let check = Check(fleet[0].local.policyIDs[0], LimitKey("c"), cost: 1_000_000_000)
        for _ in 0..<3 {
            let decision = await fleet[0].decide([check])
            #expect(!decision.isAllowed && decision.isImpossible)
        }
        let wide = try await self.fleet(
            server, .slidingWindow("w", limit: 1_000_000_000, per: .seconds(60)), [clock], leaseTime: .milliseconds(200)
        )
        let dear = Check(wide[0].local.policyIDs[0], LimitKey("c"), cost: 1_000_000_000)
        let limiter = wide[0]
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = await limiter.decide([dear]) } }
        }
    }

    @Test func `a limit that was raised and lowered again is counted as before`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let clock = HandClock(1_700_000_000_000_000_000)
        let fleet = try await fleet(server, .slidingWindow("w", limit: 10, per: .seconds(60)), [clock, clock])
        let check = Check(fleet[0].local.policyIDs[0], LimitKey("c"), cost: 6)
        #expect(await fleet[0].decide([check]).isAllowed)
        try fleet[0].set(limit: 100_000, of: fleet[0].local.policyIDs[0])
        #expect(await fleet[0].look([check])[0].available == 99_994)
        try fleet[0].set(limit: 10, of: fleet[0].local.policyIDs[0])
        #expect(await !fleet[0].decide([check]).isAllowed)
        #expect(await !fleet[1].decide([check]).isAllowed)
    }
}
