// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Ordering

struct CartTests {
    private func order(_ cart: String, card: String = "sandbox_approve") -> JSON {
        ["cart_id": .string(cart), "payment": ["card": .string(card)]]
    }

    @Test func `a cart is filled, changed, reckoned and becomes an order once`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 10)
            try await shop.stocked("B1", 10)
            let cart = try await shop.post("/v1/carts", ["currency": "GBP", "country": "GB", "lines": [["sku": "A1"]]])
            let path = "/v1/carts/\(cart.id)"
            _ = try await shop.post("\(path)/lines", ["sku": "A1", "quantity": 2])
            let filled = try await shop.post("\(path)/lines", ["sku": "B1", "quantity": 4])
            #expect(filled.json["lines"]?.array?.map { $0["quantity"] } == [3, 4])
            #expect(filled.json.at("totals", "total", "amount") == 7_000, "free of postage from 50.00")
            let line = try #require(filled.json.at("lines", "1", "id")?.string)
            let fewer = try await shop.send(.patch, "\(path)/lines/\(line)", body: Array(#"{"quantity":1}"#.utf8))
            #expect(fewer.json.at("totals", "total", "amount") == 4_495)
            #expect(try await shop.send(.delete, "\(path)/lines/\(line)").json["lines"]?.array?.count == 1)
            let placed = try await shop.post("/v1/orders", order(cart.id))
            #expect(placed.status == 201 && placed.json.at("totals", "subtotal", "amount") == 3_000)
            #expect(try await shop.get(path).json["state"] == "converted")
            #expect(try await shop.post("/v1/orders", order(cart.id)).code == "cart_not_open")
            #expect(try await shop.post("\(path)/lines", ["sku": "B1"]).code == "cart_not_open")
        }
    }

    @Test func `a cart whose payment was declined can be ordered again`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 1)
            let cart = try await shop.post("/v1/carts", ["currency": "GBP", "lines": [["sku": "A1"]]])
            #expect(try await shop.post("/v1/orders", order(cart.id, card: "sandbox_decline")).status == 402)
            #expect(try await shop.get("/v1/carts/\(cart.id)").json["state"] == "open")
            #expect(try await shop.post("/v1/orders", order(cart.id)).status == 201)
        }
    }

    @Test func `a cart expires after its time, and lives on with each change`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let cart = try await shop.post("/v1/carts", ["currency": "GBP", "lines": [["sku": "A1"]]])
            shop.clock.advance(by: .seconds(29 * 86_400))
            #expect(try await shop.post("/v1/carts/\(cart.id)/lines", ["sku": "A1"]).status == 200)
            shop.clock.advance(by: .seconds(29 * 86_400))
            #expect(try await shop.get("/v1/carts/\(cart.id)").json["state"] == "open")
            shop.clock.advance(by: .seconds(2 * 86_400))
            #expect(try await shop.post("/v1/orders", order(cart.id)).code == "cart_not_open")
        }
    }

    @Test func `what is no longer sold stays visible in the cart and is refused in the order`() async throws {
        try await TestShop.run { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let cart = try await shop.post("/v1/carts", ["currency": "GBP", "lines": [["sku": "A1"]]])
            _ = try await shop.patch("/v1/products/\(product.id)", ["status": "archived"])
            let shown = try await shop.get("/v1/carts/\(cart.id)").json
            #expect(shown.at("lines", "0", "unit_price") == nil && shown.at("totals", "total", "amount") == 0)
            #expect(try await shop.post("/v1/orders", order(cart.id)).code == "not_for_sale")
            #expect(try await shop.post("/v1/carts", ["currency": "GBP", "lines": [["sku": "nope"]]]).status == 422)
        }
    }
}
