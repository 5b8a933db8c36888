// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Reads stock.
enum StockStore {
    static func items(ofProduct product: ProductID, in connection: Connection) throws -> [StockItem] {
        try items(where: "i.product = \(product)", in: connection)
    }

    static func items(_ variants: some Collection<VariantID>, in connection: Connection) throws -> [StockItem] {
        try items(where: "i.variant IN \(anyOf: variants)", in: connection)
    }

    /// Lines as clients name them, by identifier or SKU.
    static func lines(_ references: [LineReference], in connection: Connection) throws -> [MoveStock.Line] {
        try references.map { reference in
            switch (reference.variant, reference.sku) {
            case (let variant?, nil): return MoveStock.Line(variant: variant, quantity: reference.quantity)
            case (nil, let sku?):
                guard let variant = try variant(sku: sku, in: connection) else {
                    throw InventoryError.unknownVariant(sku)
                }
                return MoveStock.Line(variant: variant, quantity: reference.quantity)
            case (nil, nil), (_?, _?): throw InventoryError.ambiguousLine
            }
        }
    }

    struct LineReference: Sendable {
        let variant: VariantID?
        let sku: String?
        let quantity: Int
    }

    private static func variant(sku: String, in connection: Connection) throws -> VariantID? {
        // A deleted variant may have left its SKU to a newer one.
        try connection.first("SELECT variant FROM stock_items WHERE sku = \(sku) ORDER BY variant DESC LIMIT 1") {
            try $0.next()
        }
    }

    /// Levels in the order in which orders take from them.
    private static func items(where condition: SQL, in connection: Connection) throws -> [StockItem] {
        var items: [StockItem] = []
        try connection.forEach(
            """
            SELECT i.variant, i.product, i.sku, i.tracks_inventory, l.id, l.code, s.on_hand, s.reserved, s.sold
            FROM stock_items i LEFT JOIN stock s ON s.variant = i.variant LEFT JOIN locations l ON l.id = s.location
            WHERE \(condition) ORDER BY i.variant, l.priority, l.id
            """
        ) { row in
            let variant: VariantID = try row.next()
            if items.last?.variant != variant {
                items.append(
                    try StockItem(
                        variant: variant, product: row.next(), sku: row.next(), tracksInventory: row.next(), levels: [])
                )
            } else {
                _ = (try row.next(String.self), try row.next(String.self), try row.next(Bool.self))
            }
            guard let location = try row.next(LocationID?.self) else { return }
            items[items.count - 1].levels.append(
                try StockLevel(
                    location: location, locationCode: row.next(), onHand: row.next(), reserved: row.next(),
                    sold: row.next()))
        }
        return items
    }

    struct Shelf: Sendable {
        let variant: VariantID
        let product: ProductID
        let sku: String
        let level: StockLevel
    }

    /// What lies at a location, by SKU.
    static func shelves(
        at location: Location, _ request: PageRequest, in connection: Connection
    ) throws -> Page<Shelf> {
        let keyset = Keyset((expression: "s.variant", order: .ascending))
        let rows = try connection.all(
            """
            SELECT s.variant, i.product, i.sku, s.on_hand, s.reserved, s.sold
            FROM stock s JOIN stock_items i ON i.variant = s.variant
            WHERE s.location = \(location.id) \(keyset.clause(request))
            """
        ) { row in
            try Shelf(
                variant: row.next(), product: row.next(), sku: row.next(),
                level: StockLevel(
                    location: location.id, locationCode: location.code, onHand: row.next(), reserved: row.next(),
                    sold: row.next()))
        }
        return Page(rows: rows, for: request) { [.text($0.variant.rawValue)] }
    }

    struct Movement: Sendable {
        let sequence: Int64
        let id: MovementID
        let variant: VariantID
        let location: LocationID
        let quantity: Int
        let reason: MovementReason
        let reference: String?
        let actor: String
        let occurredAt: Timestamp
    }

    /// The ledger, latest first.
    static func movements(
        variant: VariantID?, _ request: PageRequest, in connection: Connection
    ) throws -> Page<Movement> {
        var condition: SQL = "1 = 1"
        if let variant { condition = "variant = \(variant)" }
        let keyset = Keyset((expression: "sequence", order: .descending))
        let rows = try connection.all(
            """
            SELECT sequence, id, variant, location, quantity, reason, reference, actor, occurred_at
            FROM stock_movements WHERE \(condition) \(keyset.clause(request))
            """
        ) { row in
            try Movement(
                sequence: row.next(), id: row.next(), variant: row.next(), location: row.next(), quantity: row.next(),
                reason: row.next(), reference: row.next(), actor: row.next(), occurredAt: row.next())
        }
        return Page(rows: rows, for: request) { [.integer($0.sequence)] }
    }
}

extension MovementReason: SQLConvertible {}
