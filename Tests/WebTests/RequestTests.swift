// SPDX-License-Identifier: Apache-2.0

import Kernel
import Persistence
import TestSupport
import Testing

@testable import Web

/// What is the same for every endpoint, seen through the assembled shop.
struct RequestTests {
    @Test func `every refusal is a problem whose type the server explains`() async throws {
        try await TestShop.run { shop in
            let refusals = [
                (400, try await shop.get("/v1/products?limit=0")),
                (401, try await shop.send(.get, "/v1/products", key: "vk_x")),
                (404, try await shop.get("/nowhere")), (404, try await shop.get("/v1/products/prod_1")),
                (405, try await shop.send(.delete, "/v1/products")),
                (405, try await shop.send(#require(.init("PROPFIND")), "/v1/products")),
                (404, try await shop.send(#require(.init("PROPFIND")), "/nowhere")),
                (406, try await shop.get("/v1/products", headers: ["Accept": "text/html"])),
                (413, try await shop.send(.post, "/v1/products", body: Array(repeating: 0x20, count: 1_100_000))),
                (
                    415,
                    try await shop.send(.post, "/v1/products", body: [0x7B], headers: ["Content-Type": "text/plain"])
                ),
                (422, try await shop.post("/v1/products", ["title": 7])),
                (428, try await shop.send(.delete, "/v1/products/\(ProductID.make(at: shop.clock.wall.now()))")),
            ]
            for (status, reply) in refusals {
                #expect(reply.status == status, "\(reply.text)")
                #expect(reply.header("Content-Type") == "application/problem+json")
                #expect(reply.json["status"]?.integer == Int64(status))
                let type = try #require(reply.json["type"]?.string)
                let path = try #require(type.range(of: "/problems/").map { String(type[$0.lowerBound...]) })
                let page = try await shop.send(.get, path, headers: ["Authorization": ""])
                #expect(page.status == 200 && page.text.contains(reply.code ?? "?"))
            }
            #expect(refusals[4].1.header("Allow") == "GET, HEAD, POST")
            #expect(refusals[5].1.header("Allow") == "GET, HEAD, POST" && refusals[5].1.text.contains("PROPFIND"))
        }
    }

    @Test func `an operation on its way out says since when, until when, and what to do instead`() async throws {
        let endpoint = Endpoint.get("/v1/old", "getOld", "Read what was") { (_, _: NoBody) in Answer.ok(Read(value: 1))
        }
        .deprecated(
            Deprecation(
                since: Timestamp(milliseconds: 1_688_169_599_000), sunset: Timestamp(milliseconds: 1_719_791_999_000),
                guide: "https://example.org/v2", successor: "/v2/old"))
        try await TestShop.run { shop in
            let reply = try await shop.send(.get, "/v1/old", mounting: endpoint)
            #expect(reply.header("Deprecation") == "@1688169599")
            #expect(reply.header("Sunset") == "Sun, 30 Jun 2024 23:59:59 GMT")
            #expect(
                reply.header("Link")
                    == "<https://example.org/v2>; rel=\"deprecation\"; type=\"text/html\", "
                    + "<https://example.org/v2>; rel=\"sunset\"; type=\"text/html\", </v2/old>; rel=\"successor-version\""
            )
            let refused = try await shop.send(.get, "/v1/old", headers: ["Accept": "text/html"], mounting: endpoint)
            #expect(refused.status == 406 && refused.header("Deprecation") == "@1688169599")
            #expect(try await shop.get("/v1/products").header("Deprecation") == nil)
        }
        let document = OpenAPIDocument(
            endpoints: [endpoint], title: "t", version: "1", server: "http://localhost",
            versions: APIVersions([APIRelease("2026-11-27")]))
        #expect(document.json.at("paths", "/v1/old", "get", "deprecated") == true)
    }

    private struct Read: WireBody {
        let value: Int
        static let schema = Schema.object("Read", Read.init, .required("value", \.value, .count))
    }

    @Test func `a list takes any page size, and a selection names something`() async throws {
        try await TestShop.run { shop in
            for (query, status) in [
                ("limit=99999999999999999999", 200), ("limit=00000000000000000000", 400), ("fields=", 400),
                ("fields=,", 400),
            ] {
                let reply = try await shop.get("/v1/products?\(query)")
                #expect(reply.status == status, "\(query)")
            }
        }
    }

    @Test(arguments: [
        ("W/\"a,b\", \"7-x\"", 412), ("\"1-,\"", 200), ("*", 200), ("\"1\", nonsense", 400), (";", 400), ("\"", 400),
    ])
    func `If-Match is a list of tags, in which commas may stand`(header: String, status: Int) async throws {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            let patch = try await shop.patch("/v1/products/\(product.id)", ["title": "Cup"], ifMatch: header)
            #expect(patch.status == status, "\(patch.text)")
        }
    }

    @Test func `a handler that takes longer than its endpoint allows is answered 503`() async throws {
        try await TestShop.run { shop in
            var endpoint = Endpoint.get("/v1/slow", "slow", "Counts for ever") {
                (call: Call, _: NoBody) async throws -> Answer<NoBody> in
                try await call.read { connection in
                    let endless: SQL =
                        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
                    _ = try connection.exists("SELECT 1 WHERE (\(endless)) > 0")
                    return .noContent
                }
            }
            endpoint.timeMax = .milliseconds(50)
            let reply = try await shop.send(.get, "/v1/slow", mounting: endpoint)
            #expect(reply.status == 503 && reply.code == "unavailable" && reply.header("Retry-After") == "1")
        }
    }

    @Test func `when there is too much to do orders come last to be turned away, and probes never are`() async throws {
        try await TestShop.run(configure: { $0.requestsMax = 10 }) { shop in
            let (product, _) = try await shop.stocked("A1", 5)
            let (held, hold) = AsyncStream.makeStream(of: Void.self)
            let (inside, enter) = AsyncStream.makeStream(of: Void.self)
            let waiting = Endpoint.get("/v1/wait", "wait", "Waits") {
                (_: Call, _: NoBody) async throws -> Answer<NoBody> in
                enter.yield()
                for await _ in held {}
                return .noContent
            }.essential()
            try await withThrowingTaskGroup(of: Int.self) { group in
                var entered = inside.makeAsyncIterator()
                /// The statuses of a search, a read, an order and a probe with one more at work.
                func statuses(_ more: Int) async throws -> [Int] {
                    for _ in 0..<more {
                        group.addTask { try await shop.send(.get, "/v1/wait", mounting: waiting).status }
                        _ = await entered.next()
                    }
                    return [
                        try await shop.get("/v1/products").status,
                        try await shop.get("/v1/products/\(product.id)").status,
                        try await shop.placeOrder(TestShop.order([("A1", 1)])).status,
                    ]
                }
                #expect(try await statuses(6) == [200, 200, 201])
                #expect(try await statuses(1) == [503, 200, 201])
                #expect(try await statuses(2) == [503, 503, 201])
                #expect(try await statuses(1) == [503, 503, 503])
                let probe = Endpoint.report("/live", "live", "Lives", contentTypes: ["text/plain"]) { _ in
                    WireResponse(status: 200)
                }
                #expect(try await shop.send(.get, "/live", mounting: probe).status == 200)
                let refused = try await shop.get("/v1/products")
                #expect(refused.header("Retry-After") == "1" && refused.code == "unavailable", "\(refused.text)")
                hold.finish()
                for try await status in group { #expect(status == 204) }
            }
            #expect(try await shop.get("/v1/products").status == 200)
        }
    }

    @Test func `an unchanged answer is not sent again, and a changed one is`() async throws {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            let path = "/v1/products/\(product.id)"
            let first = try await shop.get(path)
            let tag = try #require(first.header("ETag"))
            let second = try await shop.get(path, headers: ["If-None-Match": "\"other\", \(tag)"])
            #expect(second.status == 304 && second.body.isEmpty && second.header("ETag") == tag)
            _ = try await shop.patch(path, ["title": "Cup"], ifMatch: tag)
            #expect(try await shop.get(path, headers: ["If-None-Match": tag]).status == 200)
        }
    }

    @Test func `a page of a list that is made anew and reads the same is not sent again`() async throws {
        try await TestShop.run { shop in
            for sku in ["A1", "A2", "A3"] { _ = try await shop.makeProduct(sku) }
            let path = "/v1/products?limit=2"
            let first = try await shop.get(path)
            #expect(first.json["next_cursor"] != nil || first.text.contains("cursor="))
            let tag = try #require(first.header("ETag"))
            shop.clock.advance(by: .seconds(3_600))
            let again = try await shop.get(path, headers: ["Accept": "application/json", "If-None-Match": tag])
            #expect(again.status == 304)
            _ = try await shop.makeProduct("A4")
            #expect(try await shop.get(path, headers: ["If-None-Match": tag]).status == 200)
        }
    }

    @Test func `a change of a state that was not read is refused with the present tag`() async throws {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            let path = "/v1/products/\(product.id)"
            let stale = try #require(product.header("ETag"))
            #expect(try await shop.patch(path, ["title": "One"], ifMatch: stale).status == 200)
            let refused = try await shop.patch(path, ["title": "Two"], ifMatch: stale)
            #expect(refused.status == 412)
            #expect(refused.json["current_etag"]?.string == "\"2\"")
            #expect(try await shop.get(path).json["title"] == "One")
            #expect(try await shop.patch(path, ["title": "Three"], ifMatch: "\"2\"").status == 200)
        }
    }

    @Test func `a keyed request is done once and answered the same, byte for byte`() async throws {
        try await TestShop.run { shop in
            let body: JSON = ["email": "ada@example.com"]
            let first = try await shop.post("/v1/customers", body, headers: ["Idempotency-Key": "k1"])
            let second = try await shop.post("/v1/customers", body, headers: ["Idempotency-Key": "\"k1\";v=1"])
            #expect(first.status == 201 && second.status == 201)
            #expect(first.body == second.body && second.header("ETag") == first.header("ETag"))
            #expect(second.header("Idempotent-Replayed") == "true" && first.header("Idempotent-Replayed") == nil)
            let other = try await shop.post(
                "/v1/customers", ["email": "b@example.com"], headers: ["Idempotency-Key": "k1"])
            #expect(other.status == 422 && other.code == "idempotency_key_reused")
            #expect(try await shop.get("/v1/customers").items.count == 1)
        }
    }

    @Test func `a refusal of the business is replayed, a malformed request is not`() async throws {
        try await TestShop.run { shop in
            let body: JSON = ["email": "ada@example.com"]
            _ = try await shop.post("/v1/customers", body)
            let refused = try await shop.post("/v1/customers", body, headers: ["Idempotency-Key": "k"])
            let again = try await shop.post("/v1/customers", body, headers: ["Idempotency-Key": "k"])
            #expect(refused.status == 409 && again.body == refused.body)
            let wrong = try await shop.post("/v1/customers", ["email": 1], headers: ["Idempotency-Key": "k2"])
            #expect(wrong.status == 422)
            let right = try await shop.post(
                "/v1/customers", ["email": "c@example.com"], headers: ["Idempotency-Key": "k2"])
            #expect(right.status == 201)
        }
    }

    @Test func `a hundred retries at once have one effect and one answer`() async throws {
        try await TestShop.run { shop in
            let bodies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try await shop.post("/v1/customers", ["name": "Ada"], headers: ["Idempotency-Key": "same"])
                    }
                }
                return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1.body) }
            }
            #expect(bodies.count == 1)
            #expect(try await shop.get("/v1/customers").items.count == 1)
        }
    }

    @Test func `keys belong to their client, operation and time`() async throws {
        try await TestShop.run { shop in
            let headers = ["Idempotency-Key": "shared"]
            let key = try await shop.post(
                "/v1/keys", ["name": "two", "scopes": ["write:customers", "read:customers"]])
            let other = try #require(key.json["secret"]?.string)
            #expect(try await shop.post("/v1/customers", [:], headers: headers).status == 201)
            let stranger = try await shop.send(
                .post, "/v1/customers", body: Array("{}".utf8), headers: headers, key: other)
            #expect(stranger.header("Idempotent-Replayed") == nil)
            shop.clock.advance(by: .seconds(8 * 86_400))
            let now = shop.clock.wall.now()
            try await shop.shop.database.write { try IdempotencyStore.purge(now: now, in: $0) }
            #expect(try await shop.post("/v1/customers", [:], headers: headers).header("Idempotent-Replayed") == nil)
        }
    }

    @Test func `gzip is sent to who asks, read from who sends it, and no bomb goes off`() async throws {
        try await TestShop.run { shop in
            let long = String(repeating: "porcelain ", count: 300)
            let product = try await shop.makeProduct("A1", extra: [("description", .string(long))])
            let path = "/v1/products/\(product.id)"
            let plain = try await shop.get(path)
            let packed = try await shop.get(path, headers: ["Accept-Encoding": "br;q=1.0, gzip;q=0.5"])
            #expect(packed.header("Content-Encoding") == "gzip")
            #expect(try Gzip.decompress(packed.body, bytesMax: 1 << 20) == plain.body)
            #expect(packed.header("ETag") != plain.header("ETag"))
            let tag = try #require(packed.header("ETag"))
            #expect(try await shop.get(path, headers: ["If-None-Match": tag]).status == 304)
            #expect(
                try await shop.get(path, headers: ["Accept-Encoding": "gzip;q=0"]).header("Content-Encoding") == nil)
            let body = try #require(Gzip.compress(Array(#"{"name":"Packed"}"#.utf8)))
            let made = try await shop.send(.post, "/v1/customers", body: body, headers: ["Content-Encoding": "gzip"])
            #expect(made.status == 201 && made.json["name"] == "Packed")
            let bomb = try #require(Gzip.compress(Array(repeating: 0x20, count: 50_000_000)))
            #expect(bomb.count < 1 << 20)
            let refused = try await shop.send(.post, "/v1/customers", body: bomb, headers: ["Content-Encoding": "gzip"])
            #expect(refused.status == 413)
            let lie = try await shop.send(
                .post, "/v1/customers", body: Array("{}".utf8), headers: ["Content-Encoding": "gzip"])
            #expect(lie.status == 400)
        }
    }

    @Test func `fields and limits are checked, and cursors stay with their list`() async throws {
        try await TestShop.run { shop in
            for number in 0..<5 { _ = try await shop.makeProduct("S\(number)", title: "Thing \(number)") }
            let page = try await shop.get("/v1/products?limit=2&fields=id,title")
            #expect(page.items.count == 2 && page.items[0].members?.count == 2)
            let next = try #require(page.json["next"]?.string)
            let path = try #require(next.range(of: "/v1/").map { String(next[$0.lowerBound...]) })
            #expect(try await shop.get(path).items.count == 2)
            #expect(try await shop.get(path.replacing("limit=2", with: "limit=3")).items.count == 3)
            #expect(page.header("Link")?.contains("rel=\"next\"") == true)
            let cursor = try #require(path.split(separator: "cursor=").last)
            #expect(try await shop.get("/v1/products?sort=title&cursor=\(cursor)").code == "invalid_cursor")
            #expect(try await shop.get("/v1/customers?cursor=\(cursor)").code == "invalid_cursor")
            #expect(try await shop.get("/v1/products?limit=1000").status == 200)
            for wrong in [
                "limit=-1", "limit=x", "fields=nope", "expand=nope", "in_stock=maybe", "limt=3", "q=%ff", "ids=x",
                "q=a&q=b",
            ] {
                let reply = try await shop.get("/v1/products?\(wrong)")
                #expect(reply.status == 400, "\(wrong): \(reply.text)")
            }
        }
    }

    @Test func `a shop that cannot work says so, and when to come back`() async throws {
        try await TestShop.run { shop in
            _ = try await shop.get("/v1/me")
            let overloaded = Problem(describing: Failure(.overloaded, "full")).response(requestID: "r", baseURL: "")
            #expect(overloaded.status == 503 && overloaded.header("Retry-After") == "1")
            let full = DatabaseError(kind: .full, code: "13", message: "secret path", statement: "SELECT secret")
            let problem = Problem(describing: full).response(requestID: "r", baseURL: "")
            #expect(problem.status == 503)
            #expect(!String(decoding: problem.body, as: UTF8.self).contains("secret"), "our insides stay inside")
        }
        let closed = try await TestShop()
        await closed.close()
        #expect(try await closed.get("/v1/products").status == 503)
    }

    @Test func `HEAD has the headers of GET and no body`() async throws {
        try await TestShop.run { shop in
            let product = try await shop.makeProduct("A1")
            let get = try await shop.get("/v1/products/\(product.id)")
            let head = try await shop.send(.head, "/v1/products/\(product.id)")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(
                head.header("ETag") == get.header("ETag") && head.header("Content-Length") == String(get.body.count))
        }
    }
}
