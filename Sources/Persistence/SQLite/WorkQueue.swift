// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// A bounded queue from many tasks to a few threads, which wait on it without burning a core.
final class WorkQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        /// Threads that wait for an element.
        var idle = 0
        var isClosed = false
    }

    enum Refusal { case full, closed }

    private let capacity: Int
    private let state = Mutex(State())
    private let condition = NSCondition()

    init(capacity: Int) { self.capacity = capacity }

    /// - Returns: `nil` when `element` was taken.
    func offer(_ element: Element) -> Refusal? {
        let (refusal, isAwaited): (Refusal?, Bool) = state.withLock { state in
            if state.isClosed { return (.closed, false) }
            if state.elements.count >= capacity { return (.full, false) }
            state.elements.append(element)
            return (nil, state.idle > 0)
        }
        if isAwaited { wake { $0.signal() } }
        return refusal
    }

    /// Whoever counts as idle waits by the time the lock is had. It is let go before anybody wakes: who wakes needs it at once,
    /// and may take the processor of who calls.
    private func wake(_ body: (NSCondition) -> Void) {
        condition.lock()
        condition.unlock()
        body(condition)
    }

    /// Waits for work and takes up to `limit` elements, oldest first.
    ///
    /// - Returns: an empty array once the queue is closed and drained.
    func take(upTo limit: Int) -> [Element] {
        condition.lock()
        defer { condition.unlock() }
        while true {
            let (taken, isClosed) = state.withLock { state in
                let taken = Array(state.elements.prefix(limit))
                state.elements.removeFirst(taken.count)
                if taken.isEmpty, !state.isClosed { state.idle += 1 }
                return (taken, state.isClosed)
            }
            if !taken.isEmpty || isClosed { return taken }
            condition.wait()
            state.withLock { $0.idle -= 1 }
        }
    }

    /// Takes no more; what is queued is still worked off.
    func close() {
        state.withLock { $0.isClosed = true }
        wake { $0.broadcast() }
    }
}
