// SPDX-License-Identifier: Apache-2.0

package import Kernel

package enum CatalogError: Error, Equatable {
    case productNotFound
    case variantNotFound
    case categoryNotFound(CategoryID)
    case priceNotFound(Currency)
    case translationNotFound(language: String)
    case handleTaken(String)
    case skuTaken(String)
    case duplicateSKU(String)
    case needsVariant
    case categoryHasChildren
    /// A category cannot stand inside itself.
    case categoryCycle
    case priceFilterNeedsCurrency
}
