// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Catalog

struct CategoryTests {
    private func make(_ shop: TestShop, _ title: String, below parent: String? = nil) async throws -> String {
        var body: [JSON.Member] = [.init("title", .string(title))]
        if let parent { body.append(.init("parent_id", .string(parent))) }
        return try await shop.post("/v1/categories", .object(body)).id
    }

    @Test func `a subtree holds what is in it and below, wherever it is moved`() async throws {
        try await TestShop.run { (shop) async throws in
            let home = try await make(shop, "Home")
            let light = try await make(shop, "Light", below: home)
            let lamps = try await make(shop, "Lamps", below: light)
            let other = try await make(shop, "Other")
            _ = try await shop.makeProduct("A1", extra: [("categories", [.string(lamps)])])
            func count(_ category: String) async throws -> Int {
                try await shop.get("/v1/categories/\(category)/products").items.count
            }
            #expect(try await [count(home), count(light), count(lamps), count(other)] == [1, 1, 1, 0])
            #expect(try await shop.patch("/v1/categories/\(light)", ["parent_id": .string(other)]).status == 200)
            #expect(try await [count(home), count(light), count(lamps), count(other)] == [0, 1, 1, 1])
            let cycle = try await shop.patch("/v1/categories/\(other)", ["parent_id": .string(lamps)])
            #expect(cycle.status == 422)
            #expect(try await shop.delete("/v1/categories/\(light)").code == "category_in_use")
            #expect(try await shop.delete("/v1/categories/\(lamps)").status == 204)
            #expect(try await count(other) == 0)
        }
    }

    @Test func `the list shows parents before children, in the reader's language`() async throws {
        try await TestShop.run { (shop) async throws in
            let home = try await make(shop, "Home")
            _ = try await make(shop, "Light", below: home)
            #expect(try await shop.put("/v1/categories/\(home)/translations/de", ["title": "Wohnen"]).status == 200)
            let reply = try await shop.get("/v1/categories", headers: ["Accept-Language": "de"])
            #expect(reply.items.map { $0["title"] } == ["Wohnen", "Light"])
            #expect(reply.items.map { $0["depth"] } == [0, 1])
            #expect(try await shop.get("/v1/categories?parent=\(home)").items.count == 1)
        }
    }

    @Test func `what a body refers to must exist`() async throws {
        try await TestShop.run { (shop) async throws in
            let unknown = CategoryID.make(at: shop.clock.wall.now()).rawValue
            #expect(
                try await shop.makeProduct("A1", extra: [("categories", [.string(unknown)])]).code
                    == "unknown_reference")
            #expect(try await shop.post("/v1/categories", ["title": "x", "parent_id": .string(unknown)]).status == 422)
            #expect(try await shop.get("/v1/categories/\(unknown)").status == 404)
            #expect(try await shop.patch("/v1/categories/\(unknown)", ["title": "y"]).status == 404)
        }
    }

    @Test func `related products share a category`() async throws {
        try await TestShop.run { shop in
            let home = try await make(shop, "Home")
            let place: [(String, JSON)] = [("categories", [.string(home)])]
            let first = try await shop.makeProduct("A1", extra: place)
            _ = try await shop.makeProduct("A2", extra: place)
            _ = try await shop.makeProduct("A3")
            #expect(try await shop.get("/v1/products/\(first.id)/related").items.map { $0["handle"] } == ["a2"])
        }
    }
}
