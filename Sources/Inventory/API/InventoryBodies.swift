// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

struct ProductStockPath: WireBody {
    let id: ProductID
    static let schema = Schema.object("ProductStockPath", ProductStockPath.init, .required("id", \.id, .id()))
}

struct LocationPath: WireBody {
    let id: LocationID
    static let schema = Schema.object("LocationPath", LocationPath.init, .required("id", \.id, .id()))
}

struct MovementQuery: WireBody {
    let variant: VariantID?
    static let schema = Schema.object(
        "MovementQuery", MovementQuery.init, .optional("variant_id", \.variant, .id(), "Only of this variant."))
}

// MARK: Out

struct LevelBody: WireBody {
    let location: LocationID
    let locationCode: String
    let onHand: Int
    let reserved: Int
    let sold: Int
    let available: Int

    static let schema = Schema.object(
        "StockLevel", LevelBody.init,
        .required("location_id", \.location, .id()), .required("location_code", \.locationCode, .string()),
        .required("on_hand", \.onHand, .count, "What lies there."),
        .required("reserved", \.reserved, .count, "Held for orders that are not paid."),
        .required("sold", \.sold, .count, "Paid for and not shipped."),
        .required("available", \.available, .count))
}

extension LevelBody {
    init(_ level: StockLevel) {
        self.init(
            location: level.location, locationCode: level.locationCode, onHand: level.onHand, reserved: level.reserved,
            sold: level.sold, available: level.available)
    }
}

struct VariantStockBody: WireBody {
    let variant: VariantID
    let sku: String
    let tracksInventory: Bool
    let available: Int
    let levels: [LevelBody]

    static let schema = Schema.object(
        "VariantStock", VariantStockBody.init,
        .required("variant_id", \.variant, .id()), .required("sku", \.sku, .string()),
        .required("tracks_inventory", \.tracksInventory, .boolean),
        .required("available", \.available, .count, "At all locations together."),
        .required("locations", \.levels, .array(of: LevelBody.schema)))
}

struct ProductStockBody: WireBody {
    let product: ProductID
    let variants: [VariantStockBody]

    static let schema = Schema.object(
        "ProductStock", ProductStockBody.init,
        .required("product_id", \.product, .id()),
        .required("variants", \.variants, .array(of: VariantStockBody.schema)))
}

extension ProductStockBody {
    init(_ product: ProductID, _ items: [StockItem]) {
        self.init(product: product, variants: items.map { VariantStockBody($0) })
    }
}

extension VariantStockBody {
    init(_ item: StockItem) {
        self.init(
            variant: item.variant, sku: item.sku, tracksInventory: item.tracksInventory,
            available: item.levels.reduce(0) { $0 + $1.available }, levels: item.levels.map { LevelBody($0) })
    }
}

struct ShelfBody: WireBody {
    let variant: VariantID
    let product: ProductID
    let sku: String
    let onHand: Int
    let reserved: Int
    let sold: Int
    let available: Int

    static let schema = Schema.object(
        "Shelf", ShelfBody.init,
        .required("variant_id", \.variant, .id()), .required("product_id", \.product, .id()),
        .required("sku", \.sku, .string()), .required("on_hand", \.onHand, .count),
        .required("reserved", \.reserved, .count), .required("sold", \.sold, .count),
        .required("available", \.available, .count))
}

struct LocationBody: WireBody {
    let id: LocationID
    let code: String
    let name: String
    let country: String
    let priority: Int

    static let schema = Schema.object(
        "Location", LocationBody.init,
        .required("id", \.id, .id()), .required("code", \.code, .string()), .required("name", \.name, .string()),
        .required("country", \.country, .country), .required("priority", \.priority, .count))
}

extension LocationBody {
    init(_ location: Location) {
        self.init(
            id: location.id, code: location.code, name: location.name, country: location.country,
            priority: location.priority)
    }
}

struct MovementBody: WireBody {
    let id: MovementID
    let variant: VariantID
    let location: LocationID
    let quantity: Int
    let reason: MovementReason
    let reference: String?
    let actor: String
    let occurredAt: Timestamp

    static let schema = Schema.object(
        "StockMovement", MovementBody.init,
        .required("id", \.id, .id()), .required("variant_id", \.variant, .id()),
        .required("location_id", \.location, .id()),
        .required("quantity", \.quantity, .integer(-1_000_000_000...1_000_000_000)),
        .required("reason", \.reason, .word), .optional("reference", \.reference, .string()),
        .required("actor", \.actor, .string()), .required("occurred_at", \.occurredAt, .timestamp))
}

// MARK: In

struct LocationInput: WireBody {
    let code: String
    let name: String
    let country: String
    let priority: Int

    static let schema = Schema.object(
        "LocationInput", LocationInput.init,
        .required("code", \.code, .handle), .required("name", \.name, .string(1...200)),
        .required("country", \.country, .country),
        .standard("priority", \.priority, .integer(0...1_000), 100, "Orders take from the lowest first."))
}

struct LocationPatch: WireBody {
    let code: Patch<String>
    let name: Patch<String>
    let country: Patch<String>
    let priority: Patch<Int>

    static let schema = Schema.object(
        "LocationPatch", LocationPatch.init,
        .patch("code", \.code, .handle), .patch("name", \.name, .string(1...200)),
        .patch("country", \.country, .country), .patch("priority", \.priority, .integer(0...1_000)))
}

/// A variant by identifier or SKU, with a number of units.
struct StockLineInput: WireBody {
    let variant: VariantID?
    let sku: String?
    let quantity: Int

    var reference: StockStore.LineReference {
        StockStore.LineReference(variant: variant, sku: sku, quantity: quantity)
    }

    static let schema = make("StockLine", -1_000_000_000...1_000_000_000, "More, or negative fewer.")
    static let positive = make("StockCountLine", 0...1_000_000_000, "0 or more.")

    private static func make(_ name: String, _ range: ClosedRange<Int>, _ about: String) -> Schema<StockLineInput> {
        Schema.object(
            name, StockLineInput.init,
            .optional("variant_id", \.variant, .id()),
            .optional("sku", \.sku, .string(1...100), "Instead of `variant_id`."),
            .required("quantity", \.quantity, .integer(range), about)
        ).oneWay(of: ["variant_id"], ["sku"])
    }
}

/// Reasons that a person may give; the others are the shop's own.
enum AdjustmentReason: String, CaseIterable, Sendable {
    case received
    case adjusted
    case writtenOff = "written_off"

    var movement: MovementReason {
        switch self {
        case .received: .received
        case .adjusted: .adjusted
        case .writtenOff: .writtenOff
        }
    }
}

struct AdjustmentInput: WireBody {
    let location: LocationID
    let reason: AdjustmentReason
    let reference: String?
    let externalID: String?
    let lines: [StockLineInput]

    static let schema = Schema.object(
        "StockAdjustment", AdjustmentInput.init,
        .required("location_id", \.location, .id()), .standard("reason", \.reason, .word, .adjusted),
        .optional("reference", \.reference, .string(1...200), "What it is about, for people."),
        .optional("external_id", \.externalID, .string(1...200), "Your own number for it; taken only once."),
        .required("lines", \.lines, .array(of: StockLineInput.schema, countMax: 2_000)))
}

struct CountInput: WireBody {
    let location: LocationID
    let reference: String?
    let lines: [StockLineInput]

    static let schema = Schema.object(
        "StockCount", CountInput.init,
        .required("location_id", \.location, .id()), .optional("reference", \.reference, .string(1...200)),
        .required("lines", \.lines, .array(of: StockLineInput.positive, countMax: 2_000)))
}

struct TransferInput: WireBody {
    let source: LocationID
    let target: LocationID
    let reference: String?
    let lines: [StockLineInput]

    static let schema = Schema.object(
        "StockTransfer", TransferInput.init,
        .required("from_location_id", \.source, .id()), .required("to_location_id", \.target, .id()),
        .optional("reference", \.reference, .string(1...200)),
        .required("lines", \.lines, .array(of: StockLineInput.positive, countMax: 2_000)))
}

/// The levels after a change of stock.
struct StockChangeBody: WireBody {
    let lines: [VariantStockBody]
    static let schema = Schema.object(
        "StockChange", StockChangeBody.init,
        .required("lines", \.lines, .array(of: VariantStockBody.schema), "The variants that changed, as they are now."))
}
