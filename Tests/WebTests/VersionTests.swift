// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import TestSupport
import Testing
import Vitrine

@testable import Web

extension JSON {
    /// An object whose member has another name.
    fileprivate func renaming(_ name: String, to other: String) -> JSON {
        guard let members else { return self }
        return .object(members.map { $0.name == name ? .init(other, $0.value) : $0 })
    }
}

/// Clients of older versions are served as ever, by small steps from neighbour to neighbour.
struct VersionTests {
    /// Three versions of customers: `full_name` became `name`, and then `phone` became `contact.phone`.
    private static let versions = APIVersions([
        APIRelease("2026-01-01"),
        APIRelease(
            "2026-06-01",
            changes: [
                APIChange(
                    ["createCustomer", "getCustomer", "listCustomers"], "full_name is called name.",
                    upgrade: { $0 = $0.renaming("full_name", to: "name") },
                    downgrade: { $0 = $0.renaming("name", to: "full_name") })
            ]),
        APIRelease(
            "2026-11-27",
            changes: [
                APIChange(
                    ["createCustomer", "getCustomer", "listCustomers"], "tel is called phone.",
                    upgrade: { $0 = $0.renaming("tel", to: "phone") },
                    downgrade: { $0 = $0.renaming("phone", to: "tel") })
            ]),
    ])

    private func run(_ test: (TestShop) async throws -> Void) async throws {
        try await TestShop.run(configure: { $0.versions = Self.versions }) { try await test($0) }
    }

    private func create(_ shop: TestShop, _ body: JSON, _ version: String?) async throws -> Reply {
        try await shop.post("/v1/customers", body, headers: version.map { ["Vitrine-Version": $0] } ?? [:])
    }

    @Test func `a refusal tells the version that it was made in, unless that is what was refused`() async throws {
        try await run { shop in
            for (version, told) in [(nil, "2026-01-01"), ("2026-06-01", "2026-06-01"), ("1999-01-01", nil)] {
                let fields = version.map { ["Vitrine-Version": $0] } ?? [:]
                let missing = try await shop.get("/v1/customers/cus_00000000000000000000000000", headers: fields)
                #expect(missing.status == (told == nil ? 406 : 404))
                #expect(missing.header("Vitrine-Version") == told)
                let refused = try await shop.post("/v1/customers", ["nickname": "Ada"], headers: fields)
                #expect(refused.status == (told == nil ? 406 : 422), "\(refused.text)")
                #expect(refused.header("Vitrine-Version") == told)
            }
            let token = try await shop.get("/v1/me/deprecations", headers: ["Authorization": "Bearer vk_none"])
            #expect(token.status == 401 && token.header("Vitrine-Version") == "2026-01-01")
            #expect(try await shop.get("/v1/nowhere").header("Vitrine-Version") == nil)
        }
    }

    @Test func `each version is written and read in its own words`() async throws {
        try await run { shop in
            let oldest = try await create(shop, ["full_name": "Ada", "tel": "0123"], nil)
            #expect(oldest.status == 201 && oldest.json["full_name"] == "Ada" && oldest.json["tel"] == "0123")
            #expect(oldest.header("Vitrine-Version") == "2026-01-01", "who says nothing gets what there was at first")
            let middle = try await create(shop, ["name": "Bea", "tel": "0123"], "2026-06-01")
            #expect(middle.json["name"] == "Bea" && middle.json["tel"] == "0123")
            let latest = try await create(shop, ["name": "Cy", "phone": "0123"], "2026-11-27")
            #expect(latest.json["name"] == "Cy" && latest.json["phone"] == "0123")
            #expect(latest.header("Vary")?.contains("Vitrine-Version") == true)
            // What a version does not have, it refuses.
            #expect(try await create(shop, ["full_name": "Dee"], "2026-06-01").status == 422)
            let list = try await shop.get("/v1/customers")
            #expect(list.items.count == 3 && list.items.allSatisfy { $0["full_name"] != nil && $0["name"] == nil })
        }
    }

    @Test func `the field goes before Accept, and Accept before what the app is pinned to`() async throws {
        try await run { shop in
            let id = try await create(shop, ["full_name": "Ada"], nil).id
            func version(_ headers: [String: String], key: String? = nil) async throws -> String? {
                try await shop.send(.get, "/v1/customers/\(id)", headers: headers, key: key).header("Vitrine-Version")
            }
            let accept = "application/vnd.vitrine+json; version=2026-06-01, */*;q=0.1"
            #expect(try await version(["Accept": accept]) == "2026-06-01")
            #expect(try await version(["Accept": accept, "Vitrine-Version": "2026-11-27"]) == "2026-11-27")
            let app = try await shop.post("/v1/apps", ["name": "a", "own_scopes": ["read:customers"]])
            #expect(app.json["api_version"] == "2026-11-27", "who begins now begins with the latest")
            let form = "grant_type=client_credentials&client_id=\(app.id)&client_secret="
            let granted = try await shop.send(
                .post, "/oauth/token", body: Array((form + (app.json["client_secret"]?.string ?? "")).utf8),
                headers: ["Content-Type": "application/x-www-form-urlencoded"], key: "")
            let token = granted.json["access_token"]?.string ?? ""
            #expect(try await version([:], key: token) == "2026-11-27")
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["api_version": "2026-06-01"]).status == 200)
            #expect(try await version([:], key: token) == "2026-06-01")
            #expect(
                try await version(["Accept": "application/vnd.vitrine+json;version=\"2026-01-01\""], key: token)
                    == "2026-01-01")
            #expect(try await shop.patch("/v1/apps/\(app.id)", ["api_version": "2026-06-02"]).status == 422)
            let me = try await shop.send(.get, "/v1/me/deprecations", key: token)
            #expect(me.json["pinned"] == "2026-06-01" && me.json["versions"]?.array?.count == 3)
        }
    }

    @Test func `a version that there is not is refused with those that there are`() async throws {
        try await run { shop in
            for version in ["2025-01-01", "latest", "2026-1-1"] {
                let reply = try await shop.get("/v1/customers", headers: ["Vitrine-Version": version])
                #expect(reply.status == 406 && reply.json["supported_versions"]?.array?.count == 3, "\(version)")
            }
            let accept = try await shop.get(
                "/v1/customers", headers: ["Accept": "application/vnd.vitrine+json;version=2020-01-01"])
            #expect(accept.status == 406)
            for (header, answered) in [
                ("application/vnd.vitrine+json;version=2020-01-01, application/json;q=0.5", "2026-01-01"),
                ("application/vnd.vitrine+json;version=2026-11-27;q=0, */*", "2026-01-01"),
                ("application/vnd.vitrine+json;Version=2026-06-01", "2026-06-01"),
                (
                    "application/vnd.vitrine+json;version=2026-06-01;q=0.5, application/vnd.vitrine+json;version=2026-11-27",
                    "2026-11-27"
                ),
            ] {
                let reply = try await shop.get("/v1/customers", headers: ["Accept": header])
                #expect(reply.header("Vitrine-Version") == answered, "\(header)")
            }
        }
    }

    @Test func `each version has its own tag, and any of them allows a change`() async throws {
        try await run { shop in
            let id = try await create(shop, ["full_name": "Ada"], nil).id
            let old = try await shop.get("/v1/customers/\(id)")
            let new = try await shop.get("/v1/customers/\(id)", headers: ["Vitrine-Version": "2026-11-27"])
            let (oldTag, newTag) = (try #require(old.header("ETag")), try #require(new.header("ETag")))
            #expect(oldTag != newTag)
            let known = try await shop.get("/v1/customers/\(id)", headers: ["If-None-Match": oldTag])
            let other = try await shop.get("/v1/customers/\(id)", headers: ["If-None-Match": newTag])
            #expect(known.status == 304 && other.status == 200)
            #expect(try await shop.patch("/v1/customers/\(id)", ["country": "GB"], ifMatch: oldTag).status == 200)
            #expect(try await shop.patch("/v1/customers/\(id)", ["country": "DE"], ifMatch: newTag).status == 412)
            let fresh = try await shop.get("/v1/customers/\(id)", headers: ["Vitrine-Version": "2026-11-27"])
            let tag = try #require(fresh.header("ETag"))
            #expect(try await shop.patch("/v1/customers/\(id)", ["country": "DE"], ifMatch: tag).status == 200)
        }
    }

    @Test func `a retry is answered in the version that it asks in`() async throws {
        try await run { shop in
            func once(_ version: String) async throws -> Reply {
                try await shop.post(
                    "/v1/customers", ["full_name": "Ada"],
                    headers: ["Idempotency-Key": "k", "Vitrine-Version": version])
            }
            let first = try await once("2026-01-01")
            let again = try await once("2026-01-01")
            #expect(first.body == again.body && again.header("Idempotent-Replayed") == "true")
            let newer = try await once("2026-11-27")
            #expect(newer.json["name"] == "Ada" && newer.header("Vitrine-Version") == "2026-11-27")
            // Kept since before a version that there is now, it is not taken for one of that.
            let kept = try await shop.shop.database.read { connection in
                try connection.first("SELECT headers FROM idempotency_records") { try $0.next(String.self) }
            }
            #expect(kept?.contains("2026-11-27") == true)
        }
    }

    @Test func `what is called that is on its way out is told to whoever calls it`() async throws {
        let since = Timestamp(milliseconds: 1_790_000_000_000)
        try await TestShop.run { shop in
            let me = try await shop.get("/v1/me/deprecations")
            #expect(me.status == 200 && me.json["deprecations"]?.array?.isEmpty == true)
            let old = Endpoint.get("/v1/old", "getOld", "Old") { (_: Call, _: NoBody) in Answer<NoBody>.ok(NoBody()) }
                .anyKey().deprecated(Deprecation(since: since, guide: "https://shop.example/changelog"))
            let called = try await shop.send(.get, "/v1/old", mounting: old)
            #expect(called.status == 200)
            let calls = shop.shop.calls.deprecated
            let caller = try await shop.get("/v1/me").id
            #expect(try await calls.uses(by: caller)["getOld"]?.count == 1)
            // And is told when it will be gone.
            let sunset = since.advanced(by: .seconds(90 * 86_400))
            let leaving = Endpoint.get("/v1/old", "getOld", "Old") { (_: Call, _: NoBody) in
                Answer<NoBody>.ok(NoBody())
            }
            .anyKey().deprecated(Deprecation(since: since, sunset: sunset, guide: "https://shop.example/changelog"))
            let service = ServiceEndpoints(version: "1", server: "http://localhost", versions: shop.shop.calls.versions)
            let telling = try #require(
                service.endpoints(describing: [leaving]).first { $0.path == "/v1/me/deprecations" })
            // Under another address, because the shop has one there that knows of nothing that goes.
            let beside = Endpoint(
                method: .get, path: "/v1/leaving", operationID: "listLeaving", summary: "Leaving",
                parameters: telling.parameters, body: nil, answer: telling.answer, status: 200,
                respond: telling.respond
            ).anyKey()
            let told = try await shop.send(.get, "/v1/leaving", mounting: beside)
            let entry = try #require(told.json["deprecations"]?.array?.first, "\(told.text)")
            #expect(entry["operation_id"] == "getOld" && entry["calls"] == 1)
            #expect(entry["sunset"]?.string == sunset.rfc3339 && entry["deprecated_since"]?.string == since.rfc3339)
            calls.note("listThings", by: "app_1", at: since)
            calls.note("listThings", by: "app_1", at: since.advanced(by: .seconds(5)))
            calls.note("listThings", by: "app_2", at: since)
            try await calls.flush()
            calls.note("listThings", by: "app_1", at: since.advanced(by: .seconds(9)))
            let use = try #require(try await calls.uses(by: "app_1")["listThings"])
            #expect(use.count == 3 && use.firstAt == since && use.lastAt == since.advanced(by: .seconds(9)))
            #expect(try await calls.uses(by: "app_2").count == 1)
            #expect(try await calls.uses(by: "app_3").isEmpty)
        }
    }
}
