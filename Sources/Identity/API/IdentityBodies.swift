// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

struct KeyPath: WireBody {
    let id: APIKeyID
    static let schema = Schema.object("KeyPath", KeyPath.init, .required("id", \.id, .id()))
}

struct KeyInput: WireBody {
    let name: String
    let scopes: [Scope]
    let expiresAt: Timestamp?

    static let schema = Schema.object(
        "KeyInput", KeyInput.init,
        .required("name", \.name, .string(1...100), "What the key is for, as people will recognise it."),
        .required("scopes", \.scopes, .array(of: .word, countMax: 50), "What the key may do."),
        .optional("expires_at", \.expiresAt, .timestamp, "When it ends by itself; never where missing."))
}

struct RotationInput: WireBody {
    let overlapSeconds: Int

    static let schema = Schema.object(
        "KeyRotation", RotationInput.init,
        .standard(
            "overlap_seconds", \.overlapSeconds, .integer(0...2_592_000), 86_400,
            "How long the old key stays valid beside the new one."))
}

struct KeyBody: WireBody {
    let id: APIKeyID
    let name: String
    let hint: String
    let scopes: [Scope]
    let createdAt: Timestamp
    let expiresAt: Timestamp?
    let revokedAt: Timestamp?
    let lastUsedAt: Timestamp?
    let secret: String?

    static let schema = Schema.object(
        "APIKey", KeyBody.init,
        .required("id", \.id, .id()), .required("name", \.name, .string()),
        .required("hint", \.hint, .string(), "The beginning of the secret."),
        .required("scopes", \.scopes, .array(of: .word)),
        .required("created_at", \.createdAt, .timestamp), .optional("expires_at", \.expiresAt, .timestamp),
        .optional("revoked_at", \.revokedAt, .timestamp),
        .optional("last_used_at", \.lastUsedAt, .timestamp, "To the minute."),
        .optional("secret", \.secret, .string(), "Only in the answer that makes the key; it cannot be had again."))

    init(_ key: APIKey, secret: String? = nil) {
        self.init(
            id: key.id, name: key.name, hint: key.hint, scopes: key.scopes, createdAt: key.createdAt,
            expiresAt: key.expiresAt, revokedAt: key.revokedAt, lastUsedAt: key.lastUsedAt, secret: secret)
    }

    private init(
        id: APIKeyID, name: String, hint: String, scopes: [Scope], createdAt: Timestamp, expiresAt: Timestamp?,
        revokedAt: Timestamp?, lastUsedAt: Timestamp?, secret: String?
    ) {
        self.id = id
        self.name = name
        self.hint = hint
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
        self.secret = secret
    }
}

struct CallerBody: WireBody {
    let id: String
    let name: String
    let scopes: [Scope]

    static let schema = Schema.object(
        "Caller", CallerBody.init,
        .required("id", \.id, .string()), .required("name", \.name, .string()),
        .required("scopes", \.scopes, .array(of: .word)))
}

struct AuditQuery: WireBody {
    let subject: String?
    let actor: String?

    static let schema = Schema.object(
        "AuditQuery", AuditQuery.init,
        .optional("subject", \.subject, .string(1...100), "What it was done to, by identifier."),
        .optional("actor", \.actor, .string(1...100), "Who did it, by the identifier of the key."))
}

struct AuditBody: WireBody {
    let id: EventID
    let action: String
    let subject: String
    let actor: String
    let data: JSON
    let occurredAt: Timestamp

    static let schema = Schema.object(
        "AuditEntry", AuditBody.init,
        .required("id", \.id, .id()), .required("action", \.action, .string()),
        .required("subject", \.subject, .string()), .required("actor", \.actor, .string()),
        .required("data", \.data, .metadata), .required("occurred_at", \.occurredAt, .timestamp))
}
