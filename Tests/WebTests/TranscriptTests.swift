// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Kernel
import TestSupport
import Testing
import Vitrine

@testable import Web

/// What each released version answers, word for word, replayed against the shop as it is now. `VITRINE_RECORD=1` writes the
/// transcript of the latest version, before it is released; later than that it is never written again.
struct TranscriptTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden/transcripts")

    /// Requests through the whole of the API. `{name}` is the id that an earlier step of that name was answered.
    private static let script: [(name: String, method: String, path: String, body: JSON?)] = [
        ("category", "POST", "/v1/categories", ["title": "Cups"]),
        (
            "product", "POST", "/v1/products",
            [
                "title": "Mug", "description": "Holds tea.", "categories": ["{category}"],
                "attributes": ["colour": "blue"],
                "variants": [["sku": "MUG-1", "prices": [["amount": 1_200, "currency": "GBP"]]]],
            ]
        ),
        ("", "PUT", "/v1/products/{product}/translations/de", ["title": "Becher"]),
        ("", "GET", "/v1/products/{product}", nil),
        ("", "GET", "/v1/products?q=mug&fields=id,title", nil),
        ("", "GET", "/v1/products/{none}", nil),
        ("location", "POST", "/v1/inventory/locations", ["code": "main", "name": "Main", "country": "GB"]),
        ("", "GET", "/v1/inventory/locations", nil),
        (
            "", "POST", "/v1/inventory/counts",
            ["location_id": "{location}", "lines": [["variant_id": "{variant}", "quantity": 9]]]
        ),
        ("", "GET", "/v1/inventory/products/{product}", nil),
        ("customer", "POST", "/v1/customers", ["email": "ada@example.com", "name": "Ada"]),
        (
            "address", "POST", "/v1/customers/{customer}/addresses",
            ["address": ["name": "Ada", "street": "1 Road", "city": "Town", "country": "GB"], "default": true]
        ),
        ("", "GET", "/v1/customers/{customer}", nil),
        ("", "GET", "/v1/customers/{customer}/addresses", nil),
        ("cart", "POST", "/v1/carts", ["currency": "GBP", "lines": [["sku": "MUG-1", "quantity": 2]]]),
        ("", "PATCH", "/v1/carts/{cart}", ["country": "GB"]),
        ("order", "POST", "/v1/orders", ["cart_id": "{cart}", "payment": ["card": "sandbox_approve"]]),
        ("", "GET", "/v1/orders/{order}?expand=payments", nil),
        ("", "GET", "/v1/orders", nil),
        ("", "POST", "/v1/orders/{order}/refunds", ["amount": ["amount": 100, "currency": "GBP"]]),
        (
            "", "POST", "/v1/orders",
            ["lines": [["sku": "MUG-1", "quantity": 99]], "currency": "GBP", "payment": ["card": "x"]]
        ),
        ("", "GET", "/v1/ledger?currency=GBP", nil),
        (
            "app", "POST", "/v1/apps",
            ["name": "Printer", "type": "public", "redirect_uris": ["https://app.example/back"]]
        ),
        ("", "GET", "/v1/apps/{app}", nil),
        ("", "GET", "/v1/roles", nil),
        ("", "GET", "/v1/limits", nil),
        ("", "GET", "/v1/me/deprecations", nil),
        ("", "DELETE", "/v1/carts/{cart}", nil),
    ]

    /// Runs the script as a client of `version`, and gives what was answered, with names in place of what is drawn.
    private func run(_ version: String) async throws -> JSON {
        var steps: [JSON] = []
        try await TestShop.run { shop in
            var ids = ["none": "prd_00000000000000000000000000"]
            for step in Self.script {
                let path = Self.filled(step.path, ids)
                let body = step.body.map { Array(Self.filled($0.text, ids).utf8) }
                let method = try #require(HTTPRequest.Method(rawValue: step.method))
                let reply = try await shop.send(
                    method, path, body: body, headers: ["If-Match": "*", "Vitrine-Version": version])
                if !step.name.isEmpty { ids[step.name] = reply.id }
                if let variant = reply.json.at("variants", "0", "id")?.string { ids["variant"] = variant }
                steps.append([
                    "request": .string("\(step.method) \(step.path)"), "body": step.body ?? .null,
                    "status": .integer(Int64(reply.status)), "answer": Self.named(reply.json),
                ])
            }
        }
        return .array(steps)
    }

    private static func filled(_ text: String, _ ids: [String: String]) -> String {
        ids.reduce(text) { $0.replacing("{\($1.key)}", with: $1.value) }
    }

    /// Ids, numbers and secrets are drawn; what kind of thing they name is not.
    private static func named(_ json: JSON) -> JSON {
        let text = json.text
            .replacing(#/"([a-z]+)_[0-9a-hjkmnp-tv-z]{26}"/#) { "\"\($0.output.1)_\"" }
            .replacing(#/\b([a-z]+)_[0-9a-hjkmnp-tv-z]{26}\b/#) { "\($0.output.1)_" }
            .replacing(#/"number":"[^"]*"/#, with: "\"number\":\"\"")
        return (try? JSON.parse(Array(text.utf8))) ?? .null
    }

    /// Whether an answer is what it was, with what was added since.
    private static func holds(_ now: JSON, _ was: JSON) -> Bool {
        switch (was, now) {
        case (.object(let members), .object):
            members.allSatisfy { member in now[member.name].map { holds($0, member.value) } ?? false }
        case (.array(let before), .array(let after)):
            before.count == after.count && zip(after, before).allSatisfy { holds($0, $1) }
        default: was == now
        }
    }

    @Test func `what was left out of an answer, or is another, is found`() {
        let was: JSON = ["a": 1, "list": [["b": "x"]]]
        #expect(Self.holds(["a": 1, "list": [["b": "x", "c": 2]], "d": .null], was))
        for broken: JSON in [
            ["list": [["b": "x"]]], ["a": 2, "list": [["b": "x"]]], ["a": 1, "list": []],
            ["a": 1, "list": [["b": "y"]]],
        ] {
            #expect(!Self.holds(broken, was))
        }
    }

    @Test func `every released version is answered as on its first day`() async throws {
        let latest = try Configuration(environment: [:]).versions.latest.description
        if ProcessInfo.processInfo.environment["VITRINE_RECORD"] == "1" {
            try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
            try Data((try await run(latest).prettyText + "\n").utf8)
                .write(to: Self.folder.appending(path: latest + ".json"))
        }
        let files = try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
        let released = files.map { $0.deletingPathExtension().lastPathComponent }.sorted()
        #expect(try released == Configuration(environment: [:]).versions.releases.map(\.version.description))
        for version in released {
            let kept = try JSON.parse(Array(Data(contentsOf: Self.folder.appending(path: version + ".json"))))
            let now = try await run(version)
            for (was, isNow) in zip(kept.array ?? [], now.array ?? []) {
                #expect(Self.holds(isNow, was), "\(version): \(was["request"]?.string ?? "")")
            }
            #expect(kept.array?.count == now.array?.count)
        }
    }
}
