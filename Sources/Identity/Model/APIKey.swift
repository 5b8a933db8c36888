// SPDX-License-Identifier: Apache-2.0

internal import Crypto
package import Kernel
package import Web

/// A key by which a program calls the API. Its secret is not in here: the shop keeps only a hash of that.
package struct APIKey: Sendable {
    package let id: APIKeyID
    package var name: String
    /// The secret's beginning, by which people recognise it.
    package let hint: String
    package let scopes: [Scope]
    package var tier: Tier
    /// Its own limit in place of its tier's.
    package var unitsPerMinute: Int?
    package let createdAt: Timestamp
    package var expiresAt: Timestamp?
    package var revokedAt: Timestamp?
    package var lastUsedAt: Timestamp?
    package var version: Int64

    package func isValid(at time: Timestamp) -> Bool {
        revokedAt == nil && expiresAt.map { time < $0 } ?? true
    }
}

/// What a new key is to be.
package struct APIKeyDraft: Sendable {
    package let name: String
    package let scopes: [Scope]
    package let tier: Tier
    package let unitsPerMinute: Int?
    package let expiresAt: Timestamp?

    package init(
        name: String, scopes: [Scope], tier: Tier = .standard, unitsPerMinute: Int? = nil, expiresAt: Timestamp?
    ) {
        self.name = name
        self.scopes = scopes
        self.tier = tier
        self.unitsPerMinute = unitsPerMinute
        self.expiresAt = expiresAt
    }
}

/// The secret half of a key: 256 random bits.
///
/// So much randomness cannot be guessed, so a plain SHA-256 keeps it as safe as a slow hash keeps a password, and costs
/// less than a microsecond on every request.
enum APISecret {
    static let prefix = "vk_"

    static func make() -> String { prefix + RandomText.make() }

    static func isOne(_ token: String) -> Bool { token.hasPrefix(prefix) }

    static func hint(_ secret: String) -> String { String(secret.prefix(prefix.count + 6)) }

    static func hash(_ secret: String) -> [UInt8] { Array(SHA256.hash(data: Array(secret.utf8))) }
}

package enum APIKeyKind: EntityKind { package static let prefix = "key" }
package typealias APIKeyID = Identifier<APIKeyKind>
