// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Synchronization
internal import Web

/// Checks keys. What is found is remembered for half a second, and not beyond a change of any key here or, where it is heard of, in
/// another process, so that most requests cost no query.
final class KeyAuthenticator: Sendable {
    private struct Known {
        let key: APIKey
        let principal: Principal

        init(_ key: APIKey) {
            self.key = key
            principal = Principal(
                id: key.id.rawValue, name: key.name, scopes: Set(key.scopes), tier: key.tier,
                unitsPerMinute: key.unitsPerMinute)
        }
    }

    private let database: Database
    private let clock: WallClock
    private let known: Remembered<String, Known?>
    /// When the use of each key was written down last.
    private let noted = Mutex<[APIKeyID: Timestamp]>([:])

    /// A use is written down at most so often.
    private static let lastUsedResolution = Duration.seconds(60)
    private static let notedMax = 10_000

    init(database: Database, clock: WallClock) {
        self.database = database
        self.clock = clock
        // So long where a change elsewhere is not heard of.
        known = Remembered(from: ["api_keys"], of: database, ageMax: .milliseconds(500))
    }

    func principal(holding token: String) async throws -> Principal? {
        let found = try await known.value(of: token) { connection in
            try APIKeyStore.find(hash: APISecret.hash(token), in: connection).map(Known.init)
        }
        let now = clock.now()
        guard let found, found.key.isValid(at: now) else { return nil }
        if isToBeNoted(found.key, at: now) {
            // Whoever may ask may do so where nothing can be written, too.
            try? await database.write { try APIKeyStore.setLastUsed(found.key.id, at: now, in: $0) }
        }
        return found.principal
    }

    /// Whether nobody has written down a use within the last minute, which the caller does now.
    private func isToBeNoted(_ key: APIKey, at now: Timestamp) -> Bool {
        func isRecent(_ time: Timestamp?) -> Bool {
            time.map { $0.duration(to: now) < Self.lastUsedResolution } ?? false
        }
        if isRecent(key.lastUsedAt) { return false }
        return noted.withLock { noted in
            guard !isRecent(noted[key.id]) else { return false }
            if noted.count >= Self.notedMax { noted.removeAll() }
            noted[key.id] = now
            return true
        }
    }
}
