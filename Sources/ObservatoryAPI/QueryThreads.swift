// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Foundation
internal import Glibc
internal import Kernel
internal import Synchronization
internal import Telemetry

/// Threads of low priority for what may take long, so that no query takes the time of a request of the shop.
///
/// Few run at once. Those that wait take turns by who asks, so that nobody's many keep others waiting for long, and of nobody
/// more than some wait; who comes then is told to come back. A query that is seen to be long has from then on only what nobody
/// else wants of the processors, at a ``QueryPace``, and no place among the few while there is one of as many for long ones.
final class QueryThreads: Sendable {
    private struct Job {
        let wish: Wish
        let end: ContinuousClock.Instant
        /// - Returns: whether it took long.
        let work: @Sendable () -> Bool
        /// Instead, where nobody waits for it any more.
        let giveUp: @Sendable () -> Void

        var isOver: Bool { wish.isGone || ContinuousClock.now > end }
    }

    private struct State {
        /// Of each caller that waits, in the order of their turns; none is empty.
        var queues: [(caller: Int, jobs: [Job])] = []
        /// Queries that run and are long.
        var long = 0
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

    private let count: Int
    private let state = Mutex(State())
    private let wake = NSCondition()
    private let answers = AnswerThread()
    private let pace: QueryPace?
    private let steppingAside: @Sendable () -> Void

    init(count: Int, pace: QueryPace? = nil, steppingAside: @escaping @Sendable () -> Void = {}) {
        (self.count, self.pace, self.steppingAside) = (count, pace, steppingAside)
        for _ in 0..<count { addThread() }
    }

    /// - Parameter end: what to wait for before it takes anything.
    private func addThread(after end: DispatchSemaphore? = nil) {
        let thread = Thread { [weak self] in
            end?.wait()
            Self.work { self }
        }
        thread.name = "query"
        // Expressions may stand within each other a hundred times.
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { close() }

    private func close() {
        state.withLock { $0.isClosed = true }
        wake.lock()
        wake.broadcast()
        wake.unlock()
    }

    private static func work(_ owner: () -> QueryThreads?) {
        // The lowest there is. Under the idle policy short queries, too, would hardly be answered beside a shop that needs the
        // whole machine, which is when it is asked about most.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        while let threads = owner(), let job = threads.next() {
            // There is no way back from the idle policy; another thread goes on.
            if let job, job.work() { return }
        }
    }

    /// Makes a thread in place of the calling one, which is to leave the processors to others. It goes on at once where there is
    /// a place for a long query, and else when that is over.
    ///
    /// - Returns: What to do when it is over.
    private func replaceThread() -> @Sendable () -> Void {
        let isRoom = state.withLock { state in
            guard state.long < count else { return false }
            state.long += 1
            return true
        }
        // Before the policy changes: a thread begins under that of the one that makes it.
        guard !isRoom else {
            addThread()
            return { [weak self] in self?.state.withLock { $0.long -= 1 } }
        }
        let end = DispatchSemaphore(value: 0)
        addThread(after: end)
        return { end.signal() }
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
                    let stint = Stint(pace: self.pace) {
                        defer { self.steppingAside() }
                        return self.replaceThread()
                    }
                    let result = Swift.Result {
                        try work {
                            let now = ContinuousClock.now
                            stint.note(now)
                            return wish.isGone || now > end
                        }
                    }
                    guard let leave = stint.leave else {
                        continuation.resume(with: result)
                        return false
                    }
                    self.answers.give { continuation.resume(with: result) }
                    leave()
                    return true
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

    /// What one query takes of its thread, which alone asks.
    private final class Stint: Sendable {
        /// Time of a processor from which on a query is long, and while long ones have used more than their share. Those of a
        /// dashboard mostly take a few milliseconds.
        private static let (shortMax, shortMaxThen) = (Duration.milliseconds(10), Duration.milliseconds(3))
        /// How often a long one is told how long to rest, at most.
        private static let restEvery = Duration.milliseconds(1)
        /// `SCHED_IDLE` of sched(7), which Glibc's module does not have.
        private static let idlePolicy: Int32 = 5

        private let began = (clock: ContinuousClock.now, used: ThreadTime.used)
        private let pace: QueryPace?
        private let replace: @Sendable () -> @Sendable () -> Void
        private let leaving = Mutex(Leaving())

        /// A structure, because a function that is itself the value of a mutex is wrapped once more by each look at it.
        private struct Leaving {
            var end: (@Sendable () -> Void)?
            /// What it had used, and when, as it was last asked to rest.
            var rested: (clock: ContinuousClock.Instant, used: Duration)?
        }

        /// What to do when it is over; `nil` where it was short.
        var leave: (@Sendable () -> Void)? { leaving.withLock { $0.end } }

        /// - Parameter replace: makes another thread, and returns what to do when the query is over.
        init(pace: QueryPace?, _ replace: @escaping @Sendable () -> @Sendable () -> Void) {
            (self.pace, self.replace) = (pace, replace)
        }

        /// Leaves the processors to everybody else once the query is a long one, and rests as long as it is told.
        func note(_ now: ContinuousClock.Instant) {
            guard leave == nil else { return rest(now) }
            // The thread's own time is asked of the system, and only where it can matter.
            guard now - began.clock > Self.shortMaxThen else { return }
            let shortMax = pace?.isOverdrawn == true ? Self.shortMaxThen : Self.shortMax
            guard now - began.clock > shortMax, ThreadTime.used - began.used > shortMax else { return }
            let leave = replace()
            leaving.withLock { $0.end = leave }
            var parameters = sched_param(sched_priority: 0)
            sched_setscheduler(0, Self.idlePolicy, &parameters)
        }

        private func rest(_ now: ContinuousClock.Instant) {
            let last = leaving.withLock { $0.rested } ?? began
            guard let pace, now - last.clock >= Self.restEvery else { return }
            let used = ThreadTime.used
            let rest = pace.rest(after: used - last.used, now)
            if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
            leaving.withLock { $0.rested = (.now, used) }
        }
    }

    /// Tells those who wait for long queries. Whoever goes on may do so on a thread that is made for it, which begins under the
    /// policy of the one that tells: under the idle policy a part of the shop's own threads would be idle, too.
    private final class AnswerThread: Sendable {
        private final class Mail: Sendable {
            let answers = Mutex<[@Sendable () -> Void]>([])
            /// Once for each answer, and once more at the end.
            let isGiven = DispatchSemaphore(value: 0)
        }

        private let mail = Mail()

        init() {
            let thread = Thread { [mail] in
                while true {
                    mail.isGiven.wait()
                    guard let answer = mail.answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
                    answer()
                }
            }
            thread.name = "answers"
            thread.stackSize = 512 << 10
            thread.start()
        }

        deinit { mail.isGiven.signal() }

        func give(_ answer: @escaping @Sendable () -> Void) {
            mail.answers.withLock { $0.append(answer) }
            mail.isGiven.signal()
        }
    }
}
