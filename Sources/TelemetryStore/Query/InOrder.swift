// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// Makes things on a few threads and hands them over in their order.
enum InOrder {
    /// - Parameters:
    ///   - count: how many things.
    ///   - threads: that make, the calling one among them; the others begin under its policy.
    ///   - worker: called once on each thread: what makes the thing of a number there. It calls its second argument now and then,
    ///     which throws where nobody waits any more.
    ///   - check: throws where the caller is to stop.
    ///   - take: is given one after the other on the calling thread.
    /// - Throws: What making the first thing that cannot be made throws, and what `check` and `take` throw. The other threads then
    ///   end soon.
    static func make<Made: Sendable>(
        _ count: Int, threads: Int, _ worker: @escaping @Sendable () -> (Int, () throws -> Void) throws -> Made,
        check: () throws -> Void, _ take: (Made) throws -> Void
    ) throws {
        let bench = Workbench<Made>(count: count, aheadMax: max(1, threads) * 4)
        defer { bench.close() }
        for _ in 1..<max(1, min(threads, count)) {
            let thread = Thread {
                let make = worker()
                bench.work { place in
                    try make(place) { if bench.isClosed { throw CancellationError() } }
                }
            }
            thread.name = "query"
            thread.start()
        }
        let make = worker()
        try withoutActuallyEscaping(check) { check in
            for place in 0..<count { try take(try bench.thing(place) { try make($0, check) }.get()) }
        }
    }
}

/// Things that are being made, or wait to be taken in their turn.
private final class Workbench<Made: Sendable>: Sendable {
    private struct State {
        /// The next one that nobody makes.
        var next = 0
        var taken = 0
        var made: [Int: Result<Made, any Error>] = [:]
        var isClosed = false
    }

    private let count: Int
    /// How many may be made before they are taken: they are held meanwhile.
    private let aheadMax: Int
    private let state = Mutex(State())
    private let change = NSCondition()

    init(count: Int, aheadMax: Int) { (self.count, self.aheadMax) = (count, aheadMax) }

    /// Makes things until none is left, on a thread of its own.
    func work(_ make: (Int) throws -> Made) {
        while let place = waitForNext() { finish(place, Result { try make(place) }) }
    }

    /// The thing of a number. Meanwhile the calling thread makes others, or this one.
    func thing(_ place: Int, _ make: (Int) throws -> Made) -> Result<Made, any Error> {
        while true {
            if let thing = take(place) { return thing }
            if let next = state.withLock({ claim(&$0) }) {
                finish(next, Result { try make(next) })
            } else {
                wait { $0.made[place] == nil }
            }
        }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func close() { tell { $0.isClosed = true } }

    private func take(_ place: Int) -> Result<Made, any Error>? {
        guard let thing = state.withLock({ $0.made.removeValue(forKey: place) }) else { return nil }
        tell { $0.taken = place + 1 }
        return thing
    }

    private func finish(_ place: Int, _ thing: Result<Made, any Error>) { tell { $0.made[place] = thing } }

    private func waitForNext() -> Int? {
        wait { !$0.isClosed && $0.next < count && $0.next >= $0.taken + aheadMax }
        return state.withLock { $0.isClosed ? nil : claim(&$0) }
    }

    private func claim(_ state: inout State) -> Int? {
        guard state.next < count, state.next < state.taken + aheadMax else { return nil }
        defer { state.next += 1 }
        return state.next
    }

    private func tell(_ body: (inout State) -> Void) {
        change.lock()
        state.withLock { body(&$0) }
        change.broadcast()
        change.unlock()
    }

    private func wait(while condition: (borrowing State) -> Bool) {
        change.lock()
        while state.withLock({ condition($0) }) { change.wait() }
        change.unlock()
    }
}
