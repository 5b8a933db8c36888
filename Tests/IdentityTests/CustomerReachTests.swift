// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// A customer's token, held to every endpoint that there is: what is not declared to be for customers is refused, and where
/// it is, another customer's things are not told from things that there are not.
struct CustomerReachTests {
    /// A customer with one of everything.
    private struct Household {
        let customer: String
        var parts: [String: String]

        /// The address of an operation on this customer's things.
        func path(_ endpoint: Endpoint) throws -> String {
            var path = endpoint.path
            for (name, part) in parts where name.hasPrefix("{") { path = path.replacing(name, with: part) }
            let id = try #require(
                parts[String(endpoint.path.split(separator: "/")[1])], "\(endpoint.path) is of no known kind")
            return path.replacing("{id}", with: id)
        }

        static func make(_ shop: TestShop, _ email: String) async throws -> Household {
            let customer = try await shop.openAccount(email)
            let address = try await shop.post("/v1/customers/\(customer)/addresses", Bodies.address)
            let cart = try await shop.post(
                "/v1/carts",
                ["currency": "GBP", "customer_id": .string(customer), "lines": [["sku": "A1", "quantity": 1]]])
            let order = try await shop.placeOrder(
                TestShop.order([("A1", 1)], extra: [("customer_id", .string(customer))]))
            let sent = try await shop.post("/v1/orders/\(order.id)/fulfilments")
            let line = order.json.at("lines", "0", "id")?.string ?? ""
            let back = try await shop.post(
                "/v1/orders/\(order.id)/returns", ["lines": [["line_id": .string(line), "quantity": 1]]])
            for reply in [address, cart, order, sent, back] { #expect(reply.status == 201, "\(reply.text)") }
            return Household(
                customer: customer,
                parts: [
                    "customers": customer, "{address_id}": address.id, "carts": cart.id,
                    "{line_id}": cart.json.at("lines", "0", "id")?.string ?? "", "orders": order.id,
                    "returns": back.id,
                ])
        }
    }

    /// What the operations for customers are sent.
    private enum Bodies {
        static let address: JSON = [
            "address": ["name": "B", "street": "1 Road", "city": "Town", "country": "GB"]
        ]
        static let all: [String: JSON] = [
            "patchCustomer": ["name": "Somebody else"], "createAddress": address, "replaceAddress": address,
            "patchCart": ["country": "DE"], "addCartLine": ["sku": "A1", "quantity": 1],
            "patchCartLine": ["quantity": 2], "authenticatePayment": ["succeeded": true],
        ]
    }

    private static let scopes: JSON = [
        "read:products", "read:customers", "write:customers", "read:carts", "write:carts", "read:orders",
        "write:orders",
    ]

    /// A token in a customer's name for all that customers can do.
    private func token(_ shop: TestShop, _ app: TestApp, _ email: String) async throws -> String {
        let browser = try await TestBrowser.signedIn(shop, email)
        let scope = Self.scopes.array?.compactMap(\.string).joined(separator: " ") ?? ""
        let grant = try await app.exchange(app.code(browser, ["scope": scope]))
        return try #require(grant.json["access_token"]?.string, "\(grant.text)")
    }

    /// A token in the name of the shop's only customer with every scope, as no way leads to.
    private func almighty(_ shop: TestShop, _ app: TestApp) async throws -> String {
        let (known, customer) = try await shop.shop.database.read { connection in
            let user = try connection.first("SELECT customer FROM users") { try $0.next(CustomerID.self) }
            return (
                try AppStore.all(in: connection).first,
                try user.flatMap { try UserStore.find(customer: $0, in: connection) }
            )
        }
        let person: User = try #require(customer)
        let app: App = try #require(known)
        return try await shop.shop.identity.tokens.signer(for: app).make(
            for: app, user: person, root: "aut_none", scopes: ScopeSet(Scope.allCases), boundTo: nil
        ).text
    }

    private func ask(_ shop: TestShop, _ endpoint: Endpoint, _ path: String, _ token: String) async throws -> Reply {
        var body: [UInt8]?
        if endpoint.customers == .own, endpoint.body != nil {
            let json = try #require(Bodies.all[endpoint.operationID], "\(endpoint.operationID) needs a body here")
            body = Array(json.text.utf8)
        }
        let method = try #require(HTTPRequest.Method(rawValue: endpoint.method.rawValue))
        return try await shop.send(method, path, body: body, headers: ["If-Match": "*"], key: token)
    }

    @Test func `nothing is for customers that is not declared to be`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            try await shop.openAccount("bea@example.com")
            // With every scope that there is, which no customer gets: it is as a customer that they are refused.
            let app = try await TestApp.register(shop, [.init("scopes", Self.scopes), .init("people", "customers")])
            let token = try await almighty(shop, app)
            var count = 0
            for endpoint in shop.shop.sliceEndpoints where endpoint.customers == .none && endpoint.access != .open {
                let path = endpoint.path.replacing(#/\{[a-z_]+\}/#, with: "x")
                let reply = try await ask(shop, endpoint, path, token)
                #expect(reply.status == 403, "\(endpoint.operationID): \(reply.status)")
                #expect(reply.code == "not_for_customers", "\(endpoint.operationID)")
                count += 1
            }
            #expect(count > 60)
        }
    }

    @Test func `another customer's things are not told from things that there are not`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            _ = try await shop.stocked("A1", 50)
            let own = try await Household.make(shop, "bea@example.com")
            let others = try await Household.make(shop, "cy@example.com")
            var nobodys = others
            nobodys.parts = others.parts.mapValues { id in id.dropLast(3) + (id.hasSuffix("zzz") ? "yyy" : "zzz") }
            let app = try await TestApp.register(shop, [.init("scopes", Self.scopes), .init("people", "customers")])
            let token = try await token(shop, app, "bea@example.com")
            var count = 0
            for endpoint in shop.shop.sliceEndpoints where endpoint.customers == .own && endpoint.path.contains("{") {
                let reply = try await ask(shop, endpoint, others.path(endpoint), token)
                let missing = try await ask(shop, endpoint, nobodys.path(endpoint), token)
                #expect(reply.status == 404, "\(endpoint.operationID): \(reply.status) \(reply.text)")
                #expect(reply.json["detail"] == missing.json["detail"] && missing.status == 404)
                if endpoint.method == .get {
                    let mine = try await ask(shop, endpoint, own.path(endpoint), token)
                    #expect(mine.status == 200, "\(endpoint.operationID): \(mine.text)")
                }
                count += 1
            }
            #expect(count >= 20)
        }
    }

    @Test func `lists hold what is the customer's, whatever they ask for`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            _ = try await shop.stocked("A1", 50)
            let own = try await Household.make(shop, "bea@example.com")
            let others = try await Household.make(shop, "cy@example.com")
            let app = try await TestApp.register(shop, [.init("scopes", Self.scopes), .init("people", "customers")])
            let token = try await token(shop, app, "bea@example.com")
            func orders(_ query: String) async throws -> [String] {
                try await shop.send(.get, "/v1/orders\(query)", key: token).items.compactMap { $0["id"]?.string }
            }
            #expect(try await orders("") == [own.parts["orders"] ?? ""])
            #expect(try await orders("?customer_id=\(own.customer)").count == 1)
            #expect(try await orders("?customer_id=\(others.customer)").isEmpty)
            #expect(try await orders("?email=cy@example.com").isEmpty)
            #expect(try await shop.send(.get, "/v1/products", key: token).items.count == 1)
            #expect(try await shop.send(.get, "/v1/products?status=draft", key: token).status == 403)
        }
    }

    @Test func `what a customer makes is theirs, and a customer decides nothing that is the shop's`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            _ = try await shop.stocked("A1", 50)
            let own = try await Household.make(shop, "bea@example.com")
            let others = try await Household.make(shop, "cy@example.com")
            let app = try await TestApp.register(shop, [.init("scopes", Self.scopes), .init("people", "customers")])
            let token = try await token(shop, app, "bea@example.com")
            func send(_ method: HTTPRequest.Method, _ path: String, _ body: JSON) async throws -> Reply {
                try await shop.send(
                    method, path, body: Array(body.text.utf8), headers: ["If-Match": "*"], key: token)
            }
            let order = try await send(.post, "/v1/orders", TestShop.order([("A1", 1)]))
            #expect(order.status == 201 && order.json["customer_id"]?.string == own.customer, "\(order.text)")
            #expect(try await send(.post, "/v1/orders/\(order.id)/cancel", [:]).json["status"] == "cancelled")
            let cart = try await send(
                .post, "/v1/carts", ["currency": "GBP", "lines": [["sku": "A1", "quantity": 2]]])
            #expect(cart.json["customer_id"]?.string == own.customer)
            let pay: JSON = ["card": "sandbox_approve"]
            let bought = try await send(.post, "/v1/orders", ["cart_id": .string(cart.id), "payment": pay])
            #expect(bought.status == 201 && bought.json["customer_id"]?.string == own.customer)

            let cy: JSON = .string(others.customer)
            let cyCart: JSON = .string(others.parts["carts"] ?? "")
            #expect(try await send(.post, "/v1/orders", ["cart_id": cyCart, "payment": pay]).status == 404)
            let refused: [(HTTPRequest.Method, String, JSON)] = [
                (.post, "/v1/orders", TestShop.order([("A1", 1)], extra: [("customer_id", cy)])),
                (.post, "/v1/orders", TestShop.order([("A1", 1)], extra: [("external_id", "mine")])),
                (.post, "/v1/orders", TestShop.order([("A1", 1)], extra: [("placed_at", "2020-01-01T00:00:00Z")])),
                (
                    .post, "/v1/orders",
                    [
                        "lines": [["sku": "A1", "quantity": 1]], "currency": "GBP",
                        "payment": ["card": "sandbox_approve", "capture": "manual"],
                    ]
                ),
                (
                    .post, "/v1/orders",
                    [
                        "lines": [["sku": "A1", "quantity": 1]], "currency": "GBP",
                        "payment": ["external": "paid, honest"],
                    ]
                ),
                (.post, "/v1/carts", ["currency": "GBP", "customer_id": cy]),
                (.patch, "/v1/carts/\(own.parts["carts"] ?? "")", ["customer_id": cy]),
                (.post, "/v1/orders", TestShop.order([("A1", 1)], extra: [("metadata", ["approved_by": "boss"])])),
                (.patch, "/v1/customers/\(own.customer)", ["external_id": "vip"]),
                (.patch, "/v1/customers/\(own.customer)", ["email": "cy@example.com"]),
                (.patch, "/v1/customers/\(own.customer)", ["metadata": ["discount": 90]]),
                (.patch, "/v1/orders/\(own.parts["orders"] ?? "")", ["status": "completed"]),
                (.post, "/v1/orders/\(own.parts["orders"] ?? "")/refunds", [:]),
            ]
            for (method, path, body) in refused {
                let reply = try await send(method, path, body)
                #expect(reply.status == 403, "\(path) \(body.text): \(reply.status) \(reply.text)")
            }
            // Nor do they see what the shop keeps of them to itself.
            _ = try await shop.patch("/v1/customers/\(own.customer)", ["metadata": ["note": "pays late"]])
            _ = try await shop.patch("/v1/orders/\(own.parts["orders"] ?? "")", ["metadata": ["note": "pays late"]])
            let renamed = try await send(.patch, "/v1/customers/\(own.customer)", ["name": "Bea B."])
            #expect(renamed.status == 200 && !renamed.text.contains("pays late"))
            for path in [
                "/v1/customers/\(own.customer)", "/v1/orders?expand=lines",
                "/v1/orders/\(own.parts["orders"] ?? "")?expand=customer",
            ] {
                let seen = try await shop.send(.get, path, key: token)
                #expect(seen.status == 200 && !seen.text.contains("pays late"), "\(path)")
            }
        }
    }

    @Test func `where nobody moves money, no customer can call an order paid`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.stocked("A1", 5)
            try await shop.openAccount("bea@example.com")
            let app = try await TestApp.register(shop, [.init("scopes", Self.scopes), .init("people", "everybody")])
            let token = try await token(shop, app, "bea@example.com")
            let order = try await shop.send(
                .post, "/v1/orders", body: Array(TestShop.order([("A1", 1)]).text.utf8), key: token)
            #expect(order.status == 403 && order.code == "not_for_customers")
        }
    }
}
