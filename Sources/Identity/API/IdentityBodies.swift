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
    let tier: Tier
    let unitsPerMinute: Int?
    let expiresAt: Timestamp?

    static let schema = Schema.object(
        "KeyInput", KeyInput.init,
        .required("name", \.name, .string(1...100), "What the key is for, as people will recognise it."),
        .required("scopes", \.scopes, .array(of: .word, countMax: 50), "What the key may do."),
        .standard("tier", \.tier, .word, .standard, "How much it may use: standard, partner, or trusted for no limit."),
        .optional(
            "units_per_minute", \.unitsPerMinute, .integer(1...LimitSettings.unitsPerMinuteMax),
            "Its own limit in place of its tier's."),
        .optional("expires_at", \.expiresAt, .timestamp, "When it ends by itself; never where missing."))
}

struct KeyPatch: WireBody {
    let name: Patch<String>
    let tier: Patch<Tier>
    let unitsPerMinute: Patch<Int>

    static let schema = Schema.object(
        "KeyPatch", KeyPatch.init,
        .patch("name", \.name, .string(1...100)), .patch("tier", \.tier, .word),
        .patch("units_per_minute", \.unitsPerMinute, .integer(1...LimitSettings.unitsPerMinuteMax), removable: true))

    func apply(to key: inout APIKey) {
        key.name = name.applied(to: key.name)
        key.tier = tier.applied(to: key.tier)
        key.unitsPerMinute = unitsPerMinute.applied(to: key.unitsPerMinute)
    }
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
    let tier: Tier
    let unitsPerMinute: Int?
    let createdAt: Timestamp
    let expiresAt: Timestamp?
    let revokedAt: Timestamp?
    let lastUsedAt: Timestamp?
    let secret: String?

    static let schema = Schema.object(
        "APIKey", KeyBody.init,
        .required("id", \.id, .id()), .required("name", \.name, .string()),
        .required("hint", \.hint, .string(), "The beginning of the secret."),
        .required("scopes", \.scopes, .array(of: .word)), .required("tier", \.tier, .word),
        .optional("units_per_minute", \.unitsPerMinute, .integer(1...LimitSettings.unitsPerMinuteMax)),
        .required("created_at", \.createdAt, .timestamp), .optional("expires_at", \.expiresAt, .timestamp),
        .optional("revoked_at", \.revokedAt, .timestamp),
        .optional("last_used_at", \.lastUsedAt, .timestamp, "To the minute."),
        .optional("secret", \.secret, .string(), "Only in the answer that makes the key; it cannot be had again."))

    init(_ key: APIKey, secret: String? = nil) {
        self.init(
            id: key.id, name: key.name, hint: key.hint, scopes: key.scopes, tier: key.tier,
            unitsPerMinute: key.unitsPerMinute, createdAt: key.createdAt, expiresAt: key.expiresAt,
            revokedAt: key.revokedAt, lastUsedAt: key.lastUsedAt, secret: secret)
    }

    private init(
        id: APIKeyID, name: String, hint: String, scopes: [Scope], tier: Tier, unitsPerMinute: Int?,
        createdAt: Timestamp, expiresAt: Timestamp?, revokedAt: Timestamp?, lastUsedAt: Timestamp?, secret: String?
    ) {
        self.id = id
        self.name = name
        self.hint = hint
        self.scopes = scopes
        self.tier = tier
        self.unitsPerMinute = unitsPerMinute
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
    let tier: Tier
    let user: UserID?
    let customer: CustomerID?

    static let schema = Schema.object(
        "Caller", CallerBody.init,
        .required("id", \.id, .string()), .required("name", \.name, .string()),
        .required("scopes", \.scopes, .array(of: .word)), .required("tier", \.tier, .word),
        .optional("user_id", \.user, .id(), "In whose name an app asks."),
        .optional("customer_id", \.customer, .id(), "The customer who that is, and to whose things it is confined."))
}

struct LimitPath: WireBody {
    let name: LimitName
    static let schema = Schema.object("LimitPath", LimitPath.init, .required("name", \.name, .word))
}

struct LimitInput: WireBody {
    let limit: Int
    let enabled: Bool

    static let schema = Schema.object(
        "LimitInput", LimitInput.init,
        .required("limit", \.limit, .integer(1...1_000_000_000), "Units in the limit's window, or requests at once."),
        .standard("enabled", \.enabled, .boolean, true, "Whether it is in force."))
}

struct LimitBody: WireBody {
    let name: LimitName
    let limit: Int
    let windowSeconds: Int?
    let enabled: Bool
    let shadow: Bool

    static let schema = Schema.object(
        "Limit", LimitBody.init,
        .required("name", \.name, .word), .required("limit", \.limit, .integer(1...1_000_000_000)),
        .optional("window_seconds", \.windowSeconds, .count, "Nothing where it limits what runs at once."),
        .required("enabled", \.enabled, .boolean),
        .required("shadow", \.shadow, .boolean, "Counts and refuses nothing."))

    init(_ name: LimitName, _ state: LimitState) {
        self.init(
            name: name, limit: state.limit, windowSeconds: state.windowSeconds, enabled: !state.isOff,
            shadow: state.isShadow)
    }

    private init(name: LimitName, limit: Int, windowSeconds: Int?, enabled: Bool, shadow: Bool) {
        self.name = name
        self.limit = limit
        self.windowSeconds = windowSeconds
        self.enabled = enabled
        self.shadow = shadow
    }
}

struct LimitsBody: WireBody {
    let limits: [LimitBody]
    static let schema = Schema.object(
        "Limits", LimitsBody.init, .required("limits", \.limits, .array(of: LimitBody.schema)))
}

struct AuditQuery: WireBody {
    let subject: String?
    let actor: String?
    let app: String?
    let user: String?
    let action: String?
    let after: Timestamp?
    let before: Timestamp?

    static let schema = Schema.object(
        "AuditQuery", AuditQuery.init,
        .optional("subject", \.subject, .string(1...100), "What it was done to, by identifier."),
        .optional("actor", \.actor, .string(1...100), "Who did it: a key, an app, a user, or `app:user`."),
        .optional("app", \.app, .string(1...100), "The app through which it was done."),
        .optional("user", \.user, .string(1...100), "The person who did it, or in whose name it was."),
        .optional("action", \.action, .string(1...100), "For example `key.revoked`."),
        .optional("after", \.after, .timestamp, "Not before this time."),
        .optional("before", \.before, .timestamp, "Before this time."))

    var filter: AuditLog.Filter {
        AuditLog.Filter(
            subject: subject, actor: actor, app: app, user: user, action: action, after: after, before: before)
    }
}

struct AuditBody: WireBody {
    let id: EventID
    let action: String
    let subject: String
    let actor: String
    let app: String?
    let user: String?
    let address: String?
    let trace: String?
    let data: JSON
    let occurredAt: Timestamp
    let hash: String?

    static let schema = Schema.object(
        "AuditEvent", AuditBody.init,
        .required("id", \.id, .id()), .required("action", \.action, .string()),
        .required("subject", \.subject, .string()), .required("actor", \.actor, .string()),
        .optional("app", \.app, .string()), .optional("user", \.user, .string()),
        .optional("address", \.address, .string(), "From where it was asked for."),
        .optional("trace", \.trace, .string(), "As `traceparent` (W3C Trace Context)."),
        .required("data", \.data, .metadata), .required("occurred_at", \.occurredAt, .timestamp),
        .optional("hash", \.hash, .string(), "Over this entry and the hash of the one before; see docs/APPS.md."))
}
