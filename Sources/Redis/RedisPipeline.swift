// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Glibc
internal import Kernel
internal import Synchronization

/// A command on its way.
struct RedisRequest: Sendable {
    let command: RedisCommand
    /// What the command is for, where it is not one of its own.
    let script: RedisScript?
    let deadline: ContinuousClock.Instant
    let completion: @Sendable (Result<RedisValue, RedisError>) -> Void

    private static let bySource = RedisCommand("EVAL")
    private static let byHash = RedisCommand("EVALSHA")

    var bytes: [UInt8] {
        guard let script else { return command.formatted() }
        var words = Self.byHash
        words.append(script.hash)
        return command.formatted(after: words)
    }

    /// For a Redis that has forgotten the script.
    var bytesBySource: [UInt8] {
        var words = Self.bySource
        words.append(script?.text ?? "")
        return command.formatted(after: words)
    }
}

/// One connection that all callers share, and the thread that serves it. Commands leave as they come, those of many callers
/// together, and answers come back in their order.
final class RedisPipeline: Sendable {
    enum Health: Sendable, Equatable {
        /// The first connection is being made.
        case beginning
        case up
        /// Something was not answered in time. Whatever comes behind it would not be either.
        case silent
        case down(String)
        case closed
    }

    private struct State {
        var waiting: [RedisRequest] = []
        /// Sent and not answered, those that were given up among them.
        var inFlight = 0
        var health = Health.beginning
        /// Whether the thread waits for what happens next.
        var isAsleep = false
        /// Who waits for the end of the beginning.
        var settling: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let address: RedisAddress
    private let scripts: [RedisScript]
    private let onChange: @Sendable (Health) -> Void
    /// A pipe that wakes the thread.
    private let bell: (hears: Int32, rings: Int32)

    /// Commands that wait at once.
    private static let waitingMax = 8_192
    /// A connection on which nothing was heard for so long is given up.
    static let silenceMax = Duration.seconds(1)
    private static let pauseMax = Duration.seconds(1)

    init(
        _ address: RedisAddress, scripts: [RedisScript], onChange: @escaping @Sendable (Health) -> Void
    ) {
        self.address = address
        self.scripts = scripts
        self.onChange = onChange
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0, "There is no descriptor left for a bell.")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        bell = (ends[0], ends[1])
        let thread = Thread { [self] in serve() }
        thread.name = "redis"
        thread.stackSize = 1 << 20
        thread.start()
    }

    deinit {
        Glibc.close(bell.hears)
        Glibc.close(bell.rings)
    }

    var health: Health { state.withLock { $0.health } }

    func submit(_ request: RedisRequest) {
        let (refusal, isAsleep) = state.withLock { state -> (RedisError?, Bool) in
            switch state.health {
            case .silent: return (.silent, false)
            case .down(let reason): return (.unavailable(reason), false)
            case .closed: return (.unavailable("the client is closed"), false)
            case .beginning: return (.unavailable("there is no connection yet"), false)
            case .up: break
            }
            guard state.waiting.count + state.inFlight < Self.waitingMax else { return (.overloaded, false) }
            state.waiting.append(request)
            defer { state.isAsleep = false }
            return (nil, state.isAsleep)
        }
        if let refusal { return request.completion(.failure(refusal)) }
        if isAsleep { ring() }
    }

    func close() {
        change(to: .closed)
        ring()
    }

    private func ring() {
        var byte: UInt8 = 1
        write(bell.rings, &byte, 1)
    }

    private func hearBell() {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { bytes in
            while read(bell.hears, bytes.baseAddress, 64) == 64 {}
        }
    }

    /// Returns once there is a connection, or it is known that there is none.
    func settled() async {
        await withCheckedContinuation { continuation in
            let isBeginning = state.withLock { state in
                if state.health == .beginning { state.settling.append(continuation) }
                return state.health == .beginning
            }
            if !isBeginning { continuation.resume() }
        }
    }

    /// A pipeline that is closed stays so.
    private func change(to health: Health) {
        let (isChange, settling) = state.withLock { state in
            guard state.health != .closed, state.health != health else {
                return (false, [CheckedContinuation<Void, Never>]())
            }
            defer { (state.health, state.settling) = (health, []) }
            return (true, state.settling)
        }
        if isChange { onChange(health) }
        for continuation in settling { continuation.resume() }
    }

    // MARK: The thread

    private func serve() {
        // A server that has gone is told by the write's error; the signal would end the process.
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, nil)
        var pause = Duration.zero
        while health != .closed {
            var line = RedisLine()
            let reason: RedisError
            do {
                var session = try RedisSession(address, milliseconds: 1_000)
                try greet(&session)
                change(to: .up)
                pause = .zero
                try converse(&session, &line)
                break
            } catch { reason = error }
            // First, so that nobody is let in whom nobody would tell.
            change(to: .down(reason.reason))
            let left = state.withLock { state in
                defer { (state.waiting, state.inFlight) = ([], 0) }
                return state.waiting
            }
            line.fail()
            for request in left { request.completion(.failure(reason)) }
            pause = min(Self.pauseMax, max(.milliseconds(10), pause * 2))
            sleep(for: pause * Double.random(in: 0.5...1))
        }
        for request in state.withLock({ $0.waiting }) { request.completion(.failure(.unavailable("it was closed"))) }
    }

    /// Until the time has passed or somebody rings.
    private func sleep(for time: Duration) {
        var polled = pollfd(fd: bell.hears, events: Int16(POLLIN), revents: 0)
        poll(&polled, 1, Int32(time / .milliseconds(1)))
        hearBell()
    }

    /// Says who we are, which database we want, and what we shall run.
    private func greet(_ session: inout RedisSession) throws(RedisError) {
        if let password = address.password {
            var command = RedisCommand("AUTH")
            if let user = address.user { command.append(user) }
            command.append(password)
            _ = try ask(&session, command)
        }
        if address.database > 0 { _ = try ask(&session, RedisCommand("SELECT", String(address.database))) }
        _ = try ask(&session, RedisCommand("CLIENT", "SETNAME", "vitrine"))
        for script in scripts {
            script.hash = try ask(&session, RedisCommand("SCRIPT", "LOAD", script.text)).text ?? ""
        }
    }

    /// Sends, and waits for the answer.
    private func ask(_ session: inout RedisSession, _ command: RedisCommand) throws(RedisError) -> RedisValue {
        let end = ContinuousClock.now + Self.silenceMax
        try session.append(command.formatted())
        while ContinuousClock.now < end {
            try session.send()
            if let answer = try session.next() { return try answer.get() }
            var polled = pollfd(
                fd: session.descriptor, events: Int16(session.hasSentAll ? POLLIN : POLLIN | POLLOUT), revents: 0)
            if poll(&polled, 1, 100) == 1, polled.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                try session.receive()
            }
        }
        throw .timedOut
    }

    /// Sends what comes and hands out what is answered, until the client is closed or the connection has ended.
    private func converse(_ session: inout RedisSession, _ line: inout RedisLine) throws(RedisError) {
        while true {
            let (batch, isClosed) = state.withLock { state in
                defer {
                    state.inFlight = line.count + state.waiting.count
                    state.waiting.removeAll(keepingCapacity: true)
                    state.isAsleep = true
                }
                return (state.waiting, state.health == .closed)
            }
            if isClosed {
                line.append(batch)
                return line.fail()
            }
            line.append(batch)
            for request in batch { try session.append(request.bytes) }
            try session.send()
            try wait(&session, line)
            try hear(&session, &line)
        }
    }

    /// Until there is something to send or to hear, or a deadline passes.
    private func wait(_ session: inout RedisSession, _ line: RedisLine) throws(RedisError) {
        var polled = [
            pollfd(fd: bell.hears, events: Int16(POLLIN), revents: 0),
            pollfd(
                fd: session.descriptor, events: Int16(session.hasSentAll ? POLLIN : POLLIN | POLLOUT), revents: 0),
        ]
        let time = line.next.map { min(.seconds(1), max(.zero, $0 - .now)) } ?? .seconds(1)
        // One more, because a wait of less than a millisecond would be none.
        poll(&polled, 2, Int32(time / .milliseconds(1)) + 1)
        if polled[0].revents != 0 { hearBell() }
        state.withLock { $0.isAsleep = false }
        if polled[1].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try session.receive() }
    }

    private func hear(_ session: inout RedisSession, _ line: inout RedisLine) throws(RedisError) {
        while let answer = try session.next() {
            if let forgotten = line.answer(answer) {
                try session.append(forgotten.bytesBySource)
                line.append([forgotten], bySource: true)
            }
        }
        let now = ContinuousClock.now
        line.giveUp(at: now)
        if line.silence(at: now) > Self.silenceMax { throw .timedOut }
        change(to: line.isOverdue ? .silent : .up)
    }
}

/// What was sent and not yet answered, in its order.
struct RedisLine {
    private struct Place {
        /// `nil` once its caller was told that it takes too long.
        var request: RedisRequest?
        let sent: ContinuousClock.Instant
        let isBySource: Bool
    }

    private var places: [Place] = []
    /// The first that is not answered.
    private var first = 0
    /// The first that was not given up.
    private var firstWaiting = 0

    var count: Int { places.count - first }

    /// With `bySource`, they were sent with the text of their script.
    mutating func append(_ requests: [RedisRequest], bySource: Bool = false) {
        let now = ContinuousClock.now
        for request in requests { places.append(Place(request: request, sent: now, isBySource: bySource)) }
    }

    /// Hands the next answer to whoever waits for it.
    /// - Returns: what is to be sent again with the script's text.
    mutating func answer(_ answer: Result<RedisValue, RedisError>) -> RedisRequest? {
        guard first < places.count else { return nil }
        let place = places[first]
        first += 1
        firstWaiting = max(first, firstWaiting)
        if first == places.count {
            places.removeAll(keepingCapacity: true)
            (first, firstWaiting) = (0, 0)
        } else if first > 1_024, first * 2 > places.count {
            places.removeFirst(first)
            (first, firstWaiting) = (0, firstWaiting - first)
        }
        guard let request = place.request else { return nil }
        if request.script != nil, !place.isBySource, case .failure(.refused(let reason)) = answer,
            reason.hasPrefix("NOSCRIPT")
        {
            return request
        }
        request.completion(answer)
        return nil
    }

    /// When the next of them is to be given up.
    var next: ContinuousClock.Instant? {
        firstWaiting < places.count ? places[firstWaiting].request?.deadline : nil
    }

    /// Tells those whose time is over. Their answers may still come, and are nobody's.
    mutating func giveUp(at now: ContinuousClock.Instant) {
        while firstWaiting < places.count {
            if let request = places[firstWaiting].request {
                guard request.deadline <= now else { return }
                places[firstWaiting].request = nil
                request.completion(.failure(.timedOut))
            }
            firstWaiting += 1
        }
    }

    /// Whether the first in the line was given up and is still to be answered.
    var isOverdue: Bool { first < places.count && places[first].request == nil }

    func silence(at now: ContinuousClock.Instant) -> Duration {
        first < places.count ? now - places[first].sent : .zero
    }

    /// Tells everybody that no answer will come.
    mutating func fail() {
        for place in places[first...] { place.request?.completion(.failure(.timedOut)) }
        self = RedisLine()
    }
}
