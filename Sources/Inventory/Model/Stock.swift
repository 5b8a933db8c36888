// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A place where stock lies.
package struct Location: Sendable {
    package let id: LocationID
    /// Unique, for people: `london`.
    package var code: String
    package var name: String
    package var country: String
    /// Orders take from the lowest first.
    package var priority: Int
    package internal(set) var version: Int64

    package init(id: LocationID, code: String, name: String, country: String, priority: Int) {
        self.id = id
        self.code = code
        self.name = name
        self.country = country
        self.priority = priority
        version = 1
    }
}

/// How much of a variant is at one place, and what of it is spoken for.
package struct StockLevel: Sendable {
    package let location: LocationID
    package let locationCode: String
    package let onHand: Int
    package let reserved: Int
    package let sold: Int

    package var available: Int { onHand - reserved - sold }
}

/// A variant whose stock is kept, with its levels.
package struct StockItem: Sendable {
    package let variant: VariantID
    package let product: ProductID
    package let sku: String
    /// `false` for services and postage, which never run out.
    package let tracksInventory: Bool
    package var levels: [StockLevel]
}

/// A wish for units of a variant.
package struct StockRequest: Hashable, Sendable {
    package let variant: VariantID
    /// 1 or more.
    package let quantity: Int

    package init(variant: VariantID, quantity: Int) {
        self.variant = variant
        self.quantity = quantity
    }
}

/// What there is too little of.
package struct Shortage: Hashable, Sendable {
    package let variant: VariantID
    package let sku: String
    package let requested: Int
    package let available: Int
}

/// Why stock came or went.
package enum MovementReason: String, CaseIterable, Sendable {
    case received
    case adjusted
    case counted
    case writtenOff = "written_off"
    case transferredOut = "transferred_out"
    case transferredIn = "transferred_in"
    case shipped
    case returned
}

package enum InventoryError: Error, Equatable {
    case outOfStock([Shortage])
    case unknownVariant(String)
    case unknownLocation(LocationID)
    /// The location that the address names.
    case locationNotFound
    /// A line that names a variant twice over, or not at all.
    case ambiguousLine
    case locationCodeTaken(String)
    case sameLocation
    case externalIDTaken(String)
    case countedTwice(VariantID)
    /// More is spoken for than would be left.
    case belowCommitted(sku: String, committed: Int)
    case noLocation
    case tooLarge(sku: String)
}

package enum MovementKind: EntityKind { package static let prefix = "mov" }
package typealias MovementID = Identifier<MovementKind>
package enum LocationKind: EntityKind { package static let prefix = "loc" }
package typealias LocationID = Identifier<LocationKind>
