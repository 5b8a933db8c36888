// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Persistence

/// The keys that sign tokens, the same in every process on the database.
struct SigningKeys: Sendable {
    private let database: Database
    private let clock: WallClock
    private let known: Remembered<Int, [SigningKey]>

    init(database: Database, clock: WallClock) {
        self.database = database
        self.clock = clock
        // Keys change with notice, so that they may be known for longer than what ends at once.
        known = Remembered(from: [TokenStore.keys], of: database, ageMax: .seconds(60))
    }

    /// All that may have signed something good, latest first. The first call of a shop makes its first key.
    func all() async throws -> [SigningKey] {
        let keys = try await known.value(of: 0) { try TokenStore.signingKeys(in: $0) }
        guard keys.isEmpty else { return keys }
        let now = clock.now()
        try await database.write { transaction in
            try transaction.serialize(on: "signing keys")
            guard try TokenStore.signingKeys(in: transaction).isEmpty else { return }
            try TokenStore.insert(Self.make(activeAt: now), in: transaction)
        }
        return try await database.read { try TokenStore.signingKeys(in: $0) }
    }

    /// The one that signs now.
    func current() async throws -> SigningKey {
        let (keys, now) = (try await all(), clock.now())
        // The first of a shop is active from when it was made, so there is one.
        guard let key = keys.first(where: { $0.activeAt <= now }) ?? keys.last else {
            throw Failure(.corrupt, "There is no key to sign tokens with.")
        }
        return key
    }

    func key(_ id: String) async throws -> SigningKey? { try await all().first { $0.id == id } }

    /// Announces a successor where the present key has signed long enough; `isForced` does not ask how long.
    ///
    /// - Returns: the key that was announced.
    @discardableResult
    func rotate(isForced: Bool = false) async throws -> SigningKey? {
        _ = try await all()
        let now = clock.now()
        return try await database.write { transaction in
            try transaction.serialize(on: "signing keys")
            guard let latest = try TokenStore.signingKeys(in: transaction).first else { return nil }
            let age = latest.activeAt.duration(to: now)
            guard isForced ? age >= .zero : age >= IdentitySettings.signingKeyLifetime else { return nil }
            let next = Self.make(activeAt: now.advanced(by: IdentitySettings.signingKeyNotice))
            try TokenStore.insert(next, in: transaction)
            // Its last token is made a moment before the next key signs.
            let end = next.activeAt.advanced(by: IdentitySettings.tokenLifetimeMax)
            try TokenStore.end(keysBefore: next, at: end, in: transaction)
            return next
        }
    }

    private static func make(activeAt: Timestamp) -> SigningKey {
        SigningKey(
            id: RandomText.make(bytes: 9), privateKey: P256.Signing.PrivateKey(), activeAt: activeAt, endsAt: nil)
    }
}
