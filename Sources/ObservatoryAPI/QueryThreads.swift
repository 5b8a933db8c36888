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
/// else wants of the processors, at a ``QueryPace``, on one of as many threads for long ones. Where there is none it is stopped,
/// and begun again when there is: so no long one keeps a short one waiting.
final class QueryThreads: Sendable {
    private struct Job {
        let caller: Int
        let wish: Wish
        let end: ContinuousClock.Instant
        /// Told whether it is known to be long.
        let work: @Sendable (_ isLong: Bool) -> Outcome
        /// Instead, where nobody waits for it any more.
        let giveUp: @Sendable () -> Void

        var isOver: Bool { wish.isGone || ContinuousClock.now > end }
    }

    private enum Outcome {
        case short
        /// The thread that it ran on is one for long queries now.
        case long
        /// It is long, and there is no thread for it.
        case stopped
    }

    /// Those that wait, of each caller in the order of their turns.
    private struct Queue {
        /// None is empty.
        private var turns: [(caller: Int, jobs: [Job])] = []

        var count: Int { turns.reduce(0) { $0 + $1.jobs.count } }

        func count(of caller: Int) -> Int { turns.first { $0.caller == caller }?.jobs.count ?? 0 }

        mutating func add(_ job: Job) {
            if let place = turns.firstIndex(where: { $0.caller == job.caller }) {
                turns[place].jobs.append(job)
            } else {
                turns.append((job.caller, [job]))
            }
        }

        mutating func take() -> Job? {
            guard !turns.isEmpty else { return nil }
            var turn = turns.removeFirst()
            let job = turn.jobs.removeFirst()
            if !turn.jobs.isEmpty { turns.append(turn) }
            return job
        }

        /// Those that nobody waits for any more, which so keep no place.
        mutating func removeOver() -> [Job] {
            let over = turns.flatMap { $0.jobs.filter(\.isOver) }
            guard !over.isEmpty else { return [] }
            for place in turns.indices {
                turns[place].jobs.removeAll { job in over.contains { $0.wish === job.wish } }
            }
            turns.removeAll { $0.jobs.isEmpty }
            return over
        }
    }

    private struct State {
        var queue = Queue()
        /// Of queries that are known to be long.
        var longQueue = Queue()
        /// Threads for long queries.
        var long = 0
        var isClosed = false

        var waiting: Int { queue.count + longQueue.count }
    }

    /// Queries that may wait for a thread, and those of one caller: more than a dashboard has panels.
    static let waitingMax = 256
    static let waitingOfOneMax = 64

    private let count: Int
    private let state = Mutex(State())
    private let wake = NSCondition()
    private let answers = AnswerThread()
    private let rank: Int32
    private let pace: QueryPace?
    private let steppingAside: @Sendable () -> Void

    /// The lowest rank that there is. Under the idle policy short queries, too, would hardly be answered beside a shop that needs
    /// the whole machine, which is when it is asked about most.
    static let besideShop: Int32 = 19
    /// As what tidies up: with the lowest one a trace takes some 15 ms instead of 8 where intake has all processors.
    static let alone: Int32 = 10

    /// `rank` is what nice(1) calls niceness, of short queries.
    init(
        count: Int, rank: Int32 = besideShop, pace: QueryPace? = nil,
        steppingAside: @escaping @Sendable () -> Void = {}
    ) {
        (self.count, self.rank, self.pace, self.steppingAside) = (count, rank, pace, steppingAside)
        for _ in 0..<count { addThread() }
    }

    private func addThread(_ body: @escaping @Sendable (_ owner: () -> QueryThreads?) -> Void = QueryThreads.work) {
        let thread = Thread { [weak self] in body { self } }
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
        guard let rank = owner()?.rank else { return }
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, rank)
        while let threads = owner(), let job = threads.next() {
            guard let job else {
                // Nobody else would tell those that wait for a long query's thread that their time is over.
                threads.dropOver()
                continue
            }
            switch job.work(false) {
            case .short: continue
            case .stopped: threads.addLong(job)
            // There is no way back from the idle policy; another thread goes on.
            case .long: return workLong(owner)
            }
        }
    }

    /// Goes on with long queries while there are any, on a thread that has stepped aside.
    private static func workLong(_ owner: () -> QueryThreads?) {
        while let threads = owner(), let job = threads.nextLong() {
            if job.isOver { threads.answers.give(job.giveUp) } else { _ = job.work(true) }
        }
    }

    private func addLong(_ job: Job) {
        let hasRoom = state.withLock { state in
            state.longQueue.add(job)
            guard state.long < count else { return false }
            state.long += 1
            return true
        }
        guard hasRoom else { return }
        addThread { [steppingAside] owner in
            Self.beIdle()
            steppingAside()
            Self.workLong(owner)
        }
    }

    private func nextLong() -> Job? {
        state.withLock { state in
            if let job = state.longQueue.take() { return job }
            state.long -= 1
            return nil
        }
    }

    /// Makes the calling thread one for long queries, if there may be one more, and another in its place.
    private func turnLong() -> Bool {
        let hasRoom = state.withLock { state in
            guard state.long < count else { return false }
            state.long += 1
            return true
        }
        guard hasRoom else { return false }
        // Before the policy changes: a thread begins under that of the one that makes it.
        addThread()
        Self.beIdle()
        steppingAside()
        return true
    }

    private static func beIdle() {
        // `SCHED_IDLE` of sched(7), which Glibc's module does not have.
        var parameters = sched_param(sched_priority: 0)
        sched_setscheduler(0, 5, &parameters)
    }

    /// Queries that wait for a thread.
    var waiting: Int { state.withLock { $0.waiting } }

    /// - Returns: `nil` once there is no more; a job, or none yet.
    private func next() -> Job?? {
        wake.lock()
        defer { wake.unlock() }
        let (job, isClosed) = state.withLock { ($0.queue.take(), $0.isClosed) }
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
    ///   - work: the query, which may be begun twice.
    /// - Returns: what `work` does.
    /// - Throws: What `work` throws; `Failure` with `overloaded` where too many wait.
    func run<Result: Sendable>(
        of caller: Int = 0, within limit: Duration,
        _ work: @escaping @Sendable (@escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        let (end, wish) = (ContinuousClock.now + limit, Wish())
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                add(
                    Job(caller: caller, wish: wish, end: end) { isLong in
                        let stint = Stint(isLong: isLong, pace: self.pace, turnLong: self.turnLong)
                        let result = Swift.Result {
                            try work { stint.isStopped(at: .now, end: end) { wish.isGone } }
                        }
                        switch (stint.outcome, result) {
                        // What has come to its end though it was stopped is as good.
                        case (.short, _), (.stopped, .success): continuation.resume(with: result)
                        case (.stopped, .failure): return .stopped
                        case (.long, _): self.answers.give { continuation.resume(with: result) }
                        }
                        return stint.outcome == .long ? .long : .short
                    } giveUp: {
                        continuation.resume(throwing: CancellationError())
                    }
                ) {
                    continuation.resume(
                        throwing: Failure(.overloaded, "Too many queries wait. Ask again in a moment."))
                }
            }
        } onCancel: {
            wish.end()
            dropOver()
        }
    }

    private func add(_ job: Job, otherwise refuse: () -> Void) {
        dropOver()
        let hasRoom = state.withLock { state in
            guard state.waiting < Self.waitingMax,
                state.queue.count(of: job.caller) + state.longQueue.count(of: job.caller) < Self.waitingOfOneMax
            else { return false }
            state.queue.add(job)
            return true
        }
        guard hasRoom else { return refuse() }
        wake.lock()
        wake.signal()
        wake.unlock()
    }

    private func dropOver() {
        for job in state.withLock({ $0.queue.removeOver() + $0.longQueue.removeOver() }) { job.giveUp() }
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
        /// At a time, so that a query that nobody waits for any more is soon given up.
        private static let restMax = Duration.milliseconds(250)

        private struct State {
            var outcome: Outcome
            /// When it was last counted, and what it had used.
            var counted: (clock: ContinuousClock.Instant, used: Duration)
        }

        private let pace: QueryPace?
        private let turnLong: @Sendable () -> Bool
        private let state: Mutex<State>

        var outcome: Outcome { state.withLock { $0.outcome } }

        init(isLong: Bool, pace: QueryPace?, turnLong: @escaping @Sendable () -> Bool) {
            (self.pace, self.turnLong) = (pace, turnLong)
            state = Mutex(State(outcome: isLong ? .long : .short, counted: (.now, ThreadTime.used)))
        }

        /// Whether the query is to end: because it took too long, nobody waits for it, or it is long and has no thread for that.
        /// One that is long rests here.
        func isStopped(
            at now: ContinuousClock.Instant, end: ContinuousClock.Instant, isGone: () -> Bool
        ) -> Bool {
            guard !isGone(), now < end else { return true }
            let (outcome, counted) = state.withLock { ($0.outcome, $0.counted) }
            switch outcome {
            case .short: return isLong(now, since: counted) ? becomeLong(now, since: counted) : false
            case .stopped: return true
            case .long: return rest(now, since: counted, until: end, isGone)
            }
        }

        /// The thread's own time is asked of the system, and only where it can matter.
        private func isLong(
            _ now: ContinuousClock.Instant, since began: (clock: ContinuousClock.Instant, used: Duration)
        ) -> Bool {
            guard now - began.clock > Self.shortMaxThen else { return false }
            let shortMax = pace?.isOverdrawn(at: now) == true ? Self.shortMaxThen : Self.shortMax
            return now - began.clock > shortMax && ThreadTime.used - began.used > shortMax
        }

        /// - Returns: whether there is no thread for it.
        private func becomeLong(
            _ now: ContinuousClock.Instant, since began: (clock: ContinuousClock.Instant, used: Duration)
        ) -> Bool {
            let hasThread = turnLong()
            state.withLock { $0.outcome = hasThread ? .long : .stopped }
            // Else it is counted when it rests.
            if !hasThread { _ = pace?.rest(after: ThreadTime.used - began.used, now) }
            return !hasThread
        }

        /// - Returns: whether it is over meanwhile.
        private func rest(
            _ now: ContinuousClock.Instant, since counted: (clock: ContinuousClock.Instant, used: Duration),
            until end: ContinuousClock.Instant, _ isGone: () -> Bool
        ) -> Bool {
            guard let pace, now - counted.clock >= Self.restEvery else { return false }
            let used = ThreadTime.used
            var rest = pace.rest(after: used - counted.used, now)
            while rest > .zero {
                Thread.sleep(forTimeInterval: min(rest, Self.restMax, end - .now) / .seconds(1))
                guard !isGone(), ContinuousClock.now < end else { return true }
                rest = pace.rest(after: .zero, .now)
            }
            state.withLock { $0.counted = (.now, used) }
            return false
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
