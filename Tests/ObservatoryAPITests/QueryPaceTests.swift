// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import ObservatoryAPI

/// How long queries rest, by a clock that the test moves.
struct QueryPaceTests {
    /// A process of which others use a share of a processor.
    private final class World: Sendable {
        let start = ContinuousClock.now
        private let state = Mutex((passed: Duration.zero, process: Duration.zero))

        var now: ContinuousClock.Instant { start + state.withLock { $0.passed } }
        var process: Duration { state.withLock { $0.process } }

        func pass(_ time: Duration, others: Double, query: Duration = .zero) {
            state.withLock { $0 = ($0.passed + time, $0.process + time * others + query) }
        }
    }

    private func pace(_ world: World) -> QueryPace {
        QueryPace(share: 0.1, creditMax: .milliseconds(300), now: world.start) { world.process }
    }

    @Test func `a single long query goes on at once, and those that never stop have their share`() {
        let world = World()
        let pace = pace(world)
        var (used, rested) = (Duration.zero, Duration.zero)
        while used < .seconds(2) {
            world.pass(.milliseconds(2), others: 0.3, query: .milliseconds(2))
            used += .milliseconds(2)
            let rest = pace.rest(after: .milliseconds(2), world.now)
            #expect(rest == .zero || used > .milliseconds(300))
            world.pass(rest, others: 0.3)
            rested += rest
        }
        // What was saved up came on top.
        #expect(abs((used - .milliseconds(300)) / (used + rested) - 0.1) < 0.01)
    }

    @Test func `where nothing else is done nobody rests, and what was used then is forgotten`() {
        let world = World()
        let pace = pace(world)
        for _ in 0..<2_000 {
            world.pass(.milliseconds(2), others: 0.005, query: .milliseconds(2))
            let rest = pace.rest(after: .milliseconds(2), world.now)
            // Until it has been looked at once, the process counts as busy, which what is saved up is more than enough for.
            #expect(rest == .zero)
        }
        #expect(!pace.isOverdrawn(at: world.now))
        world.pass(.seconds(1), others: 0.3)
        #expect(pace.rest(after: .milliseconds(50), world.now) == .zero)
        world.pass(.milliseconds(100), others: 0.3, query: .milliseconds(100))
        #expect(pace.rest(after: .milliseconds(100), world.now) > .zero)
        #expect(pace.isOverdrawn(at: world.now))
    }

    @Test func `what one used in one piece is made up for only in part, so that others wait ten seconds at most`() {
        let world = World()
        let pace = pace(world)
        world.pass(.seconds(60), others: 1, query: .seconds(60))
        #expect(pace.rest(after: .seconds(60), world.now) == .seconds(10))
        world.pass(.seconds(4), others: 1)
        #expect(abs(pace.rest(after: .zero, world.now) / .seconds(1) - 6) < 0.001)
    }
}
