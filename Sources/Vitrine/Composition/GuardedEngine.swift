// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Resilience

/// A server's database that is left alone for a moment when it is gone or drags, so that requests are answered 503 at once instead
/// of waiting for their deadlines with a connection in hand. How much may wait is bounded by the engine's own queue.
struct GuardedEngine: SQLEngine {
    let engine: any SQLEngine
    private let reads: Breaker
    private let writes: Breaker

    init(_ engine: any SQLEngine) {
        self.engine = engine
        reads = Self.breaker("database.read")
        writes = Self.breaker("database.write")
    }

    var dialect: Dialect { engine.dialect }
    var versions: TableVersions { engine.versions }

    func read<Result: Sendable>(
        _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await Self.guarded(by: reads) { try await engine.read(freshness, body) }
    }

    func write<Result: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Result) async throws -> Result {
        try await Self.guarded(by: writes) { try await engine.write(body) }
    }

    func close() async { await engine.close() }

    private static func breaker(_ name: String) -> Breaker {
        var settings = BreakerSettings()
        // Twice what most requests may take.
        settings.window = .seconds(60)
        settings.callsMin = 20
        settings.slowAfter = dragging
        // A server that restarts is back within seconds, and whoever waits for it wants to know.
        (settings.openTime, settings.openTimeMax) = (.seconds(1), .seconds(5))
        settings.probeTime = .seconds(10)
        return Breaker(name, settings, judge: judge)
    }

    /// What a body refuses is an answer.
    private static func judge(_ error: any Error) -> Breaker.Judgement {
        switch error {
        case let left as Left: left.after >= dragging ? .failure : .ignored
        case let error as DatabaseError: [.connection, .io].contains(error.kind) ? .failure : .success
        default: .success
        }
    }

    /// Nobody waited for the answer any more. That says something of the database only where it was waited for long.
    private struct Left: Error {
        let after: Duration
        let error: any Error
    }

    private static let dragging = Duration.seconds(5)

    private static func guarded<Result>(by breaker: Breaker, _ call: () async throws -> Result) async throws -> Result {
        // Who is to end the faults must get through.
        if FaultInjector.isExempt { return try await call() }
        let start = ContinuousClock.now
        do {
            return try await breaker.run {
                do { return try await call() } catch  where isImpatience(error) {
                    throw Left(after: ContinuousClock.now - start, error: error)
                }
            }
        } catch let left as Left {
            throw left.error
        } catch let refusal as BreakerOpen {
            throw DatabaseError(kind: .connection, code: "breaker", message: "\(refusal)", statement: nil)
        }
    }

    private static func isImpatience(_ error: any Error) -> Bool {
        switch error {
        case let error as DatabaseError: error.kind == .timedOut
        case let failure as Failure: failure.code == .timedOut
        default: error is CancellationError
        }
    }
}
