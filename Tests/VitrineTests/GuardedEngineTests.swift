// SPDX-License-Identifier: Apache-2.0

import Persistence
import Resilience
import Synchronization
import Testing

@testable import Vitrine

@Suite struct GuardedEngineTests {
    /// Counts what it is asked, and fails with what it is told to.
    private final class Broken: SQLEngine {
        let dialect = Dialect.postgres
        let versions = TableVersions()
        let error: DatabaseError
        let asked = Mutex(0)

        init(_ kind: DatabaseError.Kind) {
            error = DatabaseError(kind: kind, code: "test", message: "no", statement: nil)
        }

        func read<Result: Sendable>(
            _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
        ) async throws -> Result {
            asked.withLock { $0 += 1 }
            throw error
        }

        func write<Result: Sendable>(
            alone _: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
        ) async throws -> Result {
            asked.withLock { $0 += 1 }
            throw error
        }

        func close() async {}
    }

    @Test func `a database that does not answer is left alone, reads and writes apart`() async throws {
        let broken = Broken(.connection)
        // Whatever it takes is long.
        let engine = GuardedEngine(broken, dragging: .zero)
        var codes: [String] = []
        for _ in 0..<100 {
            let error = try await #require(throws: DatabaseError.self) { try await engine.read(.current) { _ in 1 } }
            #expect(error.kind == .connection)
            codes.append(error.code)
        }
        #expect(codes == Array(repeating: "test", count: 20) + Array(repeating: "breaker", count: 80))
        #expect(broken.asked.withLock { $0 } == 20)
        await #expect(throws: DatabaseError.self) { try await engine.write(alone: false) { _ in 1 } }
        #expect(broken.asked.withLock { $0 } == 21)
        await FaultInjector.$isExempt.withValue(true) {
            await #expect(throws: DatabaseError.self) { try await engine.read(.current) { _ in 1 } }
        }
        #expect(broken.asked.withLock { $0 } == 22, "who ends the faults gets through")
    }

    @Test(arguments: [DatabaseError.Kind.unique, .conflict, .timedOut, .connection])
    func `what a database refuses at once is no reason to leave it alone`(_ kind: DatabaseError.Kind) async throws {
        let broken = Broken(kind)
        let engine = GuardedEngine(broken)
        for _ in 0..<100 {
            await #expect(throws: DatabaseError.self) { try await engine.write(alone: false) { _ in 1 } }
        }
        #expect(broken.asked.withLock { $0 } == 100)
    }
}
