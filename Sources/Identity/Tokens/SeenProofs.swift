// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Synchronization

/// Proofs, which are good once; each is remembered for as long as it could be shown again.
///
/// It is this process's memory, because there is a proof with each request. Among several processes one that was copied from the
/// wire could be shown once to each; the nonces keep that short.
final class SeenProofs: Sendable {
    private struct State {
        var recent: Set<SHA256.Digest> = []
        /// Of the period before.
        var older: Set<SHA256.Digest> = []
        var beganAt = Timestamp.earliest
    }

    private let lifetime: Duration
    private let state = Mutex(State())

    /// In one lifetime; some tens of megabytes.
    private static let countMax = 500_000

    init(lifetime: Duration) { self.lifetime = lifetime }

    /// Whether this is the first time. Where too many are remembered, nobody is the first, because a replay could not be told.
    func isFirst(_ name: String, at now: Timestamp) -> Bool {
        let digest = SHA256.hash(data: Array(name.utf8))
        return state.withLock { state in
            let age = state.beganAt.duration(to: now)
            if age >= lifetime {
                state.older = age < lifetime * 2 ? state.recent : []
                (state.recent, state.beganAt) = ([], now)
            }
            guard !state.older.contains(digest), state.recent.count < Self.countMax else { return false }
            return state.recent.insert(digest).inserted
        }
    }
}
