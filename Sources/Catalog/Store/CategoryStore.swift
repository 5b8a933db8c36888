// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum CategoryStore {
    private static let columns: SQL = "c.id, c.parent, c.handle, c.title, c.position, c.path, c.version"

    static func exists(_ id: CategoryID, in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM categories WHERE id = \(id) AND deleted_at IS NULL")
    }

    /// Those of the categories that exist.
    static func existing(_ ids: Set<CategoryID>, in connection: Connection) throws -> [CategoryID] {
        guard !ids.isEmpty else { return [] }
        return try connection.all("SELECT id FROM categories WHERE id IN \(anyOf: ids) AND deleted_at IS NULL") {
            try $0.next()
        }
    }

    /// A category and all below it; none where it does not exist.
    static func subtree(of id: CategoryID, in connection: Connection) throws -> [CategoryID] {
        guard let root = try find(id, in: connection) else { return [] }
        return try connection.all(
            "SELECT id FROM categories WHERE path >= \(root.path) AND path < \(Category.end(ofSubtree: root.path))"
        ) { try $0.next() }
    }

    static func find(_ id: CategoryID, in connection: Connection) throws -> Category? {
        let sql: SQL = "SELECT \(columns) FROM categories c WHERE c.id = \(id) AND c.deleted_at IS NULL"
        return try translated(connection.all(sql, category), in: connection).first
    }

    /// The tree from the roots down, every parent before its children.
    static func page(parent: CategoryID?, _ request: PageRequest, in connection: Connection) throws -> Page<Category> {
        var conditions: SQL = "c.deleted_at IS NULL"
        if let parent { conditions += " AND c.parent = \(parent)" }
        let keyset = Keyset((expression: "c.path", order: .ascending))
        let rows = try connection.all(
            "SELECT \(columns) FROM categories c WHERE \(conditions) \(keyset.clause(request))", category)
        let page = Page(rows: rows, for: request) { [.text($0.path)] }
        return Page(
            elements: try translated(page.elements, in: connection), next: page.next, previous: page.previous)
    }

    static func save(_ category: Category, instead old: Category?, in transaction: Transaction) throws {
        do {
            if old == nil {
                try transaction.execute(
                    """
                    INSERT INTO categories (id, parent, handle, title, position, path, version)
                    VALUES (\(category.id), \(category.parent), \(category.handle), \(category.title),
                        \(category.position), \(category.path), \(category.version))
                    """)
            } else {
                try transaction.execute(
                    """
                    UPDATE categories SET parent = \(category.parent), handle = \(category.handle),
                        title = \(category.title), position = \(category.position), version = \(category.version)
                    WHERE id = \(category.id)
                    """)
            }
        } catch let error as DatabaseError where error.kind == .unique {
            throw CatalogError.handleTaken(category.handle)
        }
        if let old, old.path != category.path { try move(from: old.path, to: category.path, in: transaction) }
        guard category.translations != old?.translations ?? [:] else { return }
        try transaction.execute("DELETE FROM category_translations WHERE category = \(category.id)")
        for (language, title) in category.translations {
            try transaction.execute(
                """
                INSERT INTO category_translations (category, language, title)
                VALUES (\(category.id), \(language), \(title))
                """)
        }
    }

    /// Moves a subtree, itself included.
    private static func move(from old: String, to new: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE categories SET path = \(new) || substr(path, \(old.utf8.count + 1))
            WHERE path >= \(old) AND path < \(Category.end(ofSubtree: old))
            """)
    }

    static func hasChildren(_ id: CategoryID, in connection: Connection) throws -> Bool {
        try connection.exists("SELECT 1 FROM categories WHERE parent = \(id) AND deleted_at IS NULL")
    }

    static func delete(_ id: CategoryID, at time: Timestamp, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM product_categories WHERE category = \(id)")
        try transaction.execute(
            "UPDATE categories SET deleted_at = \(time), version = version + 1 WHERE id = \(id)")
    }

    private static func category(_ row: inout Row) throws -> Category {
        var category = try Category(
            id: row.next(), parent: row.next(), handle: row.next(), title: row.next(), position: row.next())
        category.path = try row.next()
        category.version = try row.next()
        return category
    }

    private static func translated(_ categories: [Category], in connection: Connection) throws -> [Category] {
        guard !categories.isEmpty else { return [] }
        var categories = categories
        let places = Dictionary(uniqueKeysWithValues: categories.enumerated().map { ($1.id, $0) })
        try connection.forEach(
            """
            SELECT category, language, title FROM category_translations
            WHERE category IN \(anyOf: categories.map(\.id))
            """
        ) { row in
            guard let place = places[try row.next()] else { return }
            categories[place].translations[try row.next()] = try row.next(String.self)
        }
        return categories
    }
}
