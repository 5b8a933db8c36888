// SPDX-License-Identifier: Apache-2.0

import Kernel

// Things that tests need to have before they can begin, made through the API as a client would.
extension TestShop {
    /// A product with one variant for each SKU, at 10.00 GBP.
    package func makeProduct(
        _ skus: String..., title: String = "Mug", price: Int64 = 1_000, extra: [(String, JSON)] = []
    ) async throws -> Reply {
        var members: [JSON.Member] = [
            .init("title", .string(title)),
            .init("handle", .string((skus.first ?? "x").lowercased())),
            .init(
                "variants",
                .array(
                    skus.map { sku in
                        [
                            "sku": .string(sku), "title": .string(sku),
                            "prices": [["amount": .integer(price), "currency": "GBP"]],
                        ]
                    })),
        ]
        for (name, value) in extra {
            members.removeAll { $0.name == name }
            members.append(.init(name, value))
        }
        return try await post("/v1/products", .object(members))
    }

    package func makeLocation(_ code: String = "main", priority: Int64 = 1) async throws -> String {
        try await post(
            "/v1/inventory/locations",
            ["code": .string(code), "name": .string(code), "country": "GB", "priority": .integer(priority)]
        ).id
    }

    @discardableResult
    package func addStock(_ sku: String, _ quantity: Int64, at location: String) async throws -> Reply {
        try await post(
            "/v1/inventory/adjustments",
            [
                "location_id": .string(location), "reason": "received",
                "lines": [["sku": .string(sku), "quantity": .integer(quantity)]],
            ])
    }

    /// A product of one SKU with so many units.
    @discardableResult
    package func stocked(_ sku: String, _ quantity: Int64) async throws -> (product: Reply, location: String) {
        let product = try await makeProduct(sku)
        let location = try await makeLocation("at-\(sku.lowercased())")
        try await addStock(sku, quantity, at: location)
        return (product, location)
    }

    /// The body of an order for units of SKUs.
    package static func order(
        _ lines: [(sku: String, quantity: Int64)], card: String = "sandbox_approve", capture: String = "automatic",
        extra: [(String, JSON)] = []
    ) -> JSON {
        var members: [JSON.Member] = [
            .init("currency", "GBP"),
            .init("lines", .array(lines.map { ["sku": .string($0.sku), "quantity": .integer($0.quantity)] })),
            .init("payment", ["card": .string(card), "capture": .string(capture)]),
        ]
        for (name, value) in extra {
            members.removeAll { $0.name == name }
            members.append(.init(name, value))
        }
        return .object(members)
    }

    package func placeOrder(_ body: JSON, idempotencyKey: String? = nil) async throws -> Reply {
        try await post("/v1/orders", body, headers: idempotencyKey.map { ["Idempotency-Key": $0] } ?? [:])
    }

    /// The stock of a variant over all locations: on hand, reserved, sold, available.
    package func stock(ofProduct id: String, sku: String) async throws -> (onHand: Int64, reserved: Int64, sold: Int64)
    {
        let reply = try await get("/v1/inventory/products/\(id)")
        let variant = reply.json["variants"]?.array?.first { $0["sku"]?.string == sku }
        let levels = variant?["locations"]?.array ?? []
        func sum(_ name: String) -> Int64 { levels.reduce(0) { $0 + ($1[name]?.integer ?? 0) } }
        return (sum("on_hand"), sum("reserved"), sum("sold"))
    }
}
