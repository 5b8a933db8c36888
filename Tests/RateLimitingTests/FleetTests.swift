// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import RateLimiting

/// Many processes, of which any may end at any time, in front of one Redis, which may stop to answer. Each is one of the
/// library's limiters with a connection and a clock of its own.
@Suite(.enabled(if: TestRedis.isInstalled, "Redis is not installed: apt-get install redis-server"))
struct FleetTests {
    /// When a request was let in at the earliest and at the latest, in nanoseconds.
    private struct Entry: Sendable {
        let asked: Int64
        let answered: Int64
    }

    private struct Run: Sendable {
        var entries: [Entry] = []
        var asked = 0
        /// Decided without asking Redis.
        var local = 0
    }

    private static func now() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds) }

    /// The most that were certainly let in within one window.
    private static func most(_ entries: [Entry], in window: Int64) -> Int {
        let asked = entries.map(\.asked).sorted()
        let answered = entries.map(\.answered).sorted()
        var (most, end) = (0, 0)
        for (start, time) in asked.enumerated() {
            while end < answered.count, answered[end] < time + window { end += 1 }
            // Of those answered before the window's end, at most `start` were asked before it began.
            most = max(most, end - start)
        }
        return most
    }

    /// One process that asks as fast as it may, dies, and comes again with a clock that is off by a minute.
    private static func process(
        _ url: String, _ policy: RatePolicy, seed: UInt64, until end: Int64
    ) async throws -> Run {
        var random = SeededGenerator(seed: seed)
        var run = Run()
        while now() < end {
            let error = Int64.random(in: -61_000_000_000...61_000_000_000, using: &random)
            let clock = LimitClock { now() + error + 100_000_000_000 }
            var options = SharedLimitOptions()
            options.deadline = .milliseconds(100)
            let limiter = try SharedRateLimiter([policy], redis: url, options: options, clock: clock)
            await limiter.settled()
            let check = Check(limiter.local.policyIDs[0], LimitKey("shop"))
            let death = min(end, now() + Int64.random(in: 300_000_000...2_000_000_000, using: &random))
            while now() < death {
                let asked = now()
                run.asked += 1
                let known = limiter.decideAtOnce([check])
                if known != nil { run.local += 1 }
                let decision = if let known { known } else { await limiter.decide([check]) }
                if decision.isAllowed {
                    run.entries.append(Entry(asked: asked, answered: now()))
                } else {
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            // As a process does that is killed: what it has leased is lost.
            limiter.close()
        }
        return run
    }

    @Test(arguments: [
        (RatePolicy.slidingWindow("w", limit: 4_000, per: .seconds(2), slots: 20), 4_000),
        (.tokenBucket("b", limit: 4_000, per: .seconds(2), burst: 8_000), 12_000),
    ])
    func `no window holds more than the limit, though processes die and Redis stops`(
        policy: RatePolicy, limit: Int
    ) async throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] != nil
        var policy = policy
        policy.whenStoreFails = .closed
        let server = try TestRedis()
        defer { server.stop() }
        let seconds = isLong ? 300 : 8
        let end = Self.now() + Int64(seconds) * 1_000_000_000
        let runs = try await withThrowingTaskGroup(of: Run.self) { [policy] group in
            for process in 0..<8 {
                group.addTask {
                    try await Self.process(server.url, policy, seed: UInt64(process), until: end)
                }
            }
            group.addTask {
                var random = SeededGenerator(seed: 99)
                while Self.now() < end - 2_500_000_000 {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 1_500...2_500, using: &random)))
                    server.freeze()
                    try await Task.sleep(for: .milliseconds(Int.random(in: 20...300, using: &random)))
                    server.thaw()
                }
                return Run()
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let entries = runs.flatMap(\.entries)
        let most = Self.most(entries, in: 2_000_000_000)
        #expect(most <= limit)
        let (asked, local) = runs.reduce((0, 0)) { ($0.0 + $1.asked, $0.1 + $1.local) }
        #expect(entries.count > policy.limit / 2 * seconds * 9 / 10, "less than nine tenths of what there is were used")
        print(
            "\(policy.name): asked \(asked), decided here \(local * 100 / asked) %, let in \(entries.count) in \(seconds) s,",
            "at most \(most) of \(limit) in a window")
    }
}
