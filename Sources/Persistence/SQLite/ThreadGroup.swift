// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// Threads of an engine: each owns what it opened, from its first line to its last.
final class ThreadGroup: Sendable {
    private struct State {
        var running = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Starts a thread, and returns once its `open` has succeeded.
    ///
    /// - Throws: what `open` throws; the thread has ended then.
    func start<Resource>(
        name: String, open: @escaping @Sendable () throws -> Resource, run: @escaping @Sendable (Resource) -> Void
    ) throws {
        let opened = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        state.withLock { $0.running += 1 }
        let thread = Thread { [self] in
            defer { ended() }
            do {
                let resource = try open()
                opened.signal()
                run(resource)
            } catch {
                outcome.fail(error)
                opened.signal()
            }
        }
        thread.name = name
        // Enough for deep SQL expressions, small beside the default of 8 MiB.
        thread.stackSize = 1 << 20
        thread.start()
        opened.wait()
        if let error = outcome.error { throw error }
    }

    /// Returns when every thread has ended.
    func finished() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.running > 0 { state.waiting.append(continuation) }
                return state.running == 0
            }
            if isDone { continuation.resume() }
        }
    }

    private func ended() {
        let waiting = state.withLock { state in
            state.running -= 1
            guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private final class Outcome: Sendable {
        private let stored = Mutex<(any Error)?>(nil)
        var error: (any Error)? { stored.withLock { $0 } }
        func fail(_ error: any Error) { stored.withLock { $0 = error } }
    }
}
