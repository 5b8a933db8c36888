// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing

@testable import Inventory

struct StockTests {
    @Test func `stock is the sum of its movements, which nobody can rewrite`() async throws {
        try await TestShop.run { shop in
            let (product, location) = try await shop.stocked("A1", 10)
            let other = try await shop.makeLocation("other", priority: 2)
            func change(_ path: String, _ body: JSON) async throws -> Int {
                try await shop.post("/v1/inventory/\(path)", body).status
            }
            let from = JSON.string(location)
            #expect(
                try await change(
                    "adjustments",
                    ["location_id": from, "reason": "written_off", "lines": [["sku": "A1", "quantity": -3]]]) == 201)
            #expect(try await change("counts", ["location_id": from, "lines": [["sku": "A1", "quantity": 9]]]) == 201)
            #expect(
                try await change(
                    "transfers",
                    [
                        "from_location_id": from, "to_location_id": .string(other),
                        "lines": [["sku": "A1", "quantity": 4]],
                    ]) == 201)
            let stock = try await shop.stock(ofProduct: product.id, sku: "A1")
            #expect(stock.onHand == 9)
            let movements = try await shop.get("/v1/inventory/movements").items
            #expect(
                movements.map { $0["reason"] } == [
                    "transferred_in", "transferred_out", "counted", "written_off", "received",
                ])
            #expect(movements.reduce(0) { $0 + ($1["quantity"]?.integer ?? 0) } == 9)
            for statement: SQL in ["DELETE FROM stock_movements", "UPDATE stock_movements SET quantity = 1"] {
                await #expect(throws: DatabaseError.self) {
                    try await shop.shop.database.write { try $0.execute(statement) }
                }
            }
            #expect(try await shop.get("/v1/inventory/locations/\(other)/products").items.map { $0["on_hand"] } == [4])
        }
    }

    @Test func `what is spoken for cannot be taken away`() async throws {
        try await TestShop.run { shop in
            let (_, location) = try await shop.stocked("A1", 5)
            _ = try await shop.placeOrder(TestShop.order([("A1", 4)]))
            let body: JSON = ["location_id": .string(location), "lines": [["sku": "A1", "quantity": -2]]]
            let refused = try await shop.post("/v1/inventory/adjustments", body)
            #expect(refused.status == 409 && refused.code == "stock_committed")
            let count: JSON = ["location_id": .string(location), "lines": [["sku": "A1", "quantity": 3]]]
            #expect(try await shop.post("/v1/inventory/counts", count).status == 409)
        }
    }

    @Test func `the schema itself holds that no more is spoken for than is there`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            for statement: SQL in [
                "UPDATE stock SET reserved = 6", "UPDATE stock SET reserved = 3, sold = 3",
                "UPDATE stock SET on_hand = -1",
                "UPDATE stock SET sold = -1",
            ] {
                let error = await #expect(throws: DatabaseError.self) {
                    try await shop.shop.database.write { try $0.execute(statement) }
                }
                #expect(error?.kind == .check)
            }
        }
    }

    @Test func `an adjustment with a number of its own is taken once`() async throws {
        try await TestShop.run { shop in
            let (product, location) = try await shop.stocked("A1", 5)
            let body: JSON = [
                "location_id": .string(location), "external_id": "X1", "lines": [["sku": "A1", "quantity": 1]],
            ]
            #expect(try await shop.post("/v1/inventory/adjustments", body).status == 201)
            #expect(try await shop.post("/v1/inventory/adjustments", body).code == "external_id_taken")
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").onHand == 6)
        }
    }

    @Test func `an order takes from several locations, the nearest first, and gives back to each`() async throws {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            let near = try await shop.makeLocation("near", priority: 1)
            let far = try await shop.makeLocation("far", priority: 2)
            try await shop.addStock("A1", 3, at: near)
            try await shop.addStock("A1", 3, at: far)
            let order = try await shop.placeOrder(TestShop.order([("A1", 2), ("A1", 2)]))
            #expect(order.status == 201)
            func levels() async throws -> [[Int64?]] {
                let reply = try await shop.get("/v1/inventory/products/\(product.id)")
                return (reply.json.at("variants", "0", "locations")?.array ?? []).map {
                    [$0["sold"]?.integer, $0["available"]?.integer]
                }
            }
            #expect(try await levels() == [[3, 0], [1, 2]])
            #expect(try await shop.post("/v1/orders/\(order.id)/cancel").status == 200)
            #expect(try await levels() == [[0, 3], [0, 3]])
        }
    }

    @Test func `bad references and quantities are refused whole`() async throws {
        try await TestShop.run { shop in
            let (product, location) = try await shop.stocked("A1", 5)
            let place = JSON.string(location)
            let unknown = JSON.string(LocationID.make(at: shop.clock.wall.now()).rawValue)
            for (path, body) in [
                (
                    "adjustments",
                    ["location_id": place, "lines": [["sku": "A1", "quantity": 1], ["sku": "nope", "quantity": 1]]]
                ),
                ("adjustments", ["location_id": unknown, "lines": [["sku": "A1", "quantity": 1]]]),
                ("adjustments", ["location_id": place, "lines": [["quantity": 1]]]),
                ("adjustments", ["location_id": place, "lines": [["sku": "A1", "quantity": 1_000_000_000]]]),
                (
                    "counts",
                    ["location_id": place, "lines": [["sku": "A1", "quantity": 1], ["sku": "A1", "quantity": 2]]]
                ),
                (
                    "transfers",
                    ["from_location_id": place, "to_location_id": place, "lines": [["sku": "A1", "quantity": 1]]]
                ),
            ] as [(String, JSON)] {
                let reply = try await shop.post("/v1/inventory/\(path)", body)
                #expect(reply.status == 422, "\(path) \(body.text): \(reply.text)")
            }
            #expect(try await shop.stock(ofProduct: product.id, sku: "A1").onHand == 5)
        }
    }
}
