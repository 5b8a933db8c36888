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

    @Test func `a long query keeps no short one out, and a second long one waits for nobody`() async throws {
        let threads = QueryThreads(count: 1)
        let idle = IdleCount()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            // The first has the place for long ones; the second has none, and is put aside where it is.
            for _ in 0..<2 {
                group.addTask {
                    try await threads.run(of: 9, within: .seconds(20)) { isOver in
                        while sched_getscheduler(0) == SCHED_OTHER, !isOver() {}
                        idle.count.add(1, ordering: .acquiringAndReleasing)
                        while !idle.isEnough, !isOver() {}
                        return !isOver()
                    }
                }
                if idle.count.load(ordering: .acquiring) == 0 {
                    while idle.count.load(ordering: .acquiring) == 0 { try await Task.sleep(for: .milliseconds(1)) }
                    // While the first is at it.
                    #expect(try await threads.run(of: 1, within: .seconds(60)) { _ in !idle.isEnough })
                }
            }
            for try await isInTime in group { #expect(isInTime) }
        }
        #expect(try await threads.run(of: 1, within: .seconds(60)) { _ in sched_getscheduler(0) } == SCHED_OTHER)
    }

    private final class IdleCount: Sendable {
        let count = Atomic(0)
        var isEnough: Bool { count.load(ordering: .acquiring) == 2 }
    }
}
