// SPDX-License-Identifier: Apache-2.0

package import Web

extension ProblemType {
    static let unknownReference = ProblemType(
        "unknown-reference", 422, "Something it refers to does not exist",
        "A category, product or variant that the body names is unknown. `detail` says which.")
    static let categoryInUse = ProblemType(
        "category-in-use", 409, "The category has others below it",
        "Move or delete the categories below it first.")
}

extension CatalogError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .productNotFound: Problem(.notFound, "There is no such product.")
        case .variantNotFound: Problem(.notFound, "There is no such variant.")
        case .categoryNotFound(let id): Problem(.notFound, "There is no category \(id).")
        case .priceNotFound(let currency): Problem(.notFound, "The variant has no price in \(currency).")
        case .translationNotFound(let language): Problem(.notFound, "There is no translation into \(language).")
        case .handleTaken(let handle): Problem(.conflict, "The handle \(handle) is taken. Choose another.")
        case .skuTaken(let sku): Problem(.conflict, "The SKU \(sku) belongs to another variant.")
        case .duplicateSKU(let sku): Problem(.invalidBody, "The SKU \(sku) occurs twice in the product.")
        case .needsVariant: Problem(.invalidBody, "A product needs at least one variant, which has SKU and prices.")
        case .categoryHasChildren: Problem(.categoryInUse, "Move or delete the categories below it first.")
        case .categoryCycle: Problem(.invalidBody, "A category cannot stand below itself.")
        case .priceFilterNeedsCurrency:
            Problem(.invalidParameter, "Filtering or sorting by price needs the parameter currency.")
        }
    }

    /// The same where the body, not the address, names what is missing.
    var bodyProblem: Problem {
        if case .categoryNotFound(let id) = self { return Problem(.unknownReference, "There is no category \(id).") }
        return problem
    }
}
