// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import NIOHTTP1

/// Simulated customers, who use the shop over HTTP as real ones would: browse, fill a cart, order, pay, send back.
struct Shoppers: Sendable {
    let address: ShopAddress
    let key: String
    let count: Int
    let tally: Tally

    /// Shops until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            for number in 0..<count {
                group.addTask {
                    var shopper = Shopper(
                        client: ShopClient(address, key: key), tally: tally, dice: Dice(seed: UInt64(number + 1)))
                    while !Task.isCancelled { await shopper.visit() }
                    await shopper.client.close()
                }
            }
        }
    }
}

/// One simulated customer.
private struct Shopper {
    let client: ShopClient
    let tally: Tally
    var dice: Dice

    private static let currencies = ["GBP", "GBP", "EUR", "USD"]
    private static let languages = ["en", "de", "fr"]
    private static let searches = ["linen", "oak board", "ceramc bowl", "lantern", "blue mug", "wine"]
    private static let countries = ["GB": "GBP", "DE": "EUR", "FR": "EUR", "US": "USD"]

    /// One visit: most people only look.
    mutating func visit() async {
        do {
            let currency = Self.currencies[dice.roll(0...3)]
            let language = Self.languages[dice.roll(0...2)]
            let products = try await browse(currency, language)
            guard let product = products.randomElement(using: &dice)?["id"]?.string else { return try await think() }
            let detail = try await get("/v1/products/\(product)", language)
            guard dice.roll(1...100) <= 60 else { return try await think() }
            guard let cart = try await fillCart(detail.json, currency) else { return }
            try await order(cart, currency)
        } catch is CancellationError {
            return
        } catch {
            tally.fault()
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private mutating func browse(_ currency: String, _ language: String) async throws -> [JSON] {
        let sort = ["newest", "best_selling", "price", "title"][dice.roll(0...3)]
        let search =
            dice.roll(1...4) == 1 ? "&q=\(Self.searches[dice.roll(0...5)].replacing(" ", with: "+"))" : "&sort=\(sort)"
        let reply = try await get("/v1/products?currency=\(currency)&in_stock=true&limit=20\(search)", language)
        try await think()
        return reply.json["items"]?.array ?? []
    }

    private mutating func fillCart(_ product: JSON, _ currency: String) async throws -> String? {
        let reply = try await post("/v1/carts", ["currency": .string(currency)])
        guard let cart = reply.json["id"]?.string else { return nil }
        for _ in 0..<dice.roll(1...3) {
            guard let variant = product["variants"]?.array?.randomElement(using: &dice)?["id"]?.string else { break }
            let line: JSON = ["variant_id": .string(variant), "quantity": .integer(Int64(dice.roll(1...3)))]
            _ = try await post("/v1/carts/\(cart)/lines", line)
            try await think()
        }
        return cart
    }

    private mutating func order(_ cart: String, _ currency: String) async throws {
        let country = Self.countries.filter { $0.value == currency }.keys.sorted().first ?? "GB"
        let order: JSON = [
            "cart_id": .string(cart), "email": .string("shopper\(dice.roll(1...500))@example.com"),
            "shipping_address": [
                "name": "Sam Shopper", "street": .string("\(dice.roll(1...200)) High Street"), "city": "Sampleton",
                "country": .string(country),
            ],
            "payment": ["card": .string(card())],
        ]
        let reply = try await post("/v1/orders", order)
        switch (reply.status, reply.json["code"]?.string) {
        case (201, _), (202, _):
            tally.order(reply.json)
            try await follow(reply.json)
        case (402, _): tally.decline()
        case (409, "out_of_stock"?):
            tally.outOfStock()
            try await restock(reply.json)
        default: tally.fault()
        }
    }

    /// Nine cards in ten are good.
    private mutating func card() -> String {
        switch dice.roll(1...100) {
        case 1...4: "sandbox_insufficient_funds"
        case 5...6: "sandbox_decline"
        case 7...8: "sandbox_3ds"
        case 9: "sandbox_unknown"
        case 10: "sandbox_duplicate"
        default: "sandbox_approve"
        }
    }

    /// What comes after an order: the second step of a payment, the parcel, and now and then a return.
    private mutating func follow(_ order: JSON) async throws {
        guard let id = order["id"]?.string else { return }
        var status = order["status"]?.string
        if order["payments"]?.array?.last?["status"]?.string == "requires_action" {
            let reply = try await post("/v1/orders/\(id)/authentication", ["succeeded": .bool(dice.roll(1...10) > 1)])
            status = reply.json["status"]?.string
        }
        guard status == "paid" else { return }
        try await think()
        _ = try await post("/v1/orders/\(id)/fulfilments", [:])
        guard dice.roll(1...12) == 1, let line = order["lines"]?.array?.first?["id"]?.string else { return }
        try await think()
        let goods: JSON = ["lines": [["line_id": .string(line), "quantity": 1]]]
        if try await post("/v1/orders/\(id)/returns", goods).isSuccess { tally.takeBack() }
    }

    /// Somebody orders more of what ran out.
    private mutating func restock(_ problem: JSON) async throws {
        let locations = try await get("/v1/inventory/locations?fields=id", "en").json["items"]?.array ?? []
        guard let location = locations.randomElement(using: &dice)?["id"]?.string else { return }
        let lines = (problem["lines"]?.array ?? []).compactMap { $0["variant_id"]?.string }.map { variant -> JSON in
            ["variant_id": .string(variant), "quantity": 50]
        }
        let delivery: JSON = [
            "location_id": .string(location), "reason": "received", "reference": "restocked", "lines": .array(lines),
        ]
        _ = try await post("/v1/inventory/adjustments", delivery)
    }

    private mutating func think() async throws { try await Task.sleep(for: .milliseconds(dice.roll(20...250))) }

    private func get(_ path: String, _ language: String) async throws -> ShopClient.Reply {
        try await timed { try await client.send(.GET, path, headers: [("Accept-Language", language)]) }
    }

    private mutating func post(_ path: String, _ body: JSON) async throws -> ShopClient.Reply {
        let headers = [("Idempotency-Key", String(dice.next(), radix: 36))]
        return try await timed { try await client.send(.POST, path, body, headers: headers) }
    }

    private func timed(_ work: () async throws -> ShopClient.Reply) async throws -> ShopClient.Reply {
        let (start, phase) = (ContinuousClock.now, tally.begins())
        do {
            let reply = try await work()
            tally.request(ContinuousClock.now - start, hasFailed: reply.status >= 500, in: phase)
            return reply
        } catch {
            // Who was called away had no fault.
            tally.request(ContinuousClock.now - start, hasFailed: !Task.isCancelled, in: phase)
            throw error
        }
    }
}
