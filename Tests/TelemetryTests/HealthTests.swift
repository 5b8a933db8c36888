// SPDX-License-Identifier: Apache-2.0

import Foundation
import ServiceLifecycle
import Synchronization
import Testing

@testable import Telemetry

@Suite struct HealthTests {
    struct Refused: Error {}

    /// Runs `health` until it has checked once, and tells what it finds then.
    private func whileRunning<Result: Sendable>(
        _ health: Health, _ test: @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await health.run() }
            for _ in 0..<500 where health.readiness == .fail && health.findings.contains(where: { $0.isUp == nil }) {
                try await Task.sleep(for: .milliseconds(5))
            }
            try await Task.sleep(for: .milliseconds(20))
            defer { group.cancelAll() }
            return try await test()
        }
    }

    @Test func `a process is ready when all that it requires answers`() async throws {
        let isUp = Mutex(true)
        let registry = MetricRegistry(.init(descriptions: Health.descriptions))
        let health = Health(
            [
                .init("database", isRequired: true) { if !isUp.withLock({ $0 }) { throw Refused() } },
                .init("mail", isRequired: false) { throw Refused() },
            ], every: .milliseconds(10), metrics: registry)
        #expect(health.readiness == .fail, "it has not begun")
        try await whileRunning(health) {
            #expect(health.readiness == .warn)
            #expect(health.readinessReport().status == 200)
            isUp.withLock { $0 = false }
            try await Task.sleep(for: .milliseconds(200))
            #expect(health.readiness == .fail)
            #expect(health.report().status == 503)
            let report = try JSONSerialization.jsonObject(with: Data(health.report().body)) as? [String: Any]
            let database = ((report?["checks"] as? [String: Any])?["database"] as? [[String: Any]])?.first
            #expect(database?["status"] as? String == "fail")
            #expect((database?["output"] as? String)?.contains("Refused") == true)
            let text = String(decoding: registry.exposition(.prometheusText), as: UTF8.self)
            #expect(text.contains("vitrine_health_dependency_up{dependency=\"database\"} 0\n"))
            isUp.withLock { $0 = true }
            try await Task.sleep(for: .milliseconds(200))
            #expect(health.readiness == .warn, "it is back")
        }
    }

    @Test func `a check that never comes back counts as failed`() async throws {
        let health = Health(
            [
                .init("stuck", isRequired: true) {
                    // Deaf to cancellation, as a thread in a system call is.
                    let end = ContinuousClock.now + .seconds(1)
                    while ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(5)) }
                }
            ], every: .milliseconds(10), timeMax: .milliseconds(50))
        async let check: Void = health.check()
        try await Task.sleep(for: .milliseconds(300))
        #expect(health.findings.first?.isUp == false)
        #expect(health.findings.first?.lastError?.contains("has not answered") == true)
        await check
    }
}
