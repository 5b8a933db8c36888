// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Identity
import Inventory
import Kernel
import Persistence
import TestSupport
import Testing

@testable import Vitrine
@testable import Web

/// Bodies that nobody means well with, at every endpoint that takes one.
struct HostileTests {
    private static let bodies: [[UInt8]] = [
        [], [0xFF, 0xFE], Array("{".utf8), Array("null".utf8), Array("[]".utf8), Array("\"\"".utf8),
        Array("1e999".utf8),
        Array(#"{"":""}"#.utf8), Array(#"{"title":null,"lines":null,"payment":null}"#.utf8),
        Array(String(repeating: "[", count: 100_000).utf8), Array(String(repeating: #"{"a":"#, count: 50_000).utf8),
        Array(#"{"quantity":-1,"amount":-9223372036854775808,"lines":[{"quantity":99999999999999999999}]}"#.utf8),
        Array(
            #"{"lines":[{"sku":"A1","quantity":1000000,"unit_price":{"decimal":"9999999999.99","currency":"GBP"}}],"currency":"GBP","payment":{"card":"x"}}"#
                .utf8),
        Array(#"{"title":"\ud800"}"#.utf8), Array(#"{"title":"a","title":"b"}"#.utf8), [0x22, 0xC0, 0xAF, 0x22],
        Array((#"{"title":""# + String(repeating: "x", count: 500_000) + #""}"#).utf8),
    ]

    @Test func `nothing that a body can hold breaks an endpoint or changes the shop`() async throws {
        try await TestShop.run { shop in
            try await shop.stocked("A1", 5)
            let before = try await Self.fingerprint(shop.shop.database)
            let endpoints = shop.shop.sliceEndpoints.filter { $0.body != nil }
            #expect(endpoints.count > 20)
            for endpoint in endpoints {
                for body in Self.bodies {
                    let reply = try await shop.send(
                        try #require(HTTPRequest.Method(endpoint.method.rawValue)), Self.path(endpoint), body: body,
                        headers: ["Content-Type": endpoint.contentTypes[0], "If-Match": "*"])
                    let summary =
                        "\(endpoint.operationID) answered \(reply.status) to \(String(decoding: body.prefix(60), as: UTF8.self))"
                    #expect(
                        (400..<500).contains(reply.status)
                            || (reply.status == 207 && endpoint.operationID == "importProducts"),
                        "\(summary): \(reply.text.prefix(300))")
                    if reply.status >= 400 {
                        #expect(reply.header("Content-Type") == "application/problem+json", "\(summary)")
                    }
                }
            }
            #expect(try await Self.fingerprint(shop.shop.database) == before)
        }
    }

    @Test func `nothing that an address can hold breaks an endpoint`() async throws {
        try await TestShop.run { shop in
            let values = [
                "", "%00", "%ff", "..%2f..", "%F0%9F%98%80", "'%3B--", String(repeating: "a", count: 3_000), "-1",
                "prod_",
            ]
            for endpoint in shop.shop.sliceEndpoints where endpoint.method == .get {
                for value in values {
                    let path = endpoint.path.replacing(#/\{[a-z_]+\}/#, with: value.isEmpty ? "x" : value)
                    for query in [
                        "", "?cursor=\(value)&limit=\(value)", "?sort=\(value)", "?fields=\(value)", "?q=\(value)",
                    ] {
                        let reply = try await shop.get(path + query)
                        #expect(reply.status < 500, "\(path)\(query): \(reply.text.prefix(200))")
                    }
                }
            }
        }
    }

    private static func path(_ endpoint: Endpoint) -> String {
        var path = endpoint.path
        let now = Timestamp(milliseconds: 0)
        let id: String
        switch endpoint.path.split(separator: "/").dropFirst().first {
        case "products": id = ProductID.make(at: now).rawValue
        case "variants": id = VariantID.make(at: now).rawValue
        case "categories": id = CategoryID.make(at: now).rawValue
        case "inventory": id = LocationID.make(at: now).rawValue
        case "customers": id = CustomerID.make(at: now).rawValue
        case "carts": id = CartID.make(at: now).rawValue
        case "keys": id = APIKeyID.make(at: now).rawValue
        default: id = OrderID.make(at: now).rawValue
        }
        path = path.replacing("{id}", with: id).replacing("{language}", with: "de").replacing("{currency}", with: "GBP")
        path = path.replacing("{line_id}", with: OrderLineID.make(at: now).rawValue)
        return path.replacing("{address_id}", with: AddressID.make(at: now).rawValue)
    }

    /// How many rows each table has, which is enough to see a change that should not have been.
    private static func fingerprint(_ database: Database) async throws -> [String: Int] {
        try await database.read { connection in
            let names: SQL =
                switch connection.dialect {
                case .sqlite: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%'"
                case .postgres: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                }
            let tables = try connection.all(names) { try $0.next(String.self) }
            var counts: [String: Int] = [:]
            for table in tables {
                counts[table] = try connection.first(SQL(stringLiteral: "SELECT COUNT(*) FROM \"\(table)\"")) {
                    try $0.next(Int.self)
                }
            }
            return counts
        }
    }
}
