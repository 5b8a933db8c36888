// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine
@testable import Web

struct OpenAPITests {
    @Test func `the document is the one that was agreed on`() async throws {
        let document = try await OpenAPICommand.document()
        let golden = try #require(Bundle.module.url(forResource: "Golden/openapi", withExtension: "json"))
        let agreed = try String(contentsOf: golden, encoding: .utf8)
        #expect(document == agreed, "The API has changed. If that is meant, run make golden and review the difference.")
    }

    @Test func `a running shop serves the same operations`() async throws {
        try await TestShop.run { shop in
            let served = try await shop.send(.get, "/v1/openapi.json", headers: ["Authorization": ""]).json
            let agreed = try JSON.parse(try await OpenAPICommand.document().utf8, depthMax: 64)
            #expect(served["paths"] == agreed["paths"])
            let operations = (served["paths"]?.members ?? []).flatMap { $0.value.members ?? [] }
            let names = operations.compactMap { $0.value["operationId"]?.string }
            #expect(Set(names).count == names.count && names.count > 70)
        }
    }
}
