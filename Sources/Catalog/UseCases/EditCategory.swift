// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
package import Persistence
internal import Web

/// Every change of the category tree.
package struct EditCategory: Sendable {
    let outbox: Outbox
    let clock: WallClock

    /// A path is made of other categories' places, so the tree changes as one.
    private static let tree = "categories"

    /// - Throws: ``CatalogError`` when the parent does not exist or the handle is taken.
    package func create(_ category: Category, by actor: String, in transaction: Transaction) throws -> Category {
        try transaction.serialize(on: Self.tree)
        var category = category
        category.path = try path(of: category, in: transaction)
        try CategoryStore.save(category, instead: nil, in: transaction)
        try publish("category.created", category, by: actor, in: transaction)
        return category
    }

    func change(
        _ id: CategoryID, if precondition: Precondition, by actor: String, in transaction: Transaction,
        _ edit: (inout Category) throws -> Void
    ) throws -> Category {
        try transaction.serialize(on: Self.tree)
        guard let old = try CategoryStore.find(id, in: transaction) else { throw CatalogError.categoryNotFound(id) }
        try precondition.check(old.version)
        var category = old
        try edit(&category)
        category.version += 1
        category.path = try path(of: category, in: transaction)
        if category.path != old.path, category.path.hasPrefix(old.path) { throw CatalogError.categoryCycle }
        try CategoryStore.save(category, instead: old, in: transaction)
        try publish("category.updated", category, by: actor, in: transaction)
        return category
    }

    func delete(
        _ id: CategoryID, if precondition: Precondition, by actor: String, in transaction: Transaction
    ) throws {
        try transaction.serialize(on: Self.tree)
        guard let category = try CategoryStore.find(id, in: transaction) else {
            throw CatalogError.categoryNotFound(id)
        }
        try precondition.check(category.version)
        if try CategoryStore.hasChildren(id, in: transaction) { throw CatalogError.categoryHasChildren }
        try CategoryStore.delete(id, at: clock.now(), in: transaction)
        try publish("category.deleted", category, by: actor, in: transaction)
    }

    private func path(of category: Category, in transaction: Transaction) throws -> String {
        guard let parent = category.parent else { return "/" + category.id.rawValue + "/" }
        guard let found = try CategoryStore.find(parent, in: transaction) else {
            throw CatalogError.categoryNotFound(parent)
        }
        return found.path + category.id.rawValue + "/"
    }

    private func publish(_ type: String, _ category: Category, by actor: String, in transaction: Transaction) throws {
        try outbox.publish(
            type, subject: category.id.rawValue, actor: actor, ["handle": .string(category.handle)], in: transaction)
    }
}
