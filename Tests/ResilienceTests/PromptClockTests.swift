// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Resilience

/// Nobody wakes too early, and whoever is called off is gone.
struct PromptClockTests {
    private let alarms: Alarms
    private let clock: PromptClock

    init() {
        alarms = Alarms()
        clock = PromptClock(alarms)
    }

    @Test func `nobody wakes before the time, in whatever order they came`() async throws {
        let (clock, begun) = (clock, clock.now)
        await withTaskGroup(of: Void.self) { group in
            for place in [5, 1, 4, 2, 3] {
                group.addTask {
                    let due = begun + .milliseconds(place * 40)
                    await #expect(throws: Never.self) { try await clock.sleep(until: due) }
                    #expect(clock.now >= due)
                }
            }
        }
        try await clock.sleep(until: begun)
    }

    @Test func `a sleep that is called off ends at once and leaves nothing behind`() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<1_000 {
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await clock.sleep(for: .seconds(3_600)) }
                }
            }
            while alarms.count < 1_000 { await Task.yield() }
            group.cancelAll()
        }
        #expect(alarms.count == 0)
        // Called off before it begins.
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: CancellationError.self) { try await clock.sleep(for: .seconds(3_600)) }
            }
        }
        #expect(alarms.count == 0)
    }

    @Test func `sleeps that are called off just when they end are told once`() async {
        await withTaskGroup(of: Void.self) { group in
            for place in 0..<2_000 {
                group.addTask {
                    await withTaskGroup(of: Void.self) { pair in
                        pair.addTask { try? await clock.sleep(for: .microseconds(place)) }
                        pair.addTask { try? await clock.sleep(for: .microseconds(place)) }
                        await pair.next()
                        pair.cancelAll()
                    }
                }
            }
        }
    }

    @Test func `work that is done in time leaves no timer`() async throws {
        for _ in 0..<100 { #expect(try await withDeadline(.seconds(3_600), clock: clock) { 7 } == 7) }
        #expect(alarms.count == 0)
        await #expect(throws: DeadlineExceeded(limit: .milliseconds(5))) {
            try await withDeadline(.milliseconds(5), clock: clock) { try await clock.sleep(for: .seconds(3_600)) }
        }
    }
}
