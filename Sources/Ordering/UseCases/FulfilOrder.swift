// SPDX-License-Identifier: Apache-2.0

internal import Inventory
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Sends goods off, all that is left or a part: they leave the shelf, and the order moves on.
struct FulfilOrder: Sendable {
    let placing: PlaceOrder
    let inventory: InventoryModule
    let outbox: Outbox
    let clock: WallClock

    /// Sends off the units that `lines` names; `nil` for all that have not been shipped.
    func fulfil(
        _ id: OrderID, lines: [OrderLineID: Int]?, carrier: String?, tracking: String?, by actor: String,
        in transaction: Transaction
    ) throws -> (order: Order, fulfilment: Fulfilment) {
        guard var order = try OrderStore.find(id, in: transaction) else { throw OrderingError.orderNotFound }
        let wanted = lines ?? Dictionary(uniqueKeysWithValues: order.lines.map { ($0.id, $0.quantity - $0.fulfilled) })
        let shipped = try ship(wanted, from: &order)
        guard !shipped.isEmpty else { throw OrderingError.nothingToShip }
        let requests = order.lines.compactMap { line in
            shipped[line.id].map { StockRequest(variant: line.variant, quantity: $0) }
        }
        // The state machine speaks first: an order that is not paid sends nothing off.
        try placing.advance(&order, order.isFullyShipped ? .fullyShipped : .partlyShipped, by: actor, in: transaction)
        try inventory.stock.ship(requests, for: order.stockOwner, by: actor, in: transaction)
        for line in order.lines where shipped[line.id] != nil {
            try OrderStore.setProgress(of: line, in: transaction)
        }
        let fulfilment = Fulfilment(
            id: .make(at: clock.now()), order: id, carrier: carrier, tracking: tracking,
            lines: order.lines.compactMap { line in
                shipped[line.id].map { FulfilmentLine(line: line.id, quantity: $0) }
            }, createdAt: clock.now())
        try OrderStore.insert(fulfilment, in: transaction)
        try outbox.publish(
            "order.fulfilled", subject: id.rawValue, actor: actor,
            ["number": .string(order.number), "complete": .bool(order.isFullyShipped)], in: transaction)
        return (order, fulfilment)
    }

    private func ship(_ wanted: [OrderLineID: Int], from order: inout Order) throws -> [OrderLineID: Int] {
        for id in wanted.keys where !order.lines.contains(where: { $0.id == id }) {
            throw OrderingError.lineNotFound(id.rawValue)
        }
        var shipped: [OrderLineID: Int] = [:]
        for place in order.lines.indices {
            let line = order.lines[place]
            guard let quantity = wanted[line.id], quantity > 0 else { continue }
            let left = line.quantity - line.fulfilled
            guard quantity <= left else { throw OrderingError.tooManyUnits(line: line.id, available: left) }
            order.lines[place].fulfilled += quantity
            shipped[line.id] = quantity
        }
        return shipped
    }
}
