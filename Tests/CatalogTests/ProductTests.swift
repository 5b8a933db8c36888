// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Catalog

struct ProductTests {
    @Test func `a product is made, read, replaced, patched and deleted`() async throws {
        try await TestShop.run { shop in
            let made = try await shop.makeProduct("A1", "A2")
            let path = "/v1/products/\(made.id)"
            #expect(made.status == 201 && made.header("Location") == path)
            let variants = made.json["variants"]?.array ?? []
            #expect(variants.count == 2)
            let patched = try await shop.patch(path, ["title": "Cup", "attributes": ["colour": "red", "size": "L"]])
            #expect(patched.json["title"] == "Cup" && patched.json.at("attributes", "colour") == "red")
            let merged = try await shop.patch(path, ["attributes": ["colour": nil, "mood": "merry"]])
            #expect(merged.json["attributes"] == ["mood": "merry", "size": "L"])
            let replaced = try await shop.put(
                path, ["title": "Bowl", "variants": [["sku": "A2"], ["sku": "A3"]]], headers: ["If-Match": "*"])
            let kept = replaced.json["variants"]?.array ?? []
            #expect(kept.map { $0["sku"] } == ["A2", "A3"])
            #expect(kept[0]["id"] == variants[1]["id"], "a variant keeps its identity by SKU")
            #expect(try await shop.delete(path).status == 204)
            #expect(try await shop.get(path).status == 404)
            #expect(try await shop.makeProduct("A1").status == 201, "SKU and handle are free again")
        }
    }

    @Test func `SKUs and handles are unique, and a conflict changes nothing`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.makeProduct("A1")
            #expect(try await shop.makeProduct("a1").status == 409, "same handle")
            let taken = try await shop.makeProduct("B1", "A1")
            #expect(taken.status == 409 && taken.text.contains("A1"))
            #expect(try await shop.makeProduct("C1", "C1").status == 422)
            #expect(try await shop.makeProduct("C1", extra: [("variants", [])]).status == 422)
            #expect(try await shop.get("/v1/products").items.count == 1)
        }
    }

    @Test func `prices and variants have their own addresses`() async throws {
        try await TestShop.run { shop in
            let made = try await shop.makeProduct("A1")
            let variant = try #require(made.json.at("variants", "0", "id")?.string)
            #expect(try await shop.put("/v1/variants/\(variant)/prices/EUR", ["decimal": "0.095"]).status == 200)
            #expect(
                try await shop.put("/v1/variants/\(variant)/prices/EUR", ["amount": 1, "decimal": "2"]).status == 422)
            #expect(try await shop.put("/v1/variants/\(variant)/prices/XYZ", ["amount": 1]).status == 404)
            let prices = try await shop.get("/v1/products/\(made.id)").json["prices"]?.array ?? []
            #expect(prices.map { $0["currency"] } == ["EUR", "GBP"] && prices[0]["decimal"] == "0.095")
            #expect(try await shop.delete("/v1/variants/\(variant)/prices/EUR").status == 204)
            #expect(try await shop.delete("/v1/variants/\(variant)/prices/EUR").status == 404)
            let added = try await shop.post("/v1/products/\(made.id)/variants", ["sku": "A2"])
            #expect(added.status == 201)
            #expect(try await shop.get("/v1/products/\(made.id)/variants?limit=1").json["next"] != nil)
            #expect(try await shop.patch("/v1/variants/\(added.id)", ["barcode": "123"]).json["barcode"] == "123")
            #expect(try await shop.delete("/v1/variants/\(added.id)").status == 204)
            #expect(try await shop.delete("/v1/variants/\(variant)").status == 422, "a product needs a variant")
        }
    }

    @Test func `texts come in the language that the reader likes best`() async throws {
        try await TestShop.run { shop in
            let made = try await shop.makeProduct("A1", title: "Mug")
            let path = "/v1/products/\(made.id)"
            #expect(try await shop.put("\(path)/translations/de", ["title": "Becher"]).status == 200)
            #expect(try await shop.put("\(path)/translations/xx1", ["title": "?"]).status == 404)
            func title(_ languages: String) async throws -> (JSON?, String?) {
                let reply = try await shop.get(path, headers: ["Accept-Language": languages])
                return (reply.json["title"], reply.header("Content-Language"))
            }
            #expect(try await title("fr, de-AT;q=0.8, en;q=0.5") == ("Becher", "de"))
            #expect(try await title("en-US, de;q=0.9") == ("Mug", "en"))
            #expect(try await title("ja") == ("Mug", "en"))
            #expect(try await shop.delete("\(path)/translations/de").status == 204)
            #expect(try await title("de") == ("Mug", "en"))
        }
    }

    @Test func `drafts are seen by those who may write them`() async throws {
        try await TestShop.run { shop in
            let draft = try await shop.makeProduct("A1", extra: [("status", "draft")])
            let key = try await shop.post("/v1/keys", ["name": "reader", "scopes": ["read:products"]])
            let reader = try #require(key.json["secret"]?.string)
            #expect(try await shop.send(.get, "/v1/products/\(draft.id)", key: reader).status == 404)
            #expect(try await shop.send(.get, "/v1/products?status=draft", key: reader).status == 403)
            #expect(try await shop.get("/v1/products?status=draft").items.count == 1)
            #expect(try await shop.get("/v1/products").items.isEmpty)
        }
    }

    @Test func `a batch keeps its good lines and reports its bad ones by number`() async throws {
        try await TestShop.run { shop in
            let lines = [
                #"{"title":"One","variants":[{"sku":"L1"}]}"#, "", #"{"title":"Two","variants":[{"sku":"L1"}]}"#,
                "not json", #"{"title":3,"variants":[]}"#, #"{"title":"One","variants":[{"sku":"L1","barcode":"9"}]}"#,
                #"{"title":"Six","variants":[{"sku":"L6"}]}"#,
            ]
            let reply = try await shop.send(
                .post, "/v1/products/import", body: Array(lines.joined(separator: "\n").utf8),
                headers: ["Content-Type": "application/x-ndjson"])
            #expect(reply.status == 207)
            let results = reply.json["results"]?.array ?? []
            #expect(results.map { $0["line"]?.integer } == [1, 3, 4, 5, 6, 7])
            #expect(results.map { $0["status"]?.integer } == [201, 409, 400, 422, 200, 201])
            #expect(reply.json["imported"] == 3 && reply.json["failed"] == 3)
            #expect(try await shop.get("/v1/products").items.count == 2)
        }
    }

    @Test func `a product that stands twice in a batch is what its last line says, also in searches`() async throws {
        try await TestShop.run { shop in
            let lines = ["Anchor", "Beacon", "Compass"].map {
                #"{"title":"\#($0)","handle":"same","variants":[{"sku":"S1"}]}"#
            }
            let reply = try await shop.send(
                .post, "/v1/products/import", body: Array(lines.joined(separator: "\n").utf8),
                headers: ["Content-Type": "application/x-ndjson"])
            #expect(reply.json["results"]?.array?.map { $0["status"]?.integer } == [201, 200, 200])
            #expect(try await shop.get("/v1/products?q=compass").items.count == 1)
            #expect(try await shop.get("/v1/products?q=anchor").items.isEmpty)
            #expect(try await shop.get("/v1/products?q=beacon").items.isEmpty)
        }
    }

    @Test func `what a client named is told again as text that controls nothing`() async throws {
        try await TestShop.run { shop in
            let reply = try await shop.send(
                .post, "/v1/products/import", body: Array(#"{"title":"One","x\u0007\u001b[2J":1,"variants":[]}"#.utf8),
                headers: ["Content-Type": "application/x-ndjson"])
            let detail = reply.json["results"]?.array?.first?["detail"]?.string ?? ""
            #expect(detail.contains("x\u{FFFD}\u{FFFD}[2J"), "\(detail)")
        }
    }
}
