// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Resilience

@Suite struct RetryTests {
    private struct Broken: Error {}

    @Test func `pauses grow, are spread, and have a bound`() {
        let policy = RetryPolicy(firstPause: .milliseconds(100), pauseMax: .seconds(2))
        for number in 1...10 {
            let full = Duration.milliseconds(min(2_000, 100 * (1 << (number - 1))))
            #expect(policy.pause(after: number, .zero, .retry, at: 1) == full)
            #expect(policy.pause(after: number, .zero, .retry, at: 0) == .zero)
        }
        var queue = policy
        queue.jitter = .decorrelated
        #expect(queue.pause(after: 1, .milliseconds(400), .retry, at: 0) == .milliseconds(100))
        #expect(queue.pause(after: 1, .milliseconds(400), .retry, at: 1) == .milliseconds(1_200))
        #expect(queue.pause(after: 1, .seconds(1), .retry, at: 1) == .seconds(2))
    }

    @Test func `the other side's word on when wins, and where it is too late nothing is tried`() {
        let policy = RetryPolicy(firstPause: .milliseconds(100), pauseMax: .seconds(2))
        #expect(policy.pause(after: 1, .zero, .retryAfter(.seconds(1)), at: 0) == .seconds(1))
        #expect(policy.pause(after: 1, .zero, .retryAfter(.seconds(1)), at: 1) == .milliseconds(1_100))
        #expect(policy.pause(after: 1, .zero, .retryAfter(.seconds(3)), at: 0) == nil)
        #expect(policy.pause(after: 1, .zero, .giveUp) == nil)
    }

    @Test func `nothing is tried again that the caller would not see the end of`() async {
        var attempts = 0
        let policy = RetryPolicy(attemptsMax: 5, firstPause: .seconds(5))
        await Deadline.$current.withValue(.after(.milliseconds(20))) {
            _ = try? await policy.run(advice: { _ in .retryAfter(.seconds(1)) }) { _ in
                attempts += 1
                throw Broken()
            }
        }
        #expect(attempts == 1)
    }

    /// Three layers, each with four attempts, over something that is down.
    @Test func `layers that retry within a budget add a tenth each, where they would have made it sixty-four`() async {
        let time = HandClock()
        var asked = 0
        func ask(_ layer: Int, _ budgets: [RetryBudget?]) async throws {
            guard layer > 0 else {
                asked += 1
                throw Broken()
            }
            let policy = RetryPolicy(attemptsMax: 4, firstPause: .zero, budget: budgets[layer - 1])
            try await policy.run(advice: { _ in .retry }) { _ in try await ask(layer - 1, budgets) }
        }
        _ = try? await ask(3, [nil, nil, nil])
        #expect(asked == 64)
        asked = 0
        let budgets = (0..<3).map { RetryBudget("layer \($0)", perSecondMin: 0, now: time.source) }
        for _ in 0..<5_000 {
            time.advance(by: .milliseconds(1))
            _ = try? await ask(3, budgets)
        }
        #expect(Double(asked) <= 5_000 * 1.1 * 1.1 * 1.1 && asked > 6_000, "\(asked)")
        asked = 0
        // Where only the edge retries, as it should be.
        let edge = [nil, nil, RetryBudget("edge", perSecondMin: 0, now: time.source)]
        for _ in 0..<5_000 {
            time.advance(by: .milliseconds(1))
            _ = try? await ask(
                3,
                edge.map { $0 }.enumerated().map {
                    $0.offset == 2 ? $0.element : RetryBudget("none", share: 0, perSecondMin: 0, now: time.source)
                })
        }
        #expect(Double(asked) <= 5_000 * 1.1 && asked > 5_300, "\(asked)")
    }

    @Test func `a few are allowed however few calls there are, and old ones are forgotten`() {
        let time = HandClock()
        let budget = RetryBudget("db", share: 0.1, perSecondMin: 1, now: time.source)
        #expect((0..<50).count { _ in budget.withdraw() } == 10)
        time.advance(by: .seconds(11))
        #expect((0..<50).count { _ in budget.withdraw() } == 10)
    }

    @Test func `a bulkhead lets in as many as it holds, and who leaves makes room`() async throws {
        let bulkhead = Bulkhead("payments", limit: 2)
        try await bulkhead.run {
            try await bulkhead.run { () async throws -> Void in
                _ = await #expect(throws: BulkheadFull.self) { try await bulkhead.run {} }
            }
            await #expect(throws: Broken.self) { try await bulkhead.run { throw Broken() } }
            try await bulkhead.run {}
        }
    }
}
