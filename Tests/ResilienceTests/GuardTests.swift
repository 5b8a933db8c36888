// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Resilience

@Suite struct GuardTests {
    private struct Refused: Error {}
    private struct Broken: Error {}

    @Test func `what turns calls away is asked twice what it takes, and at least once a second`() {
        let time = HandClock()
        let throttle = ClientThrottle("db", now: time.source) { $0 is Refused }
        var random = SeededGenerator(seed: 5)
        var (asked, seen) = (0, 0)
        // It takes one in ten of what it is asked, for four minutes.
        for number in 0..<24_000 {
            time.advance(by: .milliseconds(10))
            let isAdmitted = throttle.admit(at: Double.random(in: 0..<1, using: &random))
            if isAdmitted, number % 10 == 0 { throttle.accepted() }
            guard number > 12_000 else { continue }
            asked += 1
            if isAdmitted { seen += 1 }
        }
        #expect(Double(seen) / Double(asked) > 0.09 && Double(seen) / Double(asked) < 0.13, "\(seen) of \(asked)")
    }

    @Test func `what takes everything is asked everything`() async throws {
        let throttle = ClientThrottle("db") { $0 is Refused }
        for _ in 0..<1_000 { try await throttle.run {} }
        for _ in 0..<1_000 { await #expect(throws: Broken.self) { try await throttle.run { throw Broken() } } }
    }

    @Test func `a late answer is asked for again, within the budget, and the first one counts`() async throws {
        let time = HandClock()
        let hedge = Hedge(
            after: .milliseconds(20), budget: RetryBudget("read", share: 1, perSecondMin: 0, now: time.source))
        let calls = Atomic(0)
        func ask() async throws -> Int {
            try await hedge.run {
                let number = calls.add(1, ordering: .relaxed).newValue
                if number % 2 == 1 { try await Task.sleep(for: .seconds(30)) }
                return number
            }
        }
        #expect(try await ask() == 2)
        #expect(calls.load(ordering: .relaxed) == 2)
        for _ in 0..<4 { #expect(try await ask() % 2 == 0) }
        // Without a budget nobody is asked twice, however late the answer is.
        let poor = Hedge(
            after: .milliseconds(5), budget: RetryBudget("read", share: 0, perSecondMin: 0, now: time.source))
        let once = Atomic(0)
        try await poor.run {
            once.add(1, ordering: .relaxed)
            try await Task.sleep(for: .milliseconds(60))
        }
        #expect(once.load(ordering: .relaxed) == 1)
        // A failure is not hedged.
        let failing = Atomic(0)
        await #expect(throws: Broken.self) {
            try await hedge.run {
                failing.add(1, ordering: .relaxed)
                throw Broken()
            }
        }
        #expect(failing.load(ordering: .relaxed) == 1)
    }

    @Test func `guards stand around each other, and what one refuses is not tried again`() async throws {
        let guards = Guards(
            retry: RetryPolicy(attemptsMax: 3, firstPause: .zero), bulkhead: Bulkhead("db", limit: 1),
            limiter: ConcurrencyLimiter("db"), breaker: Breaker("db"), timeMax: .seconds(5))
        var attempts = 0
        await #expect(throws: Broken.self) {
            try await guards.run(advice: { _ in .retry }) {
                attempts += 1
                throw Broken()
            }
        }
        #expect(attempts == 3)
        let left = try await guards.run { Deadline.current?.remaining ?? .zero }
        #expect(left > .seconds(4) && left <= .seconds(5))
        let shorter = try await Deadline.$current.withValue(.after(.seconds(1))) {
            try await guards.run { Deadline.current?.remaining ?? .zero }
        }
        #expect(shorter <= .seconds(1))
        var refusals = 0
        try await guards.run { () async throws -> Void in
            _ = try? await guards.run(advice: { _ in
                refusals += 1
                return .retry
            }) {}
        }
        #expect(refusals == 0)
        for _ in 0..<10 { _ = try? await guards.run { throw Broken() } }
        await #expect(throws: BreakerOpen.self) { try await guards.run {} }
    }
}
