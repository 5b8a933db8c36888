// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Synchronization
internal import Web

/// Checks tokens, and remembers the answer for a moment, so that a request costs no query.
final class KeyAuthenticator: Sendable {
    private struct Known {
        let principal: Principal?
        let until: Timestamp
    }

    private let database: Database
    private let clock: WallClock
    private let known = Mutex<[String: Known]>([:])
    /// Grows when keys were changed here; what was read before that is not remembered.
    private let changes = Atomic(0)

    /// How long another process may still accept a key that was revoked here.
    private static let memory = Duration.milliseconds(500)
    /// A use is written down at most so often.
    private static let lastUsedResolution = Duration.seconds(60)
    /// Guessed tokens must not fill the memory.
    private static let knownMax = 10_000

    init(database: Database, clock: WallClock) {
        self.database = database
        self.clock = clock
    }

    func principal(holding token: String) async throws -> Principal? {
        let now = clock.now()
        if let known = known.withLock({ $0[token] }), now < known.until { return known.principal }
        let before = changes.load(ordering: .acquiring)
        let key = try await database.read { try APIKeyStore.find(hash: APISecret.hash(token), in: $0) }
        let principal = key.flatMap { key in
            key.isValid(at: now)
                ? Principal(
                    id: key.id.rawValue, name: key.name, scopes: Set(key.scopes), tier: key.tier,
                    unitsPerMinute: key.unitsPerMinute, memory: Self.memory) : nil
        }
        let until = min(now.advanced(by: Self.memory), key?.expiresAt ?? now.advanced(by: Self.memory))
        known.withLock { known in
            guard changes.load(ordering: .acquiring) == before else { return }
            if known.count >= Self.knownMax { known = known.filter { $0.value.principal != nil } }
            if known.count >= Self.knownMax { known.removeAll() }
            known[token] = Known(principal: principal, until: until)
        }
        if let key, principal != nil { try await noteUse(of: key, at: now) }
        return principal
    }

    func forgetAll() {
        changes.add(1, ordering: .releasing)
        known.withLock { $0.removeAll() }
    }

    private func noteUse(of key: APIKey, at now: Timestamp) async throws {
        if let last = key.lastUsedAt, last.duration(to: now) < Self.lastUsedResolution { return }
        try await database.write { try APIKeyStore.setLastUsed(key.id, at: now, in: $0) }
    }
}
