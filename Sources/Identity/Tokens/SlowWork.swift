// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// Does what takes a processor for long beside everything else, on so many threads at once and no more.
final class SlowWork: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private enum Place { case started, waiting, refused }

    private let threadsMax: Int
    private let state = Mutex(State())

    /// Whoever would have to wait longer than behind so many is told to come again.
    private static let waitingMax = 64

    init(threadsMax: Int) { self.threadsMax = threadsMax }

    /// - Throws: `Failure` with `overloaded`, or what `body` throws.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let work: @Sendable () -> Void = { continuation.resume(with: Swift.Result { try body() }) }
            switch place(work) {
            case .started: Thread { [self] in serve(work) }.start()
            case .waiting: break
            case .refused: continuation.resume(throwing: Failure(.overloaded, "Too many passwords are being checked."))
            }
        }
    }

    private func place(_ work: @escaping @Sendable () -> Void) -> Place {
        state.withLock { state in
            if state.running < threadsMax {
                state.running += 1
                return .started
            }
            guard state.waiting.count < Self.waitingMax else { return .refused }
            state.waiting.append(work)
            return .waiting
        }
    }

    private func serve(_ first: @Sendable () -> Void) {
        first()
        while let next = next() { next() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
