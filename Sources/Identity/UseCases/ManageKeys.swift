// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
package import Persistence
internal import Web

/// Makes, rotates and revokes API keys.
package struct ManageKeys: Sendable {
    let outbox: Outbox
    let clock: WallClock

    /// A key with its secret, which cannot be had again.
    package struct Issued: Sendable {
        package let key: APIKey
        package let secret: String
    }

    /// - Throws: ``IdentityError/expiryInPast``.
    package func create(
        _ draft: APIKeyDraft, secret given: String? = nil, by actor: String, in transaction: Transaction
    ) throws -> Issued {
        let now = clock.now()
        if let expiry = draft.expiresAt, expiry <= now { throw IdentityError.expiryInPast }
        let secret = given ?? APISecret.make()
        let key = APIKey(
            id: .make(at: now), name: draft.name, hint: APISecret.hint(secret), scopes: draft.scopes, tier: draft.tier,
            unitsPerMinute: draft.unitsPerMinute, createdAt: now, expiresAt: draft.expiresAt, revokedAt: nil,
            lastUsedAt: nil, version: 1)
        try APIKeyStore.insert(key, hash: APISecret.hash(secret), in: transaction)
        let scopes = JSON.array(draft.scopes.map { .string($0.rawValue) })
        try outbox.publish(
            "key.created", subject: key.id.rawValue, actor: actor,
            [
                "name": .string(key.name), "scopes": scopes, "tier": .string(key.tier.rawValue),
            ],
            in: transaction)
        return Issued(key: key, secret: secret)
    }

    /// Makes a successor with the same scopes; the old key stays valid for `overlap`, so that nothing breaks meanwhile.
    package func rotate(
        _ id: APIKeyID, overlap: Duration, by actor: String, in transaction: Transaction,
        where isAllowed: (APIKey) throws -> Void = { _ in }
    ) throws -> Issued {
        guard var old = try APIKeyStore.find(id, in: transaction) else { throw IdentityError.keyNotFound }
        try isAllowed(old)
        let now = clock.now()
        guard old.isValid(at: now) else { throw IdentityError.keyIsInvalid }
        let end = now.advanced(by: overlap)
        // The successor lives as long again as its predecessor was meant to.
        let lifetime = old.expiresAt.map { old.createdAt.duration(to: $0) }
        let draft = APIKeyDraft(
            name: old.name, scopes: old.scopes, tier: old.tier, unitsPerMinute: old.unitsPerMinute,
            expiresAt: lifetime.map { min(now.advanced(by: $0), .latest) })
        let issued = try create(draft, by: actor, in: transaction)
        old.expiresAt = min(old.expiresAt ?? end, end)
        try APIKeyStore.update(old, in: transaction)
        try outbox.publish(
            "key.rotated", subject: id.rawValue, actor: actor, ["successor": .string(issued.key.id.rawValue)],
            in: transaction)
        return issued
    }

    /// Changes what a key is called and how much it may use; in this process at once, and within seconds in others.
    func change(
        _ id: APIKeyID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ change: (inout APIKey) throws -> Void
    ) throws -> APIKey {
        guard var key = try APIKeyStore.find(id, in: transaction), key.revokedAt == nil else {
            throw IdentityError.keyNotFound
        }
        try precondition.check(key.version)
        let before = key
        try change(&key)
        try APIKeyStore.update(key, in: transaction)
        try outbox.publish(
            "key.changed", subject: id.rawValue, actor: actor,
            [
                "name": .string(key.name), "tier": .string(key.tier.rawValue),
                "changes": Changes.between(before.told, key.told),
            ], in: transaction)
        key.version += 1
        return key
    }

    /// Ends a key at once in this process, and within seconds in others.
    func revoke(
        _ id: APIKeyID, if precondition: Precondition, by actor: String, in transaction: Transaction
    ) throws {
        guard var key = try APIKeyStore.find(id, in: transaction) else { throw IdentityError.keyNotFound }
        try precondition.check(key.version)
        guard key.revokedAt == nil else { return }
        key.revokedAt = clock.now()
        try APIKeyStore.update(key, in: transaction)
        try outbox.publish("key.revoked", subject: id.rawValue, actor: actor, [:], in: transaction)
    }
}

extension APIKey {
    /// What can be changed of it.
    fileprivate var told: JSON {
        [
            "name": .string(name), "tier": .string(tier.rawValue),
            "units_per_minute": unitsPerMinute.map { .integer(Int64($0)) } ?? .null,
        ]
    }
}
