// SPDX-License-Identifier: Apache-2.0

internal import Inventory
internal import Kernel
package import Web

extension ProblemType {
    static let illegalTransition = ProblemType(
        "illegal-transition", 409, "The order cannot take this step now",
        "`state` is where it stands and `allowed` where it can go from there.")
    static let cartNotOpen = ProblemType(
        "cart-not-open", 409, "The cart can no longer be changed or ordered",
        "It became an order or has expired. Begin a new one.")
    static let notForSale = ProblemType(
        "not-for-sale", 422, "Something in the order is not for sale",
        "A product is not offered now, is unknown, or has no price in the currency. `line` says which.")
    static let orderExpired = ProblemType(
        "order-expired", 409, "The order was given up before the payment came",
        "The time to pay was over. Whatever was paid goes back; place the order again.")
    static let unknownParty = ProblemType(
        "unknown-customer", 422, "The customer is unknown", "Create the customer first, or order as a guest.")
    static let quantityNotAvailable = ProblemType(
        "quantity-not-available", 409, "More units than the line has left",
        "`available` is how many can still be shipped, or taken back.")
}

extension OrderingError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .orderNotFound: Problem(.notFound, "There is no such order.")
        case .cartNotFound: Problem(.notFound, "There is no such cart.")
        case .lineNotFound(let id): Problem(.notFound, "There is no line \(id).")
        case .cartEmpty: Problem(.invalidBody, "There is nothing in it to order.")
        case .cartNotOpen(let state):
            Problem(.cartNotOpen, "The cart is \(state.rawValue).").with("state", .string(state.rawValue))
        case .outOfStock(let lines): Self.outOfStock(lines)
        case .unknownVariant(let line, let reference):
            Problem(.notForSale, "Line \(line): there is no variant \(reference.prefix(100)).").with(line: line)
        case .unknownCustomer(let id): Problem(.unknownParty, "There is no customer \(id).")
        case .notForSale(let line, let sku):
            Problem(.notForSale, "Line \(line): \(sku) is not offered now.").with(line: line)
        case .noPrice(let line, let sku, let currency):
            Problem(.notForSale, "Line \(line): \(sku) has no price in \(currency).").with(line: line)
        case .illegalTransition(let state, let event): Self.illegal(state, event)
        case .externalIDTaken(let id, let existing):
            Problem(.externalIDTaken, "The external_id \(id) is taken.").with("existing", .string(existing))
        case .tooManyUnits(let line, let available):
            Problem(.quantityNotAvailable, "\(line) has \(available) units left for this.")
                .with("line_id", .string(line.rawValue)).with("available", .integer(Int64(available)))
        case .nothingToShip: Problem(.quantityNotAvailable, "Nothing is left to ship.")
        case .nothingToReturn: Problem(.invalidBody, "Name the lines that come back, each with a quantity.")
        case .noPayment: Problem(.quantityNotAvailable, "Nothing was paid for this order.")
        case .currencyMismatch(let expected): Problem(.invalidBody, "The currency here is \(expected).")
        case .zeroAmount:
            Problem(.invalidBody, "The amount must be more than zero, and something must be left to refund.")
        }
    }

    private static func outOfStock(_ lines: [LineShortage]) -> Problem {
        let words = lines.prefix(3).map { "line \($0.line), \($0.sku): \($0.available) available" }
        return Problem(.outOfStock, words.joined(separator: "; ") + ".")
            .with(
                "lines",
                .array(
                    lines.map { line in
                        [
                            "line": .integer(Int64(line.line)), "variant_id": .string(line.variant.rawValue),
                            "sku": .string(line.sku), "requested": .integer(Int64(line.requested)),
                            "available": .integer(Int64(line.available)),
                        ]
                    }))
    }

    private static func illegal(_ state: OrderState, _ event: OrderEvent) -> Problem {
        let allowed = OrderStateMachine.successors(of: state).map(\.rawValue)
        let next = allowed.isEmpty ? "nothing follows" : "it can become \(allowed.joined(separator: ", "))"
        return Problem(
            .illegalTransition, "\(event.rawValue) does not fit an order that is \(state.rawValue); \(next)."
        ).with("state", .string(state.rawValue)).with("allowed", .array(allowed.map { .string($0) }))
    }
}

extension Problem {
    fileprivate func with(line: Int) -> Problem { with("line", .integer(Int64(line))) }
}
