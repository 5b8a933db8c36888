// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// How processes share their limits.
public struct SharedLimitOptions: Sendable {
    /// Whose clock decides in which part of a window a request stands.
    public enum Clock: Sendable, Hashable {
        /// That of Redis, so that those of the processes may be wrong.
        case redis
        /// That of this process, for a Redis whose scripts may not ask the time. Limits hold as far as the clocks agree.
        case process
    }

    /// What keys in Redis begin with; processes with the same share their limits. Default: `vitrine:limit`.
    public var prefix = "vitrine:limit"
    /// How long a decision waits for Redis. Default: 10 ms.
    public var deadline: Duration = .milliseconds(10)
    public var clock = Clock.redis
    /// How long units last that a process leases, to decide by itself; `zero` for asking Redis each time. What is leased is
    /// counted before it is used, so limits hold with leases as without. Default: 200 ms.
    public var leaseTime: Duration = .milliseconds(200)

    /// Microseconds of the process's clock; tests move it by hand.
    var wallClock: @Sendable () -> Int64 = { Int64(Date.now.timeIntervalSince1970 * 1e6) }

    public init() {}
}
