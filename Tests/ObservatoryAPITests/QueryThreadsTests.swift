// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel
import Synchronization
import Testing

@testable import ObservatoryAPI

/// Nobody's queries keep those of others waiting for long.
struct QueryThreadsTests {
    /// Holds the only thread, and remembers in which order the others were run.
    private final class Course: Sendable {
        let isBegun = Atomic(false)
        let isHeld = Atomic(true)
        let order = Mutex<[String]>([])
        let threads = QueryThreads(count: 1)

        func hold() async throws {
            try await threads.run(of: 9, within: .seconds(60)) { _ in
                self.isBegun.store(true, ordering: .releasing)
                while self.isHeld.load(ordering: .acquiring) {}
            }
        }

        func ask(_ caller: Int, _ name: String) async throws {
            try await threads.run(of: caller, within: .seconds(60)) { _ in self.order.withLock { $0.append(name) } }
        }
    }

    @Test func `too many queries and too many tails are told to come back`() {
        #expect(Dialect.prometheus.response(.overloaded("Later.")).status.code == 429)
        let tails = TailCount()
        for _ in 0..<TailCount.max { #expect(tails.begin()) }
        #expect(!tails.begin())
        tails.end()
        #expect(tails.begin())
    }

    @Test func `who goes keeps no place, and neither does what is too late`() async throws {
        let course = Course()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await course.hold() }
            while !course.isBegun.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(1)) }
            await withTaskGroup(of: Void.self) { crowd in
                for number in 0..<QueryThreads.waitingOfOneMax {
                    crowd.addTask { try? await course.ask(1, "gone \(number)") }
                }
                while course.threads.waiting < QueryThreads.waitingOfOneMax { await Task.yield() }
                crowd.cancelAll()
            }
            #expect(course.threads.waiting == 0)
            group.addTask {
                _ = try? await course.threads.run(of: 1, within: .milliseconds(5)) { _ in
                    course.order.withLock { $0.append("late") }
                }
            }
            while course.threads.waiting < 1 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(10))
            for number in 0..<QueryThreads.waitingOfOneMax {
                group.addTask { try await course.ask(1, "there \(number)") }
            }
            while course.threads.waiting < QueryThreads.waitingOfOneMax { await Task.yield() }
            course.isHeld.store(false, ordering: .releasing)
            try await group.waitForAll()
        }
        let done = course.order.withLock { $0 }
        #expect(done.count == QueryThreads.waitingOfOneMax && done.allSatisfy { $0.hasPrefix("there") })
    }

    @Test func `callers take turns, and of nobody more than some may wait`() async throws {
        let course = Course()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await course.hold() }
            while !course.isBegun.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(1)) }
            // One after the other, so that the order in which they come is known.
            func add(_ caller: Int, _ name: String) async {
                let waiting = course.threads.waiting
                group.addTask { try await course.ask(caller, name) }
                while course.threads.waiting == waiting { await Task.yield() }
            }
            for number in 0..<QueryThreads.waitingOfOneMax { await add(1, "many \(number)") }
            let failure = await #expect(throws: Failure.self) { try await course.ask(1, "too many") }
            #expect(failure?.code == .overloaded)
            for number in 0..<2 { await add(2, "few \(number)") }
            course.isHeld.store(false, ordering: .releasing)
            try await group.waitForAll()
        }
        let done = course.order.withLock { $0 }
        #expect(Array(done.prefix(5)) == ["many 0", "few 0", "many 1", "few 1", "many 2"])
        #expect(done.count == QueryThreads.waitingOfOneMax + 2)
    }

    @Test func `a long query leaves the processors to all others, and the next one is short again`() async throws {
        let threads = QueryThreads(count: 1)
        let policies = try await threads.run(within: .seconds(60)) { isOver in
            let before = sched_getscheduler(0)
            while sched_getscheduler(0) == before, !isOver() {}
            return (before, sched_getscheduler(0))
        }
        // SCHED_IDLE
        #expect(policies == (SCHED_OTHER, 5))
        let next = try await threads.run(within: .seconds(60)) { _ in
            (sched_getscheduler(0), getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
        }
        #expect(next == (SCHED_OTHER, 19))
    }

    @Test func `a long query may ask a million times whether it is to stop`() async throws {
        let threads = QueryThreads(count: 1)
        let asked = try await threads.run(within: .seconds(600)) { isOver in
            while sched_getscheduler(0) == SCHED_OTHER, !isOver() {}
            return (0..<1_000_000).count { _ in !isOver() }
        }
        #expect(asked == 1_000_000)
        // By the thread on which the other ended.
        #expect(try await threads.run(within: .seconds(60)) { _ in true })
    }

    @Test func `long queries keep no short one out, and wait for each other`() async throws {
        let threads = QueryThreads(count: 1)
        let course = Long()
        try await withThrowingTaskGroup(of: Void.self) { group in
            // One has the thread for long ones; two are stopped, and begun again when it is free.
            for number in 0..<3 {
                group.addTask {
                    try await threads.run(of: number, within: .seconds(60)) { isOver in
                        course.begun.add(1, ordering: .acquiringAndReleasing)
                        while sched_getscheduler(0) == SCHED_OTHER {
                            if isOver() { throw CancellationError() }
                        }
                        while course.isHeld.load(ordering: .acquiring), !isOver() {}
                        course.ended.add(1, ordering: .acquiringAndReleasing)
                    }
                }
            }
            while course.begun.load(ordering: .acquiring) < 3 || threads.waiting < 2 {
                try await Task.sleep(for: .milliseconds(1))
            }
            for _ in 0..<10 {
                #expect(
                    try await threads.run(of: 9, within: .seconds(60)) { _ in sched_getscheduler(0) } == SCHED_OTHER)
            }
            #expect(course.ended.load(ordering: .acquiring) == 0)
            course.isHeld.store(false, ordering: .releasing)
            try await group.waitForAll()
        }
        #expect(course.begun.load(ordering: .acquiring) == 5 && course.ended.load(ordering: .acquiring) == 3)
    }

    private final class Long: Sendable {
        let begun = Atomic(0)
        let ended = Atomic(0)
        let isHeld = Atomic(true)
    }
}
