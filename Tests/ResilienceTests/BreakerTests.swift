// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import Resilience

@Suite struct BreakerTests {
    private struct Broken: Error {}
    private struct Refused: Error {}

    private func fail(_ breaker: Breaker, _ times: Int) async {
        for _ in 0..<times { _ = try? await breaker.run { throw Broken() } }
    }

    @Test func `it opens at its share of failures, and not before there are enough calls`() async throws {
        let time = HandClock()
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
        let time = HandClock()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 9)
        time.advance(by: .seconds(11))
        await fail(breaker, 9)
        #expect(breaker.current == .closed)
    }

    @Test func `slow calls open it, and refusals and callers who leave do not`() async throws {
        let time = HandClock()
        var settings = BreakerSettings()
        settings.slowAfter = .seconds(1)
        let breaker = Breaker("db", settings, now: time.source) { error in
            error is Refused ? .success : error is CancellationError ? .ignored : .failure
        }
        for _ in 0..<50 { _ = try? await breaker.run { throw Refused() } }
        for _ in 0..<50 { _ = try? await breaker.run { throw CancellationError() } }
        #expect(breaker.current == .closed)
        time.advance(by: .seconds(20))
        for _ in 0..<10 { try await breaker.run { time.advance(by: .milliseconds(1_001)) } }
        #expect(breaker.current == .open)
    }

    @Test func `after a while it lets probes through, and closes when they come back`() async throws {
        let time = HandClock()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        time.advance(by: .seconds(7))
        try await breaker.run {}
        #expect(breaker.current == .halfOpen)
        try await breaker.run {}
        try await breaker.run {}
        #expect(breaker.current == .closed)
        await fail(breaker, 9)
        #expect(breaker.current == .closed, "it begins afresh")
    }

    @Test func `a probe that fails opens it for twice as long`() async throws {
        let time = HandClock()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        for round in 1...6 {
            time.advance(by: breaker.retryAfter ?? .zero)
            await fail(breaker, 1)
            let next = min(5.0 * Double(1 << round), 60)
            let wait = breaker.retryAfter.map { $0 / .seconds(1) } ?? 0
            #expect(wait > next * 0.79 && wait < next * 1.21, "round \(round): \(wait) s")
        }
    }

    @Test func `nobody who was not asked has failed`() async throws {
        let time = HandClock()
        let breaker = Breaker("db", now: time.source)
        await fail(breaker, 10)
        // The time to try comes and goes while nobody calls; only then somebody does.
        time.advance(by: .seconds(7))
        _ = try? await breaker.run { throw CancellationError() }
        time.advance(by: .seconds(30))
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
            var wasHalfOpen = false
            for _ in 0..<40 {
                now += Int64.random(in: 0...4_000_000_000, using: &random)
                if Bool.random(using: &random), let permit = state.admit(now, jitter: 0.5) {
                    open.append((permit, now))
                } else if let call = open.randomElement(using: &random) {
                    // Some are reported twice, some never: both happen to callers who make mistakes.
                    let result: Breaker.Judgement =
                        [.success, .failure, .failure, .ignored].randomElement(using: &random) ?? .failure
                    state.report(call.permit, result, took: now - call.at, now, jitter: 0.5)
                }
                let isHalfOpen = if case .halfOpen = state.phase { true } else { false }
                if isHalfOpen, !wasHalfOpen { halfOpened += 1 }
                wasHalfOpen = isHalfOpen
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
