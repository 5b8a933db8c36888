// SPDX-License-Identifier: Apache-2.0

package import Kernel
internal import RateLimiting

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
    /// Apps of other developers, and who of the shop's people may do what.
    case readApps = "read:apps"
    case writeApps = "write:apps"
    case readUsers = "read:users"
    case writeUsers = "write:users"
    /// Whether tokens of others are good (RFC 7662).
    case introspectTokens = "introspect:tokens"
    case readAudit = "read:audit"
    /// Metrics, and the state of what the shop depends on.
    case readTelemetry = "read:telemetry"

    /// What is about goods and those who buy them. The rest is about the shop's own people and systems.
    package static let ofTrade: Set<Scope> = [
        .readProducts, .writeProducts, .readInventory, .writeInventory, .readCustomers, .writeCustomers, .readCarts,
        .writeCarts, .readOrders, .writeOrders,
    ]

    /// What it lets an app do, in words for whoever is asked.
    package var meaning: String {
        switch self {
        case .readProducts: "See products and categories"
        case .writeProducts: "Change products, categories and prices"
        case .readInventory: "See what is in stock, and where"
        case .writeInventory: "Change what is in stock"
        case .readCustomers: "See customers and their addresses"
        case .writeCustomers: "Change and erase customers"
        case .readCarts: "See carts"
        case .writeCarts: "Fill and change carts"
        case .readOrders: "See orders and payments"
        case .writeOrders: "Place, cancel and refund orders"
        case .importOrders: "Record orders of another system, with their own prices and dates"
        case .readKeys: "See API keys and limits"
        case .writeKeys: "Make and revoke API keys, and change limits"
        case .readApps: "See which apps there are"
        case .writeApps: "Register, change and remove apps"
        case .readUsers: "See who works in this shop"
        case .writeUsers: "Add people to this shop, and say what they may do"
        case .introspectTokens: "Check tokens of other apps"
        case .readAudit: "See who did what"
        case .readTelemetry: "See metrics, traces and logs"
        }
    }

    /// The same for a customer, whose apps reach only what is theirs.
    package var meaningToCustomers: String {
        switch self {
        case .readCustomers: "See what the shop knows of you, and your addresses"
        case .writeCustomers: "Change what the shop knows of you, and your addresses"
        case .readCarts: "See your carts"
        case .writeCarts: "Fill and change your carts"
        case .readOrders: "See your orders, and what you paid"
        case .writeOrders: "Place orders for you, and cancel them"
        default: meaning
        }
    }
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

/// Who calls, once the key or the token was checked.
package struct Principal: Hashable, Sendable {
    /// The key's identifier, or the app's with the user's behind it; names the caller in logs, the audit trail and the scope
    /// of idempotency keys.
    package let id: String
    package let name: String
    package let scopes: Set<Scope>
    package let tier: Tier
    /// The key's own limit in place of its tier's.
    package let unitsPerMinute: Int?
    /// In whose name an app asks; `nil` where it asks for itself, and for keys.
    package let user: String?
    /// The customer who that is, and to whose things it is confined; `nil` for everybody who works in the shop.
    package let customer: CustomerID?
    /// The developer from outside the shop who that is, and to the apps of whose organisations it is confined.
    package let partner: String?
    /// What it may learn of that person (OpenID Connect Core 1.0 section 5.4).
    package let claims: Set<String>
    /// Whether each request has to prove that its sender has the token's key (RFC 9449).
    package let isBound: Bool
    /// The version of the API that it is written for; `nil` where nobody said.
    package let apiVersion: String?
    /// How long what is known of it may be believed without asking again.
    package let memory: Duration
    /// Under which its use is counted.
    let limitKey: LimitKey

    package init(
        id: String, name: String, scopes: Set<Scope>, tier: Tier = .standard, unitsPerMinute: Int? = nil,
        user: String? = nil, customer: CustomerID? = nil, partner: String? = nil, claims: Set<String> = [],
        isBound: Bool = false,
        apiVersion: String? = nil, memory: Duration = .milliseconds(500)
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.tier = tier
        self.unitsPerMinute = unitsPerMinute
        self.user = user
        self.customer = customer
        self.partner = partner
        self.claims = claims
        self.isBound = isBound
        self.apiVersion = apiVersion
        self.memory = memory
        limitKey = LimitKey("key:" + id)
    }
}

extension Principal {
    /// The key, or the app in whosever name it asks.
    package var client: String { String(id.prefix { $0 != ":" }) }

    /// The app, in whosever name it asks; `nil` for a key.
    package var app: String? { id.hasPrefix("app_") ? client : nil }
}

/// What a request shows of who sends it.
package struct Credential: Sendable {
    package enum Kind: String, Sendable {
        case bearer
        /// With a proof of the key that the token is bound to (RFC 9449 section 7.1).
        case dpop
    }

    package let token: String
    package let kind: Kind
    /// The fields `DPoP` of the request, of which there may be one.
    package let proofs: [String]
    package let method: String
    /// Of the request, without a query.
    package let path: String

    package init(token: String, kind: Kind = .bearer, proofs: [String] = [], method: String = "GET", path: String = "/")
    {
        self.token = token
        self.kind = kind
        self.proofs = proofs
        self.method = method
        self.path = path
    }
}

/// Tells who holds a token; `nil` where nobody does. Throws what the client must do first, where that is something else.
package typealias Authenticate = @Sendable (_ credential: Credential) async throws -> Principal?
