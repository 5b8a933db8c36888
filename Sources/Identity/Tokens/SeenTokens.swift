// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization

/// Tokens that are good once, such as proofs and assertions; each is remembered until it has ended by itself.
///
/// It is this process's memory. Among several processes a token that was copied from the wire could be shown once to each; for
/// proofs the nonces keep that short.
final class SeenTokens: Sendable {
    private let seen = Mutex<[String: Timestamp]>([:])

    /// What is asked for in the lifetime of a token.
    private static let countMax = 200_000

    /// Whether this is the first time. Where too many are remembered, nobody is the first, because a replay could not be told.
    func isFirst(_ name: String, until end: Timestamp, at now: Timestamp) -> Bool {
        seen.withLock { seen in
            if seen.count >= Self.countMax { seen = seen.filter { now < $0.value } }
            guard seen.count < Self.countMax, seen[name].map({ $0 <= now }) ?? true else { return false }
            seen[name] = end
            return true
        }
    }
}
