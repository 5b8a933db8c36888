// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

struct CategoryPath: WireBody {
    let id: CategoryID
    static let schema = Schema.object("CategoryPath", CategoryPath.init, .required("id", \.id, .id()))
}

struct CategoryTranslationPath: WireBody {
    let id: CategoryID
    let language: String
    static let schema = Schema.object(
        "CategoryTranslationPath", CategoryTranslationPath.init, .required("id", \.id, .id()),
        .required("language", \.language, .language))
}

struct CategoryListQuery: WireBody {
    let parent: CategoryID?
    static let schema = Schema.object(
        "CategoryListQuery", CategoryListQuery.init,
        .optional("parent", \.parent, .id(), "Only those directly below this one."))
}

/// The filters of a category's products: those of the product list without the category.
struct CategoryProductsQuery: WireBody {
    let id: CategoryID
    let currency: Currency?
    let isInStock: Bool?
    let sort: ProductQuery.Sort?

    static let schema = Schema.object(
        "CategoryProductsQuery", CategoryProductsQuery.init,
        .required("id", \.id, .id()), .optional("currency", \.currency, .currency),
        .optional("in_stock", \.isInStock, .boolean), .optional("sort", \.sort, .word))
}

struct CategoryInput: WireBody {
    let parent: CategoryID?
    let handle: String?
    let title: String
    let translations: [String: String]
    let position: Int

    static let schema = Schema.object(
        "CategoryInput", CategoryInput.init,
        .optional("parent_id", \.parent, .id(), "The category it stands below; a root where missing."),
        .optional("handle", \.handle, .handle, "Its name in addresses; made from the title where missing."),
        .required("title", \.title, .string(1...200), "In the shop's own language."),
        .standard("translations", \.translations, .map(of: .string(1...200), names: .language), [:]),
        .standard("position", \.position, .integer(0...1_000_000), 0, "Its place among its siblings."))
}

struct CategoryPatch: WireBody {
    let parent: Patch<CategoryID>
    let handle: Patch<String>
    let title: Patch<String>
    let position: Patch<Int>

    static let schema = Schema.object(
        "CategoryPatch", CategoryPatch.init,
        .patch("parent_id", \.parent, .id(), removable: true), .patch("handle", \.handle, .handle),
        .patch("title", \.title, .string(1...200)), .patch("position", \.position, .integer(0...1_000_000)))

    func apply(to category: inout Category) {
        category.parent = parent.applied(to: category.parent)
        category.handle = handle.applied(to: category.handle)
        category.title = title.applied(to: category.title)
        category.position = position.applied(to: category.position)
    }
}

struct TitleInput: WireBody {
    let title: String
    static let schema = Schema.object("Title", TitleInput.init, .required("title", \.title, .string(1...200)))
}

struct CategoryBody: WireBody {
    let id: CategoryID
    let parent: CategoryID?
    let handle: String
    let language: String
    let title: String
    let position: Int
    let depth: Int

    static let schema = Schema.object(
        "Category", CategoryBody.init,
        .required("id", \.id, .id()), .optional("parent_id", \.parent, .id()),
        .required("handle", \.handle, .string()), .required("language", \.language, .string()),
        .required("title", \.title, .string()), .required("position", \.position, .count),
        .required("depth", \.depth, .count, "0 for a root."))
}

extension CategoryBody {
    init(_ category: Category, texts: TextChoice, languages: [String]) {
        let language = texts.language(wanted: languages, available: category.translations.keys)
        self.init(
            id: category.id, parent: category.parent, handle: category.handle, language: language,
            title: category.translations[language] ?? category.title, position: category.position,
            depth: category.path.split(separator: "/").count - 1)
    }
}
