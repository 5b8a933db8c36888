// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

extension ProblemType {
    package static let outOfStock = ProblemType(
        "out-of-stock", 409, "There is not enough in stock",
        "`lines` says for each line what was asked for and what is available now. Lower the quantities, or try later.")
    static let stockCommitted = ProblemType(
        "stock-committed", 409, "The stock is spoken for",
        "Orders hold or have bought units that the change would take away. Cancel or ship those orders first.")
    static let unknownStockReference = ProblemType(
        "unknown-stock-reference", 422, "A variant or location is unknown",
        "The body names a variant or a location that does not exist. `detail` says which.")
}

extension InventoryError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .outOfStock(let shortages):
            Problem(.outOfStock, Self.describe(shortages)).with("lines", .array(shortages.map(Self.json)))
        case .unknownVariant(let reference):
            Problem(.unknownStockReference, "There is no variant \(reference.prefix(100)).")
        case .unknownLocation(let id): Problem(.unknownStockReference, "There is no location \(id).")
        case .locationNotFound: Problem(.notFound, "There is no such location.")
        case .ambiguousLine: Problem(.invalidBody, "Each line names either variant_id or sku.")
        case .locationCodeTaken(let code): Problem(.conflict, "The code \(code) belongs to another location.")
        case .sameLocation: Problem(.invalidBody, "A transfer goes from one location to another.")
        case .externalIDTaken(let id): Problem(.externalIDTaken, "An adjustment with the external_id \(id) exists.")
        case .countedTwice(let id): Problem(.invalidBody, "A count names each variant once; \(id) occurs twice.")
        case .belowCommitted(let sku, let committed):
            Problem(.stockCommitted, "\(committed) units of \(sku) are spoken for here; that many must stay.")
        case .noLocation: Problem(.stockCommitted, "The shop has no location that could take the goods. Create one.")
        case .tooLarge(let sku):
            Problem(.invalidBody, "No shelf holds more than \(MoveStock.onHandMax) units (\(sku)).")
        }
    }

    private static func describe(_ shortages: [Shortage]) -> String {
        shortages.prefix(3).map { "\($0.sku): \($0.requested) wanted, \($0.available) available" }
            .joined(separator: "; ") + "."
    }

    private static func json(_ shortage: Shortage) -> JSON {
        [
            "variant_id": .string(shortage.variant.rawValue), "sku": .string(shortage.sku),
            "requested": .integer(Int64(shortage.requested)), "available": .integer(Int64(shortage.available)),
        ]
    }
}
