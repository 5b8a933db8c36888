// SPDX-License-Identifier: Apache-2.0

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
        known = Remembered(from: TokenStore.keys, of: database, ageMax: .seconds(60))
    }

    /// All that may have signed something good, the latest of each algorithm first.
    func all() async throws -> [SigningKey] {
        // The first call of a shop makes its first key.
        try await keys(of: .es256)
        return try await known.value(of: 0) { try TokenStore.signingKeys(in: $0) }
    }

    /// Those of an algorithm, latest first. The first call makes the first key, so that nobody pays for what no app asks for.
    @discardableResult
    private func keys(of algorithm: SigningAlgorithm) async throws -> [SigningKey] {
        let keys = try await known.value(of: 0) { try TokenStore.signingKeys(in: $0) }
        let fitting = keys.filter { $0.algorithm == algorithm }
        guard fitting.isEmpty else { return fitting }
        let fresh = try SigningKey.make(algorithm, activeAt: clock.now())
        return try await database.write { transaction in
            try transaction.serialize(on: "signing keys")
            let others = try TokenStore.signingKeys(in: transaction).filter { $0.algorithm == algorithm }
            guard others.isEmpty else { return others }
            try TokenStore.insert(fresh, in: transaction)
            return [fresh]
        }
    }

    /// Makes the first key of an algorithm, so that it is published before somebody needs it.
    func prepare(_ algorithm: SigningAlgorithm) async throws { try await keys(of: algorithm) }

    /// The one that signs now.
    func current(_ algorithm: SigningAlgorithm = .es256) async throws -> SigningKey {
        let (keys, now) = (try await keys(of: algorithm), clock.now())
        // The first of a shop is active from when it was made, so there is one.
        guard let key = keys.first(where: { $0.activeAt <= now }) ?? keys.last else {
            throw Failure(.corrupt, "There is no key to sign tokens with.")
        }
        return key
    }

    func key(_ id: String) async throws -> SigningKey? { try await all().first { $0.id == id } }

    /// Announces successors where the present keys have signed long enough; `isForced` does not ask how long.
    ///
    /// - Returns: the keys that were announced.
    @discardableResult
    func rotate(isForced: Bool = false) async throws -> [SigningKey] {
        let algorithms = Set(try await all().map(\.algorithm))
        var announced: [SigningKey] = []
        for algorithm in SigningAlgorithm.allCases where algorithms.contains(algorithm) {
            if let key = try await rotate(algorithm, isForced: isForced) { announced.append(key) }
        }
        return announced
    }

    private func rotate(_ algorithm: SigningAlgorithm, isForced: Bool) async throws -> SigningKey? {
        let now = clock.now()
        @Sendable func isDue(_ keys: [SigningKey]) -> Bool {
            guard let latest = keys.first(where: { $0.algorithm == algorithm }) else { return false }
            let age = latest.activeAt.duration(to: now)
            return isForced ? age >= .zero : age >= IdentitySettings.signingKeyLifetime
        }
        guard isDue(try await all()) else { return nil }
        let next = try SigningKey.make(algorithm, activeAt: now.advanced(by: IdentitySettings.signingKeyNotice))
        return try await database.write { transaction in
            try transaction.serialize(on: "signing keys")
            // Unless another process has done so meanwhile.
            guard isDue(try TokenStore.signingKeys(in: transaction)) else { return nil }
            try TokenStore.insert(next, in: transaction)
            // Its last token is made a moment before the next key signs.
            let end = next.activeAt.advanced(by: IdentitySettings.tokenLifetimeMax)
            try TokenStore.end(keysBefore: next, at: end, in: transaction)
            return next
        }
    }
}
