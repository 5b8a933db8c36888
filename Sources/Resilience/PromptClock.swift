// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Glibc
internal import Synchronization

/// `ContinuousClock`, whose sleep leaves nothing behind when it is cancelled.
///
/// On Linux a cancelled `Task.sleep` keeps its task and its timer until its time comes: a few hundred bytes for eight seconds, for
/// each call that was to end within eight seconds and did. Here they go at once. Resolution is that of the system's timers, about
/// a millisecond. Cost: a lock, and a look at all that sleep whenever one wakes.
public struct PromptClock: Clock {
    private let alarms: Alarms

    public init() { self.init(.shared) }

    init(_ alarms: Alarms) { self.alarms = alarms }

    public var now: ContinuousClock.Instant { .now }
    public var minimumResolution: Duration { .milliseconds(1) }

    public func sleep(until deadline: ContinuousClock.Instant, tolerance _: Duration? = nil) async throws {
        try await alarms.wait(until: deadline)
    }
}

/// Those who sleep, and a thread that wakes them.
final class Alarms: Sendable {
    private typealias Sleeper = CheckedContinuation<Void, any Error>

    private struct State {
        var sleeping: [UInt64: (deadline: ContinuousClock.Instant, sleeper: Sleeper)] = [:]
        /// Whose cancellation came before they slept.
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
        /// When the thread looks next.
        var looksAt: ContinuousClock.Instant?

        /// Takes out who is to wake by now, and notes when the next one is.
        mutating func due(_ now: ContinuousClock.Instant) -> [Sleeper] {
            let due = sleeping.filter { $0.value.deadline <= now }
            for id in due.keys { sleeping[id] = nil }
            looksAt = sleeping.values.map(\.deadline).min()
            return due.values.map(\.sleeper)
        }
    }

    static let shared = Alarms()

    private let state = Mutex(State())
    /// A pipe, because the system waits for one by a clock that nobody sets; a semaphore's time goes by the wall's.
    private let sooner: (read: Int32, write: Int32)

    init() {
        var ends: [Int32] = [-1, -1]
        // Without one, whoever sleeps is looked after every tenth of a second.
        if pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }
        sooner = (ends[0], ends[1])
        let thread = Thread { self.run() }
        thread.name = "alarms"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// How many sleep.
    var count: Int { state.withLock { $0.sleeping.count } }

    /// - Throws: `CancellationError`.
    func wait(until deadline: ContinuousClock.Instant) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { add(id, deadline, $0) }
        } onCancel: {
            let sleeper = state.withLock { state in
                let known = state.sleeping.removeValue(forKey: id)
                if known == nil { state.cancelled.insert(id) }
                return known?.sleeper
            }
            sleeper?.resume(throwing: CancellationError())
        }
    }

    private func add(_ id: UInt64, _ deadline: ContinuousClock.Instant, _ sleeper: Sleeper) {
        let (isCancelled, isSooner) = state.withLock { state in
            guard !state.cancelled.contains(id) else { return (true, false) }
            state.sleeping[id] = (deadline, sleeper)
            if let looksAt = state.looksAt, looksAt <= deadline { return (false, false) }
            state.looksAt = deadline
            return (false, true)
        }
        if isCancelled { sleeper.resume(throwing: CancellationError()) }
        if isSooner {
            var mark: UInt8 = 0
            // Full is as good: the thread has something to read.
            _ = write(self.sooner.write, &mark, 1)
        }
    }

    private func run() {
        while true {
            let (due, next) = state.withLock { state in (state.due(.now), state.looksAt) }
            for sleeper in due { sleeper.resume() }
            doze(until: next)
        }
    }

    /// Returns when it is time, or something earlier has come.
    private func doze(until next: ContinuousClock.Instant?) {
        var milliseconds: Int64 = sooner.read < 0 ? 100 : 3_600_000
        if let next {
            let left = max(.zero, min(next - .now, .seconds(3_600))).components
            // Rounded up, so that the thread does not look too early and again.
            milliseconds = min(milliseconds, left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000 + 1)
        }
        var end = pollfd(fd: sooner.read, events: Int16(POLLIN), revents: 0)
        guard poll(&end, 1, Int32(milliseconds)) > 0 else { return }
        var marks = [UInt8](repeating: 0, count: 64)
        _ = read(sooner.read, &marks, marks.count)
    }
}
