// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
package import Logging

/// A Redis server, over one connection that all callers share.
///
/// No call lasts longer than its deadline. While Redis does not answer, or there is no connection, calls are refused at once,
/// and the connection is tried again after 10 ms to 1 s. Cost: some 85 µs on the same machine for a script that decides about
/// three limits, half of it in Redis (`Benchmarks/RESULTS.md`); many callers share one write.
package final class RedisClient: Sendable {
    private let pipeline: RedisPipeline
    private let deadline: Duration
    private let timer: any TimerHandler
    private let failures: @Sendable (RedisError) -> Void

    /// Connects in the background; see ``settled()``.
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - scripts: what will be run there.
    ///   - deadline: how long a call may take. Default: 10 ms.
    ///   - logger: told when Redis goes and returns.
    package init(
        _ address: RedisAddress, scripts: [RedisScript] = [], deadline: Duration = .milliseconds(10),
        logger: Logger = Logger(label: "vitrine.redis")
    ) {
        self.deadline = deadline
        timer = MetricsSystem.factory.makeTimer(
            label: "db.client.operation.duration",
            dimensions: [("db.system.name", "redis"), ("db.operation.name", "call")])
        let counters = ["unavailable", "silent", "timed_out", "overloaded", "refused"].map { reason in
            Counter(label: "redis.client.failures", dimensions: [("reason", reason)])
        }
        failures = { counters[$0.place].increment() }
        let place = "\(address)"
        pipeline = RedisPipeline(address, scripts: scripts) { health in
            switch health {
            case .up: logger.notice("Redis answers", metadata: ["address": "\(place)"])
            case .silent: logger.warning("Redis does not answer in time", metadata: ["address": "\(place)"])
            case .down(let reason):
                logger.warning("Redis is not there", metadata: ["address": "\(place)", "error": "\(reason)"])
            case .beginning, .closed: break
            }
        }
    }

    deinit { pipeline.close() }

    /// Ends the connection; calls are refused from now on.
    package func close() { pipeline.close() }

    /// Returns once Redis was reached for the first time, or could not be: after the look-up of its name a second at most for the
    /// connection, and a second for each of the few commands that open it.
    package func settled() async { await pipeline.settled() }

    /// Whether a call would be sent.
    package var isAnswering: Bool { pipeline.health == .up }

    /// Sends a command, or what a script is given: the number of its keys, the keys, its arguments.
    /// - Throws: ``RedisError``.
    package func call(_ command: RedisCommand, script: RedisScript? = nil) async throws(RedisError) -> RedisValue {
        let result = await withCheckedContinuation { continuation in
            send(command, script: script) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// The same without waiting. `completion` is called once, on the client's thread or on the caller's, and must be short.
    package func send(
        _ command: RedisCommand, script: RedisScript? = nil,
        _ completion: @escaping @Sendable (Result<RedisValue, RedisError>) -> Void
    ) {
        let start = ContinuousClock.now
        pipeline.submit(
            RedisRequest(command: command, script: script, deadline: start + deadline) { [timer, failures] result in
                switch result {
                case .success: timer.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
                case .failure(let error): failures(error)
                }
                completion(result)
            })
    }
}

extension RedisError {
    fileprivate var place: Int {
        switch self {
        case .unavailable: 0
        case .silent: 1
        case .timedOut: 2
        case .overloaded: 3
        case .refused: 4
        }
    }
}
