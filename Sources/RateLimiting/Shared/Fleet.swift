// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Logging
internal import Redis
internal import Synchronization

/// The processes that share the limits: tells Redis each second that this one is there, and learns how many are, and whether
/// Redis still holds what it held.
final class Fleet: Sendable {
    private struct State {
        var count = 1
        var epoch: String?
        var nextBeat: Int64 = 0
        var lossCount = 0
    }

    private let state = Mutex(State())
    private let redis: RedisClient
    private let prefix: String
    private let id = String(UInt64.random(in: .min ... .max), radix: 16)
    private let losses = Counter(label: "rate_limit.shared.losses")
    private let logger = Logger(label: "vitrine.limits")

    private static let interval: Int64 = 1_000_000_000
    /// Milliseconds after which a process that was not heard of is gone.
    private static let absenceMax = 5_000

    init(_ redis: RedisClient, prefix: String) {
        self.redis = redis
        self.prefix = prefix
    }

    /// Times that Redis was found to have forgotten everything.
    var lossCount: Int { state.withLock { $0.lossCount } }

    /// Processes that were heard of in the last five seconds, with this one; of those while Redis was there, if it is not.
    var count: Int { state.withLock { $0.count } }

    /// Tells Redis, if it is time. Nobody waits for it. `now` is nanoseconds.
    func beat(_ now: Int64) {
        let isDue = state.withLock { state in
            guard now >= state.nextBeat else { return false }
            state.nextBeat = now + Self.interval
            return true
        }
        guard isDue else { return }
        let command = RedisCommand(
            "2", "\(prefix)-epoch", "\(prefix)-processes", id, id + "-\(now)", String(Self.absenceMax))
        redis.send(command, script: LimitScript.beat) { [self] result in
            guard case .success(.array(let parts)) = result, parts.count == 2, let epoch = parts[0].text,
                case .integer(let count) = parts[1]
            else { return }
            learn(epoch, count)
        }
    }

    private func learn(_ epoch: String, _ count: Int) {
        let hasForgotten = state.withLock { state in
            let hasForgotten = state.epoch.map { $0 != epoch } ?? false
            (state.epoch, state.count) = (epoch, max(1, count))
            if hasForgotten { state.lossCount += 1 }
            return hasForgotten
        }
        guard hasForgotten else { return }
        losses.increment()
        logger.warning("Redis has forgotten what was used; every key may use its limit once more")
    }
}

/// The policies as they are shared. What never changes is read without a lock.
final class PolicyBook: Sendable {
    let isPerProcess: [Bool]
    let isShadow: [Bool]
    /// Whether there is a policy that each process counts for itself, and one of places that are shared.
    let hasOwn: Bool
    let hasSharedPlaces: Bool
    let whenStoreFails: [RatePolicy.StoreFailure]
    /// Milliseconds after which Redis forgets a key: that of the longest window, since a key's uses lie together.
    let timeToLive: Int64
    private let stored: Mutex<[SharedPolicy]>

    init(_ policies: [RatePolicy], leaseTimeMax: Int64) {
        let shared = policies.map { SharedPolicy($0, leaseTimeMax: leaseTimeMax) }
        isPerProcess = policies.map(\.isPerProcess)
        isShadow = policies.map(\.isShadow)
        hasOwn = isPerProcess.contains(true)
        hasSharedPlaces = zip(shared, isPerProcess).contains { $0.isConcurrency && !$1 }
        whenStoreFails = policies.map(\.whenStoreFails)
        timeToLive = zip(shared, isPerProcess).filter { !$1 }.map(\.0.timeToLive).max() ?? 1_000
        stored = Mutex(shared)
    }

    var policies: [SharedPolicy] { stored.withLock { $0 } }

    func set(_ rule: RatePolicy.Rule, of policy: Int) { stored.withLock { $0[policy].set(rule) } }
}
