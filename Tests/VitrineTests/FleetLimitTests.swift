// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// Eight processes on one Redis that are killed and started again, asked for the same key by many clients at once.
@Suite(.enabled(if: TestRedis.isInstalled, "Redis is not installed: apt-get install redis-server"))
struct FleetLimitTests {
    private static let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1"
    private static let limit = 300
    private static let window = Duration.seconds(5)

    /// When a request that was let in was sent, and when it was known that it had been.
    private struct Admission: Sendable {
        let sent: ContinuousClock.Instant
        let known: ContinuousClock.Instant
    }

    @Test func `eight processes let in no more than one would, whoever of them is killed`() async throws {
        let redis = try TestRedis()
        defer { redis.stop() }
        let fleet = try await ShopFleet(
            8,
            environment: [
                "VITRINE_REDIS": redis.url,
                // What is not known to fit is not let in, so that a busy machine admits nothing more either.
                "VITRINE_LIMITS": "standard=\(Self.limit)/5, standard=fails-closed",
            ])
        do { try await Self.ask(fleet) } catch {
            fleet.kill()
            throw error
        }
    }

    private static func ask(_ fleet: ShopFleet) async throws {
        let administrator = ShopClient(fleet.address, key: fleet.key)
        let key = try await administrator.send(
            .POST, "/v1/keys", ["name": "app", "scopes": ["read:orders"]]
        ).json["secret"]?.string
        await administrator.close()
        let secret = try #require(key)
        let end = ContinuousClock.now + .seconds(Self.isLong ? 300 : 16)
        let (admitted, statuses) = try await withThrowingTaskGroup(of: ([Admission], [Int: Int]).self) { group in
            for _ in 0..<12 { group.addTask { await client(fleet, secret, until: end) } }
            group.addTask {
                while ContinuousClock.now < end - .seconds(2) {
                    try await Task.sleep(for: .milliseconds(500))
                    try await fleet.killOne()
                }
                return ([], [:])
            }
            var (admitted, statuses): ([Admission], [Int: Int]) = ([], [:])
            for try await (more, seen) in group {
                admitted += more
                statuses.merge(seen, uniquingKeysWith: +)
            }
            return (admitted, statuses)
        }
        try await fleet.close()
        let most = fullest(admitted)
        #expect(most <= limit, "\(most) in a window; \(statuses)")
        #expect(Set(statuses.keys).isSubset(of: [0, 404, 429, 503]), "\(statuses)")
        #expect((statuses[429] ?? 0) > 0, "\(statuses)")
        // Leases that die with their process stay counted until their window is over.
        let possible = Self.limit * (Self.isLong ? 60 : 3)
        #expect(
            admitted.count * 10 >= possible * (Self.isLong ? 9 : 5), "\(admitted.count) of \(possible); \(statuses)")
    }

    private static func client(
        _ fleet: ShopFleet, _ secret: String, until end: ContinuousClock.Instant
    ) async -> ([Admission], [Int: Int]) {
        var (admitted, statuses): ([Admission], [Int: Int]) = ([], [:])
        while ContinuousClock.now < end {
            let client = ShopClient(fleet.address, key: secret)
            for _ in 0..<20 where ContinuousClock.now < end {
                let sent = ContinuousClock.now
                let status = try? await client.send(.GET, "/v1/orders/ord_01m86y3wnftxr5ps1jv2kxafb0").status
                statuses[status ?? 0, default: 0] += 1
                // An order that nobody has: let in, and not found.
                if status == 404 { admitted.append(Admission(sent: sent, known: .now)) }
                if status == nil { break }
                if status != 404 { try? await Task.sleep(for: .milliseconds(10)) }
            }
            await client.close()
        }
        return (admitted, statuses)
    }

    /// How many were certainly let in within one window: sent after it began, and known before it ended.
    private static func fullest(_ admitted: [Admission]) -> Int {
        let byEnd = admitted.sorted { $0.known < $1.known }
        return admitted.map { first in
            byEnd.count { $0.sent >= first.sent && $0.known < first.sent + window }
        }.max() ?? 0
    }
}
