// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import TestSupport
import Testing
import Web

@testable import Portal

/// The pages that say what the API is.
struct DocumentTests {
    private func with(_ test: (TestShop) async throws -> Void) async throws {
        try await TestShop.run(configure: { $0.sandboxURL = "https://sandbox.example" }, test)
    }

    @Test func `every kind of problem has its page, with an example of its status and code`() async throws {
        try await with { shop in
            let list = try await shop.get("/problems").text
            let slugs = Set(list.matches(of: #/\/problems\/([a-z-]+)"/#).map { String($0.output.1) })
            #expect(slugs.count > 35)
            #expect(slugs == Set(ProblemExamples.all.keys), "\(slugs.symmetricDifference(ProblemExamples.all.keys))")
            for slug in slugs {
                let page = try await shop.send(.get, "/problems/" + slug, key: "")
                #expect(page.status == 200 && page.text.contains("application/problem+json"), "\(slug)")
                #expect(
                    page.text.contains("&quot;code&quot;: &quot;\(slug.replacing("-", with: "_"))&quot;"), "\(slug)")
            }
            #expect(try await shop.get("/problems/none").status == 404)
            // What an answer points to is there.
            let problem = try await shop.get("/v1/orders/ord_00000000000000000000000000")
            let type = problem.json["type"]?.string ?? ""
            #expect(try await shop.get(String(type.drop { $0 != "/" }.dropFirst(2).drop { $0 != "/" })).status == 200)
        }
    }

    @Test func `every operation has its page, and scripts run from our own file alone`() async throws {
        try await with { shop in
            let document = try await shop.get("/v1/openapi.json").json
            let operations = Operation.all(in: document)
            let list = try await shop.get("/developers/reference").text
            #expect(operations.count > 100)
            for operation in operations {
                #expect(list.contains("/developers/reference/\(operation.id)\""))
                let page = try await shop.send(.get, "/developers/reference/" + operation.id, key: "")
                #expect(page.status == 200 && page.text.contains(operation.path), "\(operation.id)")
                let policy = page.header("Content-Security-Policy") ?? ""
                #expect(policy.contains("script-src 'self'; connect-src https://sandbox.example;"))
                #expect(page.text.components(separatedBy: "<script").count == 2)
            }
            #expect(try await shop.get("/developers/reference/none").status == 404)
            for path in ["/developers", "/developers/reference", "/problems", "/changelog"] {
                let page = try await shop.send(.get, path, key: "")
                #expect(page.status == 200 && !page.text.contains("<script"), "\(path)")
                #expect(page.header("Content-Security-Policy")?.contains("default-src 'none'") == true)
                #expect(page.header("Set-Cookie") == nil)
            }
        }
    }

    /// What the reference shows as an example is taken: it fails, if at all, for what it names.
    @Test func `examples of bodies keep to what the operations take`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            let document = try await shop.get("/v1/openapi.json").json
            let tree = SchemaTree(document: document)
            var (refused, taken) = ([String](), 0)
            for operation in Operation.all(in: document) {
                guard let body = operation.body,
                    body.contentType.hasPrefix("application/json")
                        || body.contentType.hasPrefix("application/merge-patch")
                else { continue }
                let path = operation.parameters.filter { $0.place == "path" }.reduce(operation.path) {
                    path, parameter in
                    path.replacing("{\(parameter.name)}", with: tree.example(parameter.schema).string ?? "x")
                }
                let method = try #require(HTTPRequest.Method(rawValue: operation.method))
                let example = tree.example(body.schema)
                let reply = try await shop.send(
                    method, path, body: Array(example.text.utf8), headers: ["If-Match": "*"])
                taken += reply.status < 300 ? 1 : 0
                if reply.json["errors"] != nil || reply.code == "malformed_request" {
                    refused.append("\(operation.id): \(reply.json["detail"]?.string ?? "") \(example.text)")
                }
            }
            #expect(refused.isEmpty, "\(refused.joined(separator: "\n"))")
            #expect(taken > 10)
        }
    }

    @Test func `who is signed in finds the app filled in, and nobody else does`() async throws {
        try await with { shop in
            try await shop.addUser("ann@example.com", role: "partner")
            let browser = try await TestBrowser.signedIn(shop, "ann@example.com")
            _ = try await browser.post("/developers/organizations", ["name": "Co"], from: "/developers/apps")
            let organization = try await shop.get("/v1/organizations").items.first?["id"]?.string ?? ""
            for name in ["Till", "Label <b>"] {
                _ = try await browser.post(
                    "/developers/apps", ["organization": organization, "name": name, "scope": "read:products"],
                    from: "/developers/apps/new")
            }
            let apps = try await shop.get("/v1/apps").items
            let first = try #require(apps.first { $0["name"] == "Till" }?["id"]?.string)
            let credentials = try await shop.get("/v1/apps/\(first)/test-credentials").json
            let secret = try #require(credentials["client_secret"]?.string)
            for path in ["/developers", "/developers/reference/listProducts"] {
                let page = try await browser.get(path + "?as=" + first)
                #expect(page.text.contains(secret) && page.text.contains(first), "\(path)")
                #expect(page.text.contains("Label &lt;b&gt;") && page.header("Cache-Control") == "no-store")
                let stranger = try await TestBrowser(shop).get(path + "?as=" + first)
                #expect(!stranger.text.contains("vs_test_") && !stranger.text.contains(first))
            }
        }
    }

    @Test func `where nobody signs up, no page says that one could`() async throws {
        try await TestShop.run(configure: { $0.identity.isSignUpOpen = false }) { shop in
            for path in ["/developers", "/sign-in?then=/developers/apps"] {
                let page = try await TestBrowser(shop).get(path)
                #expect(page.status == 200 && !page.text.contains("/sign-up"), "\(path)")
            }
        }
    }

    @Test func `a sandbox explains its problems, and leaves the rest to its shop`() async throws {
        try await TestShop.run {
            $0.isSandbox = true
            $0.sandboxOf = "https://shop.example"
        } _: { shop in
            let page = try await shop.get("/problems/out-of-stock")
            #expect(page.status == 200 && page.text.contains("href=\"https://shop.example/developers\""))
            #expect(try await shop.get("/developers").status == 404)
            let asked = try await shop.get("/v1/products", headers: ["Origin": "https://shop.example"])
            #expect(asked.header("Access-Control-Allow-Origin") == "https://shop.example")
            let other = try await shop.get("/v1/products", headers: ["Origin": "https://other.example"])
            #expect(other.header("Access-Control-Allow-Origin") == nil)
        }
    }
}
