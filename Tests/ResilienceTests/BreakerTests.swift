// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import Resilience

/// A clock that stands where a test puts it.
final class HandTime: Sendable {
    private let time = Atomic<Int64>(1_000_000_000)

    var now: Int64 { time.load(ordering: .relaxed) }
    var source: MonotonicTime.Source { { self.now } }
    func advance(_ duration: Duration) { time.add(nanoseconds(duration), ordering: .relaxed) }
}

struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

@Suite struct BreakerTests {
    private struct Broken: Error {}
    private struct Refused: Error {}

    private func fail(_ breaker: Breaker, _ times: Int) async {
        for _ in 0..<times { _ = try? await breaker.run { throw Broken() } }
    }

    @Test func `it opens at its share of failures, and not before there are enough calls`() async throws {
        let time = HandTime()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 9)
        #expect(breaker.current == .closed)
        await fail(breaker, 1)
        #expect(breaker.current == .open)
        let error = await #expect(throws: BreakerOpen.self) { try await breaker.run {} }
        #expect((error?.retryAfter ?? .zero) > .seconds(3) && (error?.retryAfter ?? .zero) <= .seconds(6))

        let other = Breaker("db", now: time.source)
        for _ in 0..<100 { try await other.run {} }
        await fail(other, 99)
        #expect(other.current == .closed)
        await fail(other, 1)
        #expect(other.current == .open)
    }

    @Test func `what lies behind the window is forgotten`() async throws {
        let time = HandTime()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 9)
        time.advance(.seconds(11))
        await fail(breaker, 9)
        #expect(breaker.current == .closed)
    }

    @Test func `slow calls open it, and refusals and callers who leave do not`() async throws {
        let time = HandTime()
        var settings = BreakerSettings()
        settings.slowAfter = .seconds(1)
        let breaker = Breaker("db", settings, now: time.source) { error in
            error is Refused ? .success : error is CancellationError ? .ignored : .failure
        }
        for _ in 0..<50 { _ = try? await breaker.run { throw Refused() } }
        for _ in 0..<50 { _ = try? await breaker.run { throw CancellationError() } }
        #expect(breaker.current == .closed)
        time.advance(.seconds(20))
        for _ in 0..<10 { try await breaker.run { time.advance(.milliseconds(1_001)) } }
        #expect(breaker.current == .open)
    }

    @Test func `after a while it lets probes through, and closes when they come back`() async throws {
        let time = HandTime()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        time.advance(.seconds(7))
        try await breaker.run {}
        #expect(breaker.current == .halfOpen)
        try await breaker.run {}
        try await breaker.run {}
        #expect(breaker.current == .closed)
        await fail(breaker, 9)
        #expect(breaker.current == .closed, "it begins afresh")
    }

    @Test func `a probe that fails opens it for twice as long`() async throws {
        let time = HandTime()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        for round in 1...6 {
            time.advance(breaker.retryAfter ?? .zero)
            await fail(breaker, 1)
            let next = min(5.0 * Double(1 << round), 60)
            let wait = breaker.retryAfter.map { $0 / .seconds(1) } ?? 0
            #expect(wait > next * 0.79 && wait < next * 1.21, "round \(round): \(wait) s")
        }
    }

    @Test func `nobody who was not asked has failed`() async throws {
        let time = HandTime()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        // The time to try comes and goes while nobody calls; only then somebody does.
        time.advance(.seconds(7))
        _ = try? await breaker.run { throw CancellationError() }
        time.advance(.seconds(30))
        try await breaker.run {}
        #expect(breaker.current == .halfOpen)
    }

    /// Calls that end, fail, are ignored, come late or never, in any order: it never stays half-open.
    @Test func `it never sticks half-open, in a hundred thousand interleavings`() {
        var settings = BreakerSettings()
        settings.callsMin = 2
        var stuck = 0
        var halfOpened = 0
        for seed in 1...100_000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var state = BreakerState(settings)
            var now: Int64 = 0
            var open: [(permit: BreakerState.Permit, at: Int64)] = []
            var since: Int64?
            for _ in 0..<40 {
                now += Int64.random(in: 0...4_000_000_000, using: &random)
                if Bool.random(using: &random), let permit = state.admit(now, jitter: 0.5) {
                    open.append((permit, now))
                } else if let call = open.randomElement(using: &random) {
                    // Some are reported twice, some never: both happen to callers who make mistakes.
                    let result: BreakerState.Result =
                        [.success, .failure, .failure, .ignored].randomElement(using: &random) ?? .failure
                    state.report(call.permit, result, took: now - call.at, now, jitter: 0.5)
                }
                if case .halfOpen = state.phase {
                    if since == nil { halfOpened += 1 }
                    since = since ?? now
                } else {
                    since = nil
                }
            }
            // Whoever is still out and never comes back: calls that come and succeed close it all the same.
            for _ in 0..<400 where state.phase != .closed {
                now += 1_000_000_000
                if let permit = state.admit(now, jitter: 0.5) {
                    state.report(permit, .success, took: 1, now, jitter: 0.5)
                }
            }
            if state.phase != .closed { stuck += 1 }
        }
        #expect(stuck == 0)
        #expect(halfOpened > 50_000, "\(halfOpened)")
    }
}
