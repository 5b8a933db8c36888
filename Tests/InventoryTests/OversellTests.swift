// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Inventory

struct OversellTests {
    @Test func `two hundred buyers get exactly the ten units there are, and each refusal says what is left`()
        async throws
    {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            for (place, units) in [4, 3, 3].enumerated() {
                let location = try await shop.makeLocation("l\(place)", priority: Int64(place))
                try await shop.addStock("A1", Int64(units), at: location)
            }
            let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        // Every other buyer has the article on two lines of one cart.
                        let lines: [(String, Int64)] = number % 2 == 0 ? [("A1", 1)] : [("A1", 1), ("A1", 1)]
                        return try await shop.placeOrder(TestShop.order(lines), idempotencyKey: "buyer-\(number)")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let accepted = replies.filter { $0.status == 201 }
            let units = accepted.reduce(0) { sum, reply in
                sum + (reply.json["lines"]?.array ?? []).reduce(0) { $0 + ($1["quantity"]?.integer ?? 0) }
            }
            #expect(units == 10)
            for refused in replies where refused.status != 201 {
                #expect(refused.status == 409 && refused.code == "out_of_stock")
                let lines = refused.json["lines"]?.array ?? []
                #expect(!lines.isEmpty)
                for line in lines {
                    #expect(line["sku"] == "A1" && line["line"] != nil)
                    #expect(line["available"]?.integer ?? 99 <= 1)
                }
            }
            let stock = try await shop.stock(ofProduct: product.id, sku: "A1")
            #expect(stock.sold == 10 && stock.reserved == 0 && stock.onHand == 10)
        }
    }

    @Test func `two lines of one article count together`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 3)
            let refused = try await shop.placeOrder(TestShop.order([("A1", 2), ("A1", 2)]))
            #expect(refused.status == 409)
            #expect(refused.json["lines"]?.array?.map { $0["line"] } == [0, 1])
            #expect(refused.json.at("lines", "0", "available") == 3)
            #expect(try await shop.placeOrder(TestShop.order([("A1", 2), ("A1", 1)])).status == 201)
        }
    }
}
