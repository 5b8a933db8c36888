// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import RateLimiting
import Redis

/// What limits cost that processes share, on a Redis of their own on this machine.
struct SharedCosts {
    private let server: Process
    private let url: String

    /// - Returns: `nil` where there is no Redis.
    init?() throws {
        let program = "/usr/bin/redis-server"
        guard FileManager.default.isExecutableFile(atPath: program) else { return nil }
        let port = Int.random(in: 20_000..<30_000)
        url = "redis://127.0.0.1:\(port)"
        server = Process()
        server.executableURL = URL(filePath: program)
        server.arguments = ["--port", "\(port)", "--save", "", "--appendonly", "no"]
        server.standardOutput = FileHandle.nullDevice
        try server.run()
        Thread.sleep(forTimeInterval: 0.5)
    }

    func run() async throws {
        defer { server.terminate() }
        let policies = ["a", "b", "c"].map { RatePolicy.slidingWindow($0, limit: 1_000_000, per: .seconds(60)) }
        var options = SharedLimitOptions()
        options.deadline = .seconds(1)
        options.leaseTime = .zero
        let asking = try SharedRateLimiter(policies, redis: url, options: options)
        await asking.settled()
        for callers in [1, 8, 64] {
            try await measure("\(callers) callers, asked each time", asking, callers, keys: 100_000)
        }
        // Each key comes some thirty times a second here, so that soon there is something in every slot of two seconds.
        let short = ["d", "e", "f"].map {
            RatePolicy.slidingWindow($0, limit: 1_000_000, per: .seconds(2), slots: 60)
        }
        let full = try SharedRateLimiter(short, redis: url, options: options)
        await full.settled()
        try await measure("64 callers, every slot in use", full, 64, keys: 2_000, rounds: 500_000)
        options.leaseTime = .milliseconds(200)
        let leasing = try SharedRateLimiter(policies, redis: url, options: options)
        await leasing.settled()
        try await measure("8 callers, one busy key, leased", leasing, 8, keys: 1)
    }

    private func measure(
        _ name: String, _ limiter: SharedRateLimiter, _ callers: Int, keys: Int, rounds all: Int = 120_000
    ) async throws {
        let client = RedisClient(try RedisAddress(url), deadline: .seconds(1))
        await client.settled()
        let before = try await used(client)
        let start = ContinuousClock.now
        let rounds = all / callers
        let (times, local) = await withTaskGroup(of: ([Int64], Int).self) { group in
            for _ in 0..<callers {
                group.addTask {
                    var (times, local): ([Int64], Int) = ([], 0)
                    for _ in 0..<rounds {
                        let key = LimitKey("client \(Int.random(in: 0..<keys))")
                        let checks = limiter.local.policyIDs.map { Check($0, key) }
                        let begun = ContinuousClock.now
                        if limiter.decideAtOnce(checks) != nil { local += 1 } else { _ = await limiter.decide(checks) }
                        times.append((ContinuousClock.now - begun).components.attoseconds / 1_000_000_000)
                    }
                    return (times, local)
                }
            }
            return await group.reduce(into: ([Int64](), 0)) { $0 = ($0.0 + $1.0, $0.1 + $1.1) }
        }
        let seconds =
            Double((ContinuousClock.now - start).components.attoseconds) * 1e-18
            + Double((ContinuousClock.now - start).components.seconds)
        let cpu = (try await used(client) - before) * 1e6 / Double(times.count)
        let sorted = times.sorted()
        func rank(_ share: Double) -> String {
            String(format: "%.1f", Double(sorted[Int(Double(sorted.count - 1) * share)]) / 1_000)
        }
        print(
            "\(name): \(Int(Double(times.count) / seconds)) a second, p50 \(rank(0.5)) us, p99 \(rank(0.99)) us, Redis",
            String(format: "%.1f us of CPU each,", cpu), "decided here \(local * 100 / times.count) %")
    }

    /// Seconds of CPU that Redis has used.
    private func used(_ client: RedisClient) async throws -> Double {
        let text = try await client.call(RedisCommand("INFO", "cpu")).text ?? ""
        return ["used_cpu_user:", "used_cpu_sys:"].reduce(0) { sum, name in
            let line = text.split(separator: "\r\n").first { $0.hasPrefix(name) } ?? ""
            return sum + (Double(line.dropFirst(name.count)) ?? 0)
        }
    }
}
