// SPDX-License-Identifier: Apache-2.0

internal import Jobs
package import Kernel
package import Persistence

/// Stock as orders use it. Every step runs in the order's own transaction.
package struct KeepStock: Sendable {
    let outbox: Outbox
    let clock: WallClock

    /// Holds units for `owner` until a time, from as many locations as it takes.
    ///
    /// Wishes for the same variant count together, so that two lines of one article cannot both take the last unit.
    /// - Throws: ``InventoryError/outOfStock(_:)`` with every variant there is too little of; nothing is held then.
    package func reserve(
        _ requests: [StockRequest], for owner: String, until: Timestamp, by actor: String, in transaction: Transaction
    ) throws {
        var wanted: [VariantID: Int] = [:]
        for request in requests {
            let (sum, overflow) = wanted[request.variant, default: 0].addingReportingOverflow(request.quantity)
            wanted[request.variant] = overflow ? Int.max : sum
        }
        let ledger = ledger(transaction, by: actor)
        try ledger.lock(wanted.keys)
        let items = try StockStore.items(wanted.keys, in: transaction)
        if let unknown = Set(wanted.keys).subtracting(items.map(\.variant)).min() {
            throw InventoryError.unknownVariant(unknown.rawValue)
        }
        let tracked = items.filter(\.tracksInventory)
        let shortages = tracked.compactMap { item -> Shortage? in
            let available = item.levels.reduce(0) { $0 + $1.available }
            let requested = wanted[item.variant, default: 0]
            guard requested > available else { return nil }
            return Shortage(variant: item.variant, sku: item.sku, requested: requested, available: available)
        }
        guard shortages.isEmpty else { throw InventoryError.outOfStock(shortages) }
        for item in tracked {
            var missing = wanted[item.variant, default: 0]
            guard missing > 0 else { continue }
            for level in item.levels where missing > 0 && level.available > 0 {
                let taken = min(missing, level.available)
                try ledger.hold(taken, of: item.variant, at: level.location, for: owner, until: until)
                missing -= taken
            }
            let left = item.levels.reduce(0) { $0 + $1.available } - wanted[item.variant, default: 0]
            if left == 0 { try ledger.announce(item.variant, isInStock: false) }
        }
    }

    /// What was held for `owner` is sold: it no longer expires.
    package func commit(for owner: String, by actor: String, in transaction: Transaction) throws {
        try ledger(transaction, by: actor).sellHeld(for: owner)
    }

    /// Gives back what is held for or sold to `owner` and has not been shipped.
    package func release(for owner: String, by actor: String, in transaction: Transaction) throws {
        let ledger = ledger(transaction, by: actor)
        let reservations = try ledger.reservations(of: owner)
        try ledger.lock(Set(reservations.map(\.variant)))
        try ledger.tellingAvailability(of: Set(reservations.map(\.variant))) {
            for reservation in reservations { try ledger.reduce(reservation, by: reservation.quantity) }
        }
    }

    /// Sends off units that were sold to `owner`: they leave the shelf.
    package func ship(
        _ requests: [StockRequest], for owner: String, by actor: String, in transaction: Transaction
    ) throws {
        let ledger = ledger(transaction, by: actor)
        var reservations = try ledger.reservations(of: owner)
        for request in requests {
            var missing = request.quantity
            while missing > 0, let place = reservations.firstIndex(where: { $0.variant == request.variant }) {
                let reservation = reservations[place]
                let taken = min(missing, reservation.quantity)
                try ledger.reduce(reservation, by: taken)
                try ledger.move(-taken, of: reservation.variant, at: reservation.location, .shipped, reference: owner)
                missing -= taken
                reservations[place].quantity -= taken
                if reservations[place].quantity == 0 { reservations.remove(at: place) }
            }
            // What is left is of variants whose stock is not kept.
        }
    }

    /// Puts returned units back on the shelf of the first location.
    package func takeBack(
        _ requests: [StockRequest], reference: String, by actor: String, in transaction: Transaction
    ) throws {
        let items = try StockStore.items(Set(requests.map(\.variant)), in: transaction)
        let tracked = Set(items.filter(\.tracksInventory).map(\.variant))
        guard !tracked.isEmpty else { return }
        guard let location = try LocationStore.primary(in: transaction) else { throw InventoryError.noLocation }
        let ledger = ledger(transaction, by: actor)
        try ledger.lock(tracked)
        try ledger.tellingAvailability(of: tracked) {
            for request in requests where tracked.contains(request.variant) {
                try ledger.move(request.quantity, of: request.variant, at: location.id, .returned, reference: reference)
            }
        }
    }

    private func ledger(_ transaction: Transaction, by actor: String) -> StockLedger {
        StockLedger(transaction: transaction, outbox: outbox, actor: actor, now: clock.now())
    }
}
