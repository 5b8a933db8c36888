// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Resilience

/// A server's database that is left alone for a moment when it does not answer, so that requests are answered 503 at once instead
/// of waiting for their deadlines with a connection in hand. One that refuses at once costs nothing to ask, and is back the
/// moment that it is back. How much may wait is bounded by the engine's own queue.
struct GuardedEngine: SQLEngine {
    let engine: any SQLEngine
    private let reads: Breaker
    private let writes: Breaker
    private let dragging: Duration

    /// A call that takes longer than `dragging` counts against the database. Default 4 s, less than a connection may take.
    init(_ engine: any SQLEngine, dragging: Duration = .seconds(4)) {
        self.engine = engine
        self.dragging = dragging
        reads = Self.breaker("database.read", dragging)
        writes = Self.breaker("database.write", dragging)
    }

    var dialect: Dialect { engine.dialect }
    var versions: TableVersions { engine.versions }

    func read<Result: Sendable>(
        _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await guarded(by: reads) { try await engine.read(freshness, body) }
    }

    func write<Result: Sendable>(
        alone: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await guarded(by: writes) { try await engine.write(alone: alone, body) }
    }

    func close() async { await engine.close() }

    private static func breaker(_ name: String, _ dragging: Duration) -> Breaker {
        var settings = BreakerSettings()
        // Twice what most requests may take.
        settings.window = .seconds(60)
        settings.callsMin = 20
        settings.slowAfter = dragging
        // A server that restarts is back within seconds, and whoever waits for it wants to know.
        (settings.openTime, settings.openTimeMax) = (.seconds(1), .seconds(5))
        settings.probeTime = .seconds(10)
        return Breaker(
            name, settings,
            // What a body refuses is an answer.
            judge: { error in (error as? Unanswered).map { $0.after >= dragging ? .failure : .ignored } ?? .success })
    }

    /// The server was not there, or nobody waited for it any more. That says something of it only where it took long.
    private struct Unanswered: Error {
        let after: Duration
        let error: any Error
    }

    private func guarded<Result>(by breaker: Breaker, _ call: () async throws -> Result) async throws -> Result {
        // Who is to end the faults must get through.
        if FaultInjector.isExempt { return try await call() }
        let start = ContinuousClock.now
        do {
            return try await breaker.run {
                do { return try await call() } catch  where Self.isUnanswered(error) {
                    throw Unanswered(after: ContinuousClock.now - start, error: error)
                }
            }
        } catch let unanswered as Unanswered {
            throw unanswered.error
        } catch let refusal as BreakerOpen {
            throw DatabaseError(kind: .connection, code: "breaker", message: "\(refusal)", statement: nil)
        }
    }

    private static func isUnanswered(_ error: any Error) -> Bool {
        switch error {
        case let error as DatabaseError: [.connection, .io, .timedOut].contains(error.kind)
        case let failure as Failure: failure.code == .timedOut
        default: error is CancellationError
        }
    }
}
