// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import NIOHTTP1

/// Turns one document of the log into calls of the public API. `docs/ONLINE-RETAIL.md` says why each looks as it does.
struct Desk: Sendable {
    let client: ShopClient
    let warehouse: String
    let customers: [String: String]
    let known: KnownDocuments

    /// - Returns: whether anything was placed now.
    func place(_ document: RetailLog.Document) async throws -> Bool {
        switch known.state(of: document) {
        case .done: return false
        case .unshipped(let order):
            try await ship(order, document)
            return true
        case .missing: break
        }
        switch document.kind {
        case .sale: return try await sell(document)
        case .creditNote: return try await takeBack(document)
        case .writeOff: return try await writeOff(document)
        case .badDebt: return try await correct(document)
        }
    }

    private func sell(_ document: RetailLog.Document) async throws -> Bool {
        var order: [JSON.Member] = [
            .init("currency", .string(RetailLog.currency.code)), .init("external_id", .string(document.number)),
            .init("placed_at", .string(document.date.rfc3339)),
            .init("payment", ["external": .string(document.number)]),
            .init("lines", .array(document.lines.map(line))),
        ]
        if let customer = document.customer.flatMap({ customers[$0] }) {
            order.append(.init("customer_id", .string(customer)))
        }
        let reply = try await post("/v1/orders?fields=id,status", .object(order), "order", document)
        guard let reply, let id = reply.json["id"]?.string else { return false }
        try await ship(id, document)
        return true
    }

    /// An invoice of this retailer goes with the goods.
    private func ship(_ order: String, _ document: RetailLog.Document) async throws {
        _ = try await post("/v1/orders/\(order)/fulfilments?fields=id", [:], "fulfilment", document)
    }

    private func takeBack(_ document: RetailLog.Document) async throws -> Bool {
        var credit: [JSON.Member] = [
            .init("currency", .string(RetailLog.currency.code)), .init("external_id", .string(document.number)),
            .init("received_at", .string(document.date.rfc3339)), .init("lines", .array(document.lines.map(line))),
        ]
        if let customer = document.customer.flatMap({ customers[$0] }) {
            credit.append(.init("customer_id", .string(customer)))
        }
        return try await post("/v1/returns?fields=id", .object(credit), "return", document) != nil
    }

    private func writeOff(_ document: RetailLog.Document) async throws -> Bool {
        let lines = document.lines.map { line -> JSON in
            ["sku": .string(line.code), "quantity": .integer(Int64(line.quantity))]
        }
        let reasons = Set(document.lines.map(\.description)).filter { !$0.isEmpty }.sorted()
        let adjustment: JSON = [
            "location_id": .string(warehouse), "reason": "written_off", "external_id": .string(document.number),
            "reference": .string(
                reasons.isEmpty ? document.number : String(reasons.joined(separator: "; ").prefix(200))),
            "lines": .array(lines),
        ]
        return try await post("/v1/inventory/adjustments?fields=lines.sku", adjustment, "write-off", document) != nil
    }

    private func correct(_ document: RetailLog.Document) async throws -> Bool {
        let total = try Money.sum(document.lines.map(\.total), in: RetailLog.currency)
        let adjustment: JSON = [
            "external_id": .string(document.number), "occurred_at": .string(document.date.rfc3339),
            "reason": .string(document.lines.first?.description ?? "bad debt"), "amount": Self.money(total),
        ]
        return try await post("/v1/ledger/adjustments", adjustment, "adjustment", document) != nil
    }

    private func line(_ line: RetailLog.Line) -> JSON {
        [
            "sku": .string(line.code), "quantity": .integer(Int64(line.quantity.magnitude)),
            "unit_price": Self.money(line.unitPrice),
        ]
    }

    private static func money(_ money: Money) -> JSON {
        ["currency": .string(money.currency.code), "decimal": .string(money.decimal)]
    }

    /// - Returns: the answer, or `nil` where the shop had the document already.
    private func post(
        _ path: String, _ body: JSON, _ step: String, _ document: RetailLog.Document
    ) async throws -> ShopClient.Reply? {
        let headers = [("Idempotency-Key", "online-retail:\(step):\(document.number)")]
        let reply = try await client.send(.POST, path, body, headers: headers)
        if reply.status == 409, reply.json["code"]?.string == "external_id_taken" { return nil }
        guard reply.isSuccess else {
            throw Failure(
                .unavailable,
                "The shop refused \(step) \(document.number) with \(reply.status): \(reply.text.prefix(500))")
        }
        return reply
    }
}
