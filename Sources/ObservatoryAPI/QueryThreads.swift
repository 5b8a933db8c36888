// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// Threads of low priority for what may take long, so that no query takes the time of a request of the shop.
///
/// Few run at once. Those that wait take turns by who asks, so that nobody's many keep others waiting for long, and of nobody
/// more than some wait; who comes then is told to come back.
final class QueryThreads: Sendable {
    private struct Job {
        let wish: Wish
        let end: ContinuousClock.Instant
        let work: @Sendable () -> Void
        /// Instead, where nobody waits for it any more.
        let giveUp: @Sendable () -> Void

        var isOver: Bool { wish.isGone || ContinuousClock.now > end }
    }

    private struct State {
        /// Of each caller that waits, in the order of their turns; none is empty.
        var queues: [(caller: Int, jobs: [Job])] = []
        var isClosed = false

        /// - Returns: whether there was room.
        mutating func add(_ job: Job, of caller: Int) -> Bool {
            guard queues.reduce(0, { $0 + $1.jobs.count }) < waitingMax else { return false }
            guard let place = queues.firstIndex(where: { $0.caller == caller }) else {
                queues.append((caller, [job]))
                return true
            }
            guard queues[place].jobs.count < waitingOfOneMax else { return false }
            queues[place].jobs.append(job)
            return true
        }

        /// Those that nobody waits for any more, which so keep no place.
        mutating func removeOver() -> [Job] {
            let over = queues.flatMap { $0.jobs.filter(\.isOver) }
            guard !over.isEmpty else { return [] }
            for place in queues.indices {
                queues[place].jobs.removeAll { job in over.contains { $0.wish === job.wish } }
            }
            queues.removeAll { $0.jobs.isEmpty }
            return over
        }

        mutating func take() -> Job? {
            guard !queues.isEmpty else { return nil }
            var turn = queues.removeFirst()
            let job = turn.jobs.removeFirst()
            if !turn.jobs.isEmpty { queues.append(turn) }
            return job
        }
    }

    /// Queries that may wait for a thread, and those of one caller: more than a dashboard has panels.
    static let waitingMax = 256
    static let waitingOfOneMax = 64

    private let state = Mutex(State())
    private let wake = NSCondition()

    init(count: Int) {
        for number in 0..<count {
            let thread = Thread { [weak self] in Self.work { self } }
            thread.name = "query-\(number)"
            // Expressions may stand within each other a hundred times.
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    deinit { close() }

    private func close() {
        state.withLock { $0.isClosed = true }
        wake.lock()
        wake.broadcast()
        wake.unlock()
    }

    private static func work(_ owner: () -> QueryThreads?) {
        // The lowest there is. An idle policy would not answer at all beside a shop that needs the whole machine, when it is
        // asked about most.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        while let threads = owner(), let job = threads.next() { job?.work() }
    }

    /// Queries that wait for a thread.
    var waiting: Int { state.withLock { $0.queues.reduce(0) { $0 + $1.jobs.count } } }

    /// - Returns: `nil` once there is no more; a job, or none yet.
    private func next() -> Job?? {
        wake.lock()
        defer { wake.unlock() }
        let (job, isClosed) = state.withLock { ($0.take(), $0.isClosed) }
        if let job { return .some(job) }
        if isClosed { return nil }
        // Not for ever, so that the thread sees when its owner is gone.
        _ = wake.wait(until: Date.now + 1)
        return .some(nil)
    }

    /// Runs `work`, which is told to stop by its argument once `limit` is over or the caller has gone.
    ///
    /// - Parameters:
    ///   - caller: who asks, in whatever way callers are told apart.
    ///   - limit: how long it may take, with the time that it waits.
    ///   - work: the query.
    /// - Returns: what `work` does.
    /// - Throws: What `work` throws; `Failure` with `overloaded` where too many wait.
    func run<Result: Sendable>(
        of caller: Int = 0, within limit: Duration,
        _ work: @escaping @Sendable (@escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        let (end, wish) = (ContinuousClock.now + limit, Wish())
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let job = Job(wish: wish, end: end) {
                    continuation.resume(with: Swift.Result { try work { wish.isGone || ContinuousClock.now > end } })
                } giveUp: {
                    continuation.resume(throwing: CancellationError())
                }
                dropOver()
                guard state.withLock({ $0.add(job, of: caller) }) else {
                    return continuation.resume(
                        throwing: Failure(.overloaded, "Too many queries wait. Ask again in a moment."))
                }
                wake.lock()
                wake.signal()
                wake.unlock()
            }
        } onCancel: {
            wish.end()
            dropOver()
        }
    }

    private func dropOver() {
        for job in state.withLock({ $0.removeOver() }) { job.giveUp() }
    }

    /// Whether somebody still waits.
    private final class Wish: Sendable {
        private let value = Atomic(false)
        var isGone: Bool { value.load(ordering: .relaxed) }
        func end() { value.store(true, ordering: .relaxed) }
    }
}
