// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import ServiceContextModule
internal import Synchronization
internal import Tracing

/// The shop's data: consistent reads, durable writes.
package struct Database: Sendable {
    private let engine: any SQLEngine

    package var dialect: Dialect { engine.dialect }

    /// When each table was last changed.
    package var versions: TableVersions { engine.versions }

    private let metrics: DatabaseMetrics

    package init(engine: any SQLEngine) {
        self.engine = engine
        metrics = DatabaseMetrics(engine.dialect)
    }

    /// Runs `body` on one consistent snapshot.
    ///
    /// - Throws: what `body` throws, ``DatabaseError``, or `Failure` with `overloaded` when too many reads wait.
    package func read<Result: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await observed(metrics.read) { try await engine.read(.current, counting($0, body)) }
    }

    /// The same, for reads that may miss the last moments' changes: they go to a replica where there is one.
    package func readLagging<Result: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await observed(metrics.read) { try await engine.read(.lagging, counting($0, body)) }
    }

    /// Runs `body` in a transaction and returns once it is durable.
    ///
    /// What `body` throws undoes its changes and no one else's. The engine may run `body` again after a conflict, so it
    /// must have no effect but on the transaction. It shares its commit with other callers' bodies, so it should be short; one
    /// that changes hundreds of rows is better `alone`.
    /// - Throws: what `body` throws, ``DatabaseError``, or `Failure` with `overloaded` when too many writes wait.
    package func write<Result: Sendable>(
        alone: Bool = false, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        let (result, news) = try await observed(metrics.write) { observation in
            try await engine.write(alone: alone, counting(observation) { try $0.whole(body) })
        }
        for work in news { work() }
        return result
    }

    /// `body`, with its statements on the account of the request at hand.
    private func counting<Some: Connection, Result: Sendable>(
        _ observed: Observed, _ body: @escaping @Sendable (Some) throws -> Result
    ) -> @Sendable (Some) throws -> Result {
        let facts = RequestFacts.current
        let observation = observed.observation
        let isFirst = FirstRun()
        return { connection in
            // An engine may run a body again after a conflict; what passed until then was no waiting.
            if isFirst.isNow() { facts?.add(waited: observed.operation.waited(since: observed.start)) }
            guard facts != nil || observation != nil else { return try body(connection) }
            let before = connection.statements
            connection.observe(observation != nil)
            if let transaction = connection as? Transaction {
                transaction.findTrace = observation.map { observation in { observation.trace } }
                transaction.origin = facts?.subjects.first { $0.name == "client.address" }?.value
            }
            defer {
                facts?.add(statements: connection.statements - before)
                observation?.ran(connection.observed)
                connection.observe(false)
            }
            return try body(connection)
        }
    }

    private final class FirstRun: Sendable {
        private let hasRun = Atomic(false)

        func isNow() -> Bool { !hasRun.exchange(true, ordering: .relaxed) }
    }

    /// A body on its way through the engine.
    private struct Observed {
        let operation: DatabaseMetrics.Operation
        let start: ContinuousClock.Instant
        let observation: DatabaseObservation?
    }

    /// Measures and, within a trace, traces what `body` has the engine do, from the queue to the answer.
    private func observed<Result: Sendable>(
        _ operation: DatabaseMetrics.Operation, _ body: (Observed) async throws -> Result
    ) async throws -> Result {
        let start = operation.begins()
        defer { operation.ended(since: start) }
        func observed(_ observation: DatabaseObservation?) -> Observed {
            Observed(operation: operation, start: start, observation: observation)
        }
        guard ServiceContext.current != nil else { return try await body(observed(nil)) }
        let outcome = await withSpan(operation.name, ofKind: .client) { span -> Swift.Result<Result, any Error> in
            let observation =
                span.isRecording
                ? DatabaseObservation(dialect: dialect, operation: operation.name, in: ServiceContext.current) : nil
            defer { observation?.describe(span) }
            do {
                return .success(try await body(observed(observation)))
            } catch {
                // What a body refuses, such as an unknown identifier, is no fault of the database.
                if error is DatabaseError {
                    span.recordError(error)
                    span.setStatus(.init(code: .error))
                }
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Finishes what was begun and closes every connection. Later calls throw `Failure` with `unavailable`.
    package func close() async { await engine.close() }
}

/// How new the data must be that a read sees.
package enum Freshness: Sendable {
    /// Everything that was committed before.
    case current
    /// Perhaps without the last moments' changes; may be read from a replica.
    case lagging
}

/// What an engine must offer; there is one in `SQLite/` and one in `Postgres/`.
package protocol SQLEngine: Sendable {
    var dialect: Dialect { get }
    var versions: TableVersions { get }
    func read<Result: Sendable>(
        _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result
    /// With `alone` the body shares its commit with no others, because it changes much.
    func write<Result: Sendable>(
        alone: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result
    func close() async
}
