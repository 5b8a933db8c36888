// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Resilience

@Suite struct FaultTests {
    private struct Refused: Error, Equatable { let kind: String }

    /// An injector whose time stands still but for what calls wait.
    private func injector(_ clock: HandClock) -> FaultInjector {
        FaultInjector(now: clock.source, sleep: { clock.advance(by: $0) })
    }

    /// What becomes of so many calls, one after another: how long each took, and whether it was made and answered.
    private func outcomes(_ faults: FaultInjector, _ clock: HandClock, at edge: String, _ calls: Int) async -> [String]
    {
        var outcomes: [String] = []
        for _ in 0..<calls {
            let start = clock.now
            var isMade = false
            do {
                try await faults.run(at: edge, refusal: { Refused(kind: $0.name) }) { isMade = true }
                outcomes.append("answered \(clock.now - start)")
            } catch {
                outcomes.append("\(error) made \(isMade) \(clock.now - start)")
            }
        }
        return outcomes
    }

    private let plan: [Fault] = [
        Fault(at: "a", share: 0.3, .latency(from: .milliseconds(5), to: .milliseconds(50))),
        Fault(at: "a", share: 0.2, .error), Fault(at: "a", share: 0.2, .reset),
        Fault(at: "b", share: 0.5, .tail(mean: .milliseconds(20))), Fault(at: "b", share: 0.1, .timeout(.seconds(3))),
    ]

    @Test func `the same seed makes the same faults, another makes others`() async {
        func run(_ seed: UInt64) async -> [String] {
            let clock = HandClock()
            let faults = injector(clock)
            faults.begin(FaultPlan(seed: seed, plan, length: .seconds(3_600)))
            return await outcomes(faults, clock, at: "a", 300) + outcomes(faults, clock, at: "b", 300)
        }
        let first = await run(7)
        #expect(await run(7) == first)
        #expect(await run(8) != first)
    }

    @Test func `each kind does what it says, as often as it says`() async {
        let clock = HandClock()
        let faults = injector(clock)
        faults.begin(FaultPlan(seed: 1, plan, length: .seconds(3_600)))
        let seen = await outcomes(faults, clock, at: "a", 10_000)
        let made = faults.made
        #expect((2_800...3_200).contains(made[0]) && (1_250...1_550).contains(made[1]))
        #expect(seen.count { $0 == "Refused(kind: \"error\") made false 0" } == made[1])
        #expect(seen.count { $0 == "Refused(kind: \"reset\") made true 0" } == made[2])
        let waits = seen.compactMap { $0.hasPrefix("answered") ? Int64($0.dropFirst(9)) : nil }.filter { $0 > 0 }
        #expect(waits.count == made[0] && waits.allSatisfy { (5_000_000...50_000_000).contains($0) })
        let late = await outcomes(faults, clock, at: "b", 4_000).compactMap {
            $0.hasPrefix("answered") ? Int64($0.dropFirst(9)) : nil
        }.filter { $0 > 0 }
        let mean = late.reduce(0, +) / Int64(late.count)
        #expect((18_500_000...21_500_000).contains(mean) && (late.max() ?? 0) <= 200_000_000)
        #expect(await outcomes(faults, clock, at: "c", 50).allSatisfy { $0 == "answered 0" })
    }

    @Test func `a fault keeps to its time and to the calls that it names, and a plan ends by itself`() async throws {
        let clock = HandClock()
        let faults = injector(clock)
        let fault = Fault(
            at: "a", .error, where: ["app": "one"], from: .seconds(10), until: .seconds(20))
        faults.begin(FaultPlan(seed: 1, [fault, Fault(at: "z", .error)], length: .seconds(30)))
        func isRefused(_ edge: String, _ app: String) async -> Bool {
            do {
                try await faults.run(at: edge, facts: ["app": app], refusal: { Refused(kind: $0.name) }) {}
                return false
            } catch { return true }
        }
        #expect(await !isRefused("a", "one"))
        clock.advance(by: .seconds(10))
        #expect(await isRefused("a", "one"))
        #expect(await !isRefused("a", "two"))
        clock.advance(by: .seconds(10))
        #expect(await !isRefused("a", "one"))
        #expect(await isRefused("z", "one"))
        #expect(faults.current?.left == .seconds(10))
        clock.advance(by: .seconds(10))
        #expect(faults.current == nil)
        #expect(await !isRefused("z", "one"))
        faults.begin(FaultPlan(seed: 1, [Fault(at: "z", .error)], length: .seconds(30)))
        #expect(await isRefused("z", "one"))
        faults.end()
        #expect(await !isRefused("z", "one") && faults.current == nil)
    }

    @Test func `who waits for a call that never answers waits no longer than his deadline`() async {
        let clock = HandClock()
        let faults = injector(clock)
        faults.begin(FaultPlan(seed: 1, [Fault(at: "a", .timeout(.seconds(60)))], length: .seconds(100)))
        let start = clock.now
        await #expect(throws: Refused(kind: "timeout")) {
            try await Deadline.$current.withValue(.after(.seconds(2))) {
                try await faults.run(at: "a", refusal: { Refused(kind: $0.name) }) {}
            }
        }
        #expect(clock.now - start <= 2_000_000_000)
    }
}
