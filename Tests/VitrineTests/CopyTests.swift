// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

@Suite(.enabled(if: TestPostgres.isInstalled, "Postgres is not installed: apt-get install postgresql"))
struct CopyTests {
    @Test func `a shop moves to Postgres and back, row by row, and goes on there`() async throws {
        let (first, second) = (try TestDirectory(), try TestDirectory())
        defer {
            first.remove()
            second.remove()
        }
        let demo = try await VitrineProcess.run(
            ["demo", "--data", first.path, "--port", "0", "--shoppers", "8", "--seconds", "3"])
        #expect(demo.status == 0, "\(demo.output)")
        let url = try TestPostgres.shared.get().freshDatabase()
        let there = try await VitrineProcess.run(["copy", "--from", "sqlite:\(first.path)", "--to", url])
        #expect(there.status == 0, "\(there.output)")
        let sums = there.output.matches(of: #/(?m)^\w+ +\d+ rows  [0-9a-f]{64}$/#).map { String($0.0) }
        #expect(sums.count > 25, "\(there.output)")
        #expect(try await VitrineProcess.run(["check", "--database", url]).status == 0)

        let again = try await VitrineProcess.run(["copy", "--from", "sqlite:\(first.path)", "--to", url])
        #expect(again.status != 0 && again.output.contains("empty database"), "\(again.output)")

        let back = try await VitrineProcess.run(["copy", "--from", url, "--to", "sqlite:\(second.path)"])
        #expect(back.status == 0, "\(back.output)")
        let sumsBack = back.output.matches(of: #/(?m)^\w+ +\d+ rows  [0-9a-f]{64}$/#).map { String($0.0) }
        #expect(Set(sumsBack) == Set(sums))

        // The moved shop finds, sells and numbers on.
        let key = demo.output.firstMatch(of: #/(vk_[\w-]+)/#).map { String($0.1) } ?? ""
        let (process, address, _) = try await VitrineProcess.serve("", database: url)
        let client = ShopClient(address, key: key)
        let products = try await client.send(.GET, "/v1/products?limit=1&expand=variants&in_stock=true").json
        let product = products["items"]?.array?.first
        let word = product?["title"]?.string?.split(separator: " ").first ?? ""
        let found = try await client.send(.GET, "/v1/products?q=\(word.lowercased())").json["items"]?.array
        #expect(found?.isEmpty == false)
        let variants = product?["variants"]?.array ?? []
        let sku = variants.first { $0["in_stock"] == true }?["sku"] ?? .null
        let order = try await client.send(
            .POST, "/v1/orders",
            ["currency": "GBP", "lines": [["sku": sku, "quantity": 1]], "payment": ["card": "sandbox_approve"]])
        #expect(order.status == 201, "\(order.text)")
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }
}
