// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Catalog

struct ListTests {
    /// Sixty things: their prices, sales and titles repeat, so that only the tie-breaker tells them apart.
    private func fill(_ shop: TestShop) async throws {
        let lines = (0..<60).map { number in
            """
            {"title":"\(["Linen cushion", "Oak board", "Café lamp"][number % 3])","handle":"p\(number)",\
            "attributes":{"colour":"\(["red", "blue"][number % 2])","row":"\(number / 10)"},\
            "variants":[{"sku":"P\(number)","prices":[{"amount":\(100 * (number % 7 + 1)),"currency":"GBP"}]}]}
            """
        }
        let reply = try await shop.send(
            .post, "/v1/products/import", body: Array(lines.joined(separator: "\n").utf8),
            headers: ["Content-Type": "application/x-ndjson"])
        #expect(reply.json["failed"] == 0)
    }

    private func walk(_ shop: TestShop, _ query: String) async throws -> [String] {
        var handles: [String] = []
        var next: String? = "/v1/products?limit=7&\(query)"
        while let page = next {
            let reply = try await shop.get(page)
            #expect(reply.status == 200, "\(reply.text)")
            handles += reply.items.compactMap { $0["handle"]?.string }
            next = reply.json["next"]?.string.flatMap { link in
                link.range(of: "/v1/").map { String(link[$0.lowerBound...]) }
            }
        }
        return handles
    }

    @Test(arguments: [
        "sort=newest", "sort=title", "sort=-title", "sort=price&currency=GBP", "sort=-price&currency=GBP",
        "sort=best_selling", "q=cushion+oak", "q=linen",
    ])
    func `every sorting walks each product once`(query: String) async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            let handles = try await walk(shop, query)
            #expect(Set(handles).count == handles.count)
            #expect(handles.count == (query == "q=linen" ? 20 : query.hasPrefix("q=") ? 0 : 60))
        }
    }

    @Test func `a walk survives what comes and goes meanwhile`() async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            let first = try await shop.get("/v1/products?limit=20&sort=title")
            let seen = first.items.compactMap { $0["handle"]?.string }
            let gone = try #require(first.items.last?["id"]?.string)
            _ = try await shop.delete("/v1/products/\(gone)")
            _ = try await shop.makeProduct("Z1", title: "A first title")
            let link = try #require(first.json["next"]?.string)
            let path = try #require(link.range(of: "/v1/").map { String(link[$0.lowerBound...]) })
            let second = try await shop.get(path).items.compactMap { $0["handle"]?.string }
            #expect(second.count == 20 && Set(seen).isDisjoint(with: second))
            let back = try #require(try await shop.get(path).json["prev"]?.string)
            let previous = try #require(back.range(of: "/v1/").map { String(back[$0.lowerBound...]) })
            #expect(try await shop.get(previous).items.last?["handle"]?.string == seen[18])
        }
    }

    @Test func `filters narrow the list`() async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            #expect(try await walk(shop, "attributes=colour:red").count == 30)
            #expect(try await walk(shop, "attributes=colour:red,colour:blue,row:0").count == 10)
            let cheap = try await walk(shop, "currency=GBP&price_min=200&price_max=300&sort=price")
            #expect(cheap.count == 18 && cheap.first == "p1")
            #expect(try await walk(shop, "currency=EUR").isEmpty)
            #expect(try await shop.get("/v1/products?price_min=1").status == 400)
            #expect(try await shop.get("/v1/products?sort=price").status == 400)
            #expect(try await shop.get("/v1/products?sort=relevance").status == 200)
            let faceted = try await shop.get("/v1/products?facets=colour&attributes=row:0&limit=1")
            #expect(faceted.json.at("facets", "colour", "0", "count") == 5)
            let ids = try await shop.get("/v1/products?limit=3&fields=id").items.compactMap { $0["id"]?.string }
            #expect(try await walk(shop, "ids=\(ids.joined(separator: ","))").count == 3)
        }
    }

    @Test func `marks that combine with a colon or a comma hide neither`() async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            for filter in ["colour:%F0%9F%8F%BBx", "colour:%CC%81", "colour::", "colour:red,%CC%81a:b"] {
                let found = try await shop.get("/v1/products?attributes=\(filter)")
                #expect(found.status == 200 && found.items.isEmpty, "\(filter)")
            }
            #expect(try await shop.get("/v1/products?attributes=%CC%81").status == 400)
        }
    }

    @Test func `a word that nobody would look for fills no index`() async throws {
        try await TestShop.run { shop in
            let long = String(repeating: "xy", count: 5_000)
            let product = try await shop.makeProduct("A1", extra: [("description", .string(long))])
            #expect(product.status == 201)
            guard shop.shop.database.dialect == .sqlite else { return }
            let deletions = try await shop.shop.database.read {
                try $0.first("SELECT COUNT(*) FROM search_deletions") { try $0.next(Int.self) }
            }
            let count = deletions ?? 0
            #expect(count < 100)
        }
    }

    @Test(arguments: [
        ("linen", true), ("LINEN", true), ("lin", true), ("linne", true), ("linem", true), ("lnien", true),
        ("liinen", true), ("cafe", true), ("café", true), ("oak boa", true), ("P17", true), ("linen oak", false),
        ("xyzzy", false), ("lixxn", false), ("*", false), ("\"", false), ("a OR b NOT c", false), ("title:x", false),
    ])
    func `search finds words, their beginnings and words with one error`(text: String, finds: Bool) async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            let query = text.replacing(" ", with: "+").replacing("\"", with: "%22").replacing("é", with: "%C3%A9")
            let reply = try await shop.get("/v1/products?q=\(query)")
            #expect(reply.status == 200)
            #expect(reply.items.isEmpty != finds, "\(text)")
        }
    }

    @Test func `a title counts more than a description`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.makeProduct("A1", title: "Board", extra: [("description", "goes well with a teapot")])
            _ = try await shop.makeProduct("A2", title: "Teapot")
            #expect(try await shop.get("/v1/products?q=teapot").items.map { $0["title"] } == ["Teapot", "Board"])
        }
    }

    @Test func `matches come in classes, and pages lead through them and back`() async throws {
        try await TestShop.run { shop in
            // In turn: the very word in the title, a word that begins so, the word in the description.
            let lines = (0..<30).map { number in
                let title = ["Tea pot \(number)", "Teacup \(number)", "Mug \(number)"][number % 3]
                let about = number % 3 == 2 ? "for tea" : "of clay"
                return
                    #"{"title":"\#(title)","description":"\#(about)","handle":"t\#(number)","variants":[{"sku":"S\#(number)"}]}"#
            }
            _ = try await shop.send(
                .post, "/v1/products/import", body: Array(lines.joined(separator: "\n").utf8),
                headers: ["Content-Type": "application/x-ndjson"])
            let expected = [0, 1, 2].flatMap { tier in
                stride(from: 27 + tier, through: tier, by: -3).map { "t\($0)" }
            }
            #expect(try await walk(shop, "q=tea") == expected)
            // And back again from the last page.
            var page = try await shop.get("/v1/products?limit=7&q=tea")
            while let next = page.json["next"]?.string, let start = next.range(of: "/v1/") {
                page = try await shop.get(String(next[start.lowerBound...]))
            }
            var back = page.items.compactMap { $0["handle"]?.string }
            while let previous = page.json["prev"]?.string, let start = previous.range(of: "/v1/") {
                page = try await shop.get(String(previous[start.lowerBound...]))
                back = page.items.compactMap { $0["handle"]?.string } + back
            }
            #expect(back == expected)
        }
    }

    @Test func `an article number is found by its beginning, whatever words begin so, too`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.makeProduct("LINEN77", title: "Tray")
            _ = try await shop.makeProduct("B1", title: "Linen cushion")
            #expect(try await shop.get("/v1/products?q=linen").items.count == 2)
            #expect(try await shop.get("/v1/products?q=linen7").items.map { $0["title"] } == ["Tray"])
        }
    }

    @Test func `short words and beginnings are found, however common they are`() async throws {
        try await TestShop.run { shop in
            let lines = (0..<1_100).map { number in
                #"{"title":"Box \#(number)","handle":"b\#(number)","variants":[{"sku":"N-\#(10_000 + number)"}]}"#
            }
            _ = try await shop.send(
                .post, "/v1/products/import", body: Array(lines.joined(separator: "\n").utf8),
                headers: ["Content-Type": "application/x-ndjson"])
            _ = try await shop.makeProduct("Z1", title: "Ox cart")
            _ = try await shop.makeProduct("Z2", title: "Oxen of oak")
            func titles(_ text: String) async throws -> [JSON?] {
                try await shop.get("/v1/products?q=\(text)&limit=100").items.map { $0["title"] }
            }
            #expect(try await titles("ox") == ["Ox cart", "Oxen of oak"])
            #expect(try await titles("oxe") == ["Oxen of oak"])
            #expect(try await titles("o+oa") == ["Oxen of oak"])
            #expect(try await titles("o+1") == [])
            #expect(try await titles("obx") == [])
            // More words begin so than a beginning is put together from.
            #expect(try await titles("n+1").count == 100)
            let numbers = [1_099] + (990..<1_000).reversed()
            #expect(try await titles("n+1099") == numbers.map { .string("Box \($0)") })
            #expect(try await titles("n+11099+box") == ["Box 1099"])
            #expect(try await titles("n+1+ox") == [])
        }
    }

    @Test func `facets tell how many products they counted`() async throws {
        try await TestShop.run { shop in
            try await fill(shop)
            let facets = try await shop.get("/v1/products?q=linen&facets=colour,row").json
            #expect(facets.at("facets_counted", "elements") == 20 && facets.at("facets_counted", "complete") == true)
            let colours = facets.at("facets", "colour")?.array ?? []
            #expect(colours.map { $0["count"]?.integer }.reduce(0) { $0 + ($1 ?? 0) } == 20)
            #expect(colours.count == 2)
        }
    }

    @Test func `stock and sales reach the catalogue`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 2)
            try await shop.stocked("A2", 9)
            _ = try await shop.makeProduct("A3")
            await shop.shop.relay.drain()
            #expect(try await shop.get("/v1/products?in_stock=true").items.count == 2)
            #expect(try await shop.get("/v1/products?in_stock=false").items.count == 1)
            _ = try await shop.placeOrder(TestShop.order([("A1", 2)]))
            await shop.shop.relay.drain()
            #expect(try await shop.get("/v1/products?in_stock=true").items.map { $0["handle"] } == ["a2"])
            #expect(try await shop.get("/v1/products?sort=best_selling").items.first?["handle"] == "a1")
        }
    }
}
