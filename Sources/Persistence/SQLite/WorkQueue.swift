// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// A bounded queue from many tasks to a few threads, which wait on it without burning a core.
final class WorkQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    enum Refusal { case full, closed }

    private let capacity: Int
    private let state = Mutex(State())
    private let condition = NSCondition()

    init(capacity: Int) { self.capacity = capacity }

    /// - Returns: `nil` when `element` was taken.
    func offer(_ element: Element) -> Refusal? {
        let refusal: Refusal? = state.withLock { state in
            if state.isClosed { return .closed }
            if state.elements.count >= capacity { return .full }
            state.elements.append(element)
            return nil
        }
        if refusal == nil {
            condition.lock()
            condition.signal()
            condition.unlock()
        }
        return refusal
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
                return (taken, state.isClosed)
            }
            if !taken.isEmpty || isClosed { return taken }
            condition.wait()
        }
    }

    /// Takes no more; what is queued is still worked off.
    func close() {
        state.withLock { $0.isClosed = true }
        condition.lock()
        condition.broadcast()
        condition.unlock()
    }
}
