// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Resilience

/// A database to which faults are done at its door: `database.read` and `database.write`.
struct FaultyEngine: SQLEngine {
    let engine: any SQLEngine
    let faults: FaultInjector

    var dialect: Dialect { engine.dialect }
    var versions: TableVersions { engine.versions }

    func read<Result: Sendable>(
        _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await faults.run(at: "database.read", refusal: Self.refusal) { try await engine.read(freshness, body) }
    }

    func write<Result: Sendable>(
        alone: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await faults.run(at: "database.write", refusal: Self.refusal) { try await engine.write(alone: alone, body) }
    }

    func close() async { await engine.close() }

    /// As a connection that has broken, which leaves it open whether a transaction was committed.
    private static func refusal(_ fault: Fault) -> any Error {
        DatabaseError(
            kind: .connection, code: "fault", message: "A fault that is made on purpose: \(fault.name).", statement: nil
        )
    }
}
