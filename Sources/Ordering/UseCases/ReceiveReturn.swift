// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Inventory
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Takes goods back: onto the shelf, into the books, and the money back to the customer.
struct ReceiveReturn: Sendable {
    let placing: PlaceOrder
    let changing: ChangeOrder
    let quotes: QuoteLines
    let inventory: InventoryModule
    let outbox: Outbox
    let clock: WallClock

    /// Goods of an order of ours. The money is what the returned units cost.
    func receive(
        order: inout Order, _ wanted: [OrderLineID: Int], restock: Bool, refund: Bool, reason: String?,
        by actor: String, in transaction: Transaction
    ) throws -> Return {
        let now = clock.now()
        let lines = try takeBack(wanted, from: &order)
        guard !lines.isEmpty else { throw OrderingError.nothingToReturn }
        let entry = Return(
            id: .make(at: now), order: order.id, customer: order.customer, externalID: nil, lines: lines,
            total: try Money.sum(lines.map(\.total), in: order.currency), receivedAt: now, createdAt: now)
        try ReturnStore.insert(entry, in: transaction)
        for line in order.lines where wanted[line.id] != nil { try OrderStore.setProgress(of: line, in: transaction) }
        try placing.advance(
            &order, order.isFullyReturned ? .fullyReturned : .partlyReturned, by: actor, in: transaction)
        if restock { try putBack(entry, by: actor, in: transaction) }
        let owed = try min(entry.total.thousandths, order.totals.total.subtracting(order.refunded).thousandths)
        if refund, owed > 0 {
            let amount = Money(thousandths: owed, order.currency)
            _ = try changing.refund(&order, amount, reason: reason ?? "return", by: actor, in: transaction)
        }
        try announce(entry, by: actor, in: transaction)
        return entry
    }

    /// Goods whose sale is not on record here: the credit is booked, and no provider is asked.
    func receive(
        externalID: String?, customer: CustomerID?, currency: Currency, _ requests: [LineRequest],
        receivedAt: Timestamp?, restock: Bool, by actor: String, in transaction: Transaction
    ) throws -> Return {
        guard !requests.isEmpty else { throw OrderingError.nothingToReturn }
        let now = clock.now()
        let quote = try quotes.quote(requests, in: currency, country: nil, asRecorded: true, connection: transaction)
        let entry = Return(
            id: .make(at: now), order: nil, customer: customer, externalID: externalID,
            lines: quote.lines.map { line in
                ReturnLine(
                    orderLine: nil, variant: line.variant, sku: line.sku, quantity: line.quantity,
                    unitPrice: line.unitPrice, total: line.total)
            },
            total: quote.totals.total, receivedAt: receivedAt ?? now, createdAt: now)
        try ReturnStore.insert(entry, in: transaction)
        if restock { try putBack(entry, by: actor, in: transaction) }
        try LedgerStore.book(
            .credit, entry.total.negated, about: entry.id.rawValue, reason: "return", occurredAt: entry.receivedAt,
            bookedAt: now, in: transaction)
        try announce(entry, by: actor, in: transaction)
        return entry
    }

    private func takeBack(_ wanted: [OrderLineID: Int], from order: inout Order) throws -> [ReturnLine] {
        for id in wanted.keys where !order.lines.contains(where: { $0.id == id }) {
            throw OrderingError.lineNotFound(id.rawValue)
        }
        var lines: [ReturnLine] = []
        for place in order.lines.indices {
            let line = order.lines[place]
            guard let quantity = wanted[line.id], quantity > 0 else { continue }
            let left = line.fulfilled - line.returned
            guard quantity <= left else { throw OrderingError.tooManyUnits(line: line.id, available: left) }
            order.lines[place].returned += quantity
            lines.append(
                ReturnLine(
                    orderLine: line.id, variant: line.variant, sku: line.sku, quantity: quantity,
                    unitPrice: line.unitPrice, total: try line.unitPrice.multiplied(by: Int64(quantity))))
        }
        return lines
    }

    private func putBack(_ entry: Return, by actor: String, in transaction: Transaction) throws {
        let requests = entry.lines.map { StockRequest(variant: $0.variant, quantity: $0.quantity) }
        try inventory.stock.takeBack(requests, reference: entry.id.rawValue, by: actor, in: transaction)
    }

    private func announce(_ entry: Return, by actor: String, in transaction: Transaction) throws {
        try outbox.publish(
            "return.received", subject: entry.id.rawValue, actor: actor,
            [
                "order_id": entry.order.map { .string($0.rawValue) } ?? .null, "total": .string(entry.total.decimal),
                "currency": .string(entry.total.currency.code),
            ], in: transaction)
    }
}
