// SPDX-License-Identifier: Apache-2.0

internal import Jobs
package import Kernel
package import Persistence

/// Stock as people move it: deliveries, losses, counts, transfers.
package struct MoveStock: Sendable {
    let outbox: Outbox
    let clock: WallClock

    /// One line of a change: so many units more or, negative, fewer.
    package struct Line: Sendable {
        package let variant: VariantID
        package let quantity: Int

        package init(variant: VariantID, quantity: Int) {
            self.variant = variant
            self.quantity = quantity
        }
    }

    /// No shelf holds more; far below where sums could overflow.
    static let onHandMax = 1_000_000_000

    /// Adds or takes away units at a location.
    ///
    /// - Throws: ``InventoryError/belowCommitted(sku:committed:)`` when what is held or sold would no longer be covered.
    package func adjust(
        at location: LocationID, _ lines: [Line], _ reason: MovementReason, reference: String?,
        externalID: String? = nil,
        by actor: String, in transaction: Transaction
    ) throws {
        try require(location, in: transaction)
        let ledger = StockLedger(transaction: transaction, outbox: outbox, actor: actor, now: clock.now())
        try ledger.lock(Set(lines.map(\.variant)))
        if let externalID, try !ledger.claim(externalID: externalID) {
            throw InventoryError.externalIDTaken(externalID)
        }
        try ledger.tellingAvailability(of: Set(lines.map(\.variant))) {
            for line in lines {
                try check(line, at: location, in: transaction)
                try ledger.move(line.quantity, of: line.variant, at: location, reason, reference: reference)
            }
        }
        try outbox.publish(
            "stock.adjusted", subject: location.rawValue, actor: actor,
            [
                "reason": .string(reason.rawValue), "reference": reference.map { .string($0) } ?? .null,
                "lines": .array(
                    lines.map {
                        ["variant_id": .string($0.variant.rawValue), "quantity": .integer(Int64($0.quantity))]
                    }),
            ], in: transaction)
    }

    /// Sets what is on hand to what was counted, by a movement of the difference.
    package func count(
        at location: LocationID, _ lines: [Line], reference: String?, by actor: String, in transaction: Transaction
    ) throws {
        let ledger = StockLedger(transaction: transaction, outbox: outbox, actor: actor, now: clock.now())
        try ledger.lock(Set(lines.map(\.variant)))
        let items = try StockStore.items(Set(lines.map(\.variant)), in: transaction)
        if let twice = Dictionary(grouping: lines, by: \.variant).first(where: { $0.value.count > 1 }) {
            throw InventoryError.countedTwice(twice.key)
        }
        let differences = lines.map { line in
            let level = items.first { $0.variant == line.variant }?.levels.first { $0.location == location }
            return Line(variant: line.variant, quantity: line.quantity - (level?.onHand ?? 0))
        }
        try adjust(at: location, differences, .counted, reference: reference, by: actor, in: transaction)
    }

    /// Moves available units from one location to another.
    package func transfer(
        from source: LocationID, to target: LocationID, _ lines: [Line], reference: String?, by actor: String,
        in transaction: Transaction
    ) throws {
        guard source != target else { throw InventoryError.sameLocation }
        let leaving = lines.map { Line(variant: $0.variant, quantity: -$0.quantity) }
        try adjust(at: source, leaving, .transferredOut, reference: reference, by: actor, in: transaction)
        try adjust(at: target, lines, .transferredIn, reference: reference, by: actor, in: transaction)
    }

    private func require(_ location: LocationID, in transaction: Transaction) throws {
        guard try LocationStore.find(location, in: transaction) != nil else {
            throw InventoryError.unknownLocation(location)
        }
    }

    private func check(_ line: Line, at location: LocationID, in transaction: Transaction) throws {
        guard let item = try StockStore.items([line.variant], in: transaction).first else {
            throw InventoryError.unknownVariant(line.variant.rawValue)
        }
        let level = item.levels.first { $0.location == location }
        let after = (level?.onHand ?? 0) + line.quantity
        guard after <= Self.onHandMax else { throw InventoryError.tooLarge(sku: item.sku) }
        let committed = (level?.reserved ?? 0) + (level?.sold ?? 0)
        guard after >= committed else { throw InventoryError.belowCommitted(sku: item.sku, committed: committed) }
    }
}
