// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Foundation
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
    private let sooner = DispatchSemaphore(value: 0)

    init() {
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
        if isSooner { sooner.signal() }
    }

    private func run() {
        while true {
            let (due, next) = state.withLock { state in (state.due(.now), state.looksAt) }
            for sleeper in due { sleeper.resume() }
            guard let next else {
                sooner.wait()
                continue
            }
            // Rounded up, so that the thread does not look too early and again.
            let left = (next - .now).components
            let nanoseconds = left.seconds * 1_000_000_000 + left.attoseconds / 1_000_000_000 + 1
            _ = sooner.wait(timeout: .now() + .nanoseconds(Int(max(0, min(nanoseconds, 3_600_000_000_000)))))
        }
    }
}
