// SPDX-License-Identifier: Apache-2.0

/// What an API key may do. Named after what developers know: an action and what it acts on.
package enum Scope: String, CaseIterable, Sendable {
    case readProducts = "read:products"
    case writeProducts = "write:products"
    case readInventory = "read:inventory"
    case writeInventory = "write:inventory"
    case readCustomers = "read:customers"
    case writeCustomers = "write:customers"
    case readCarts = "read:carts"
    case writeCarts = "write:carts"
    case readOrders = "read:orders"
    case writeOrders = "write:orders"
    /// Orders as another system recorded them: own prices, dates and numbers; returns without an order; corrections.
    case importOrders = "import:orders"
    case readKeys = "read:keys"
    case writeKeys = "write:keys"
    case readAudit = "read:audit"
    /// Metrics, and the state of what the shop depends on.
    case readTelemetry = "read:telemetry"
}

/// Who may call an endpoint.
package enum Access: Hashable, Sendable {
    /// Anyone, without a key.
    case open
    /// Whoever holds a key.
    case key
    /// Whoever holds a key with this scope.
    case scope(Scope)
}

/// Who calls, once the key was checked.
package struct Principal: Hashable, Sendable {
    /// The key's identifier; names the caller in logs, the audit trail and the scope of idempotency keys.
    package let id: String
    package let name: String
    package let scopes: Set<Scope>
    package let tier: Tier
    /// The key's own limit in place of its tier's.
    package let unitsPerMinute: Int?

    package init(
        id: String, name: String, scopes: Set<Scope>, tier: Tier = .standard, unitsPerMinute: Int? = nil
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.tier = tier
        self.unitsPerMinute = unitsPerMinute
    }
}

/// Tells who holds a bearer token; `nil` where nobody does.
package typealias Authenticate = @Sendable (_ token: String) async throws -> Principal?
