// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// Lets bodies through side by side, and one that has lost a conflict alone.
///
/// Two that block each other would do so again if both simply tried again; one that goes alone meets nobody of this
/// process.
final class Gate: Sendable {
    private struct State {
        var inside = 0
        var isTakenAlone = false
        var waitingAlone = 0
    }

    private let state = Mutex(State())
    private let condition = NSCondition()

    /// Runs `body` with others, or `alone`. Blocks the thread until it may.
    func pass<Result>(alone: Bool, _ body: () throws -> Result) rethrows -> Result {
        condition.lock()
        if alone { state.withLock { $0.waitingAlone += 1 } }
        while !enter(alone: alone) { condition.wait() }
        condition.unlock()
        defer {
            condition.lock()
            state.withLock { state in
                state.inside -= 1
                if alone { state.isTakenAlone = false }
            }
            condition.broadcast()
            condition.unlock()
        }
        return try body()
    }

    private func enter(alone: Bool) -> Bool {
        state.withLock { state in
            // Who waits to go alone comes first, or the stream of others would never end.
            let isFree = alone ? state.inside == 0 : !state.isTakenAlone && state.waitingAlone == 0
            guard isFree else { return false }
            state.inside += 1
            if alone {
                state.waitingAlone -= 1
                state.isTakenAlone = true
            }
            return true
        }
    }
}
