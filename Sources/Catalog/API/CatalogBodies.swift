// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// MARK: Addresses and queries

struct ProductPath: WireBody {
    let id: ProductID
    static let schema = Schema.object("ProductPath", ProductPath.init, .required("id", \.id, .id()))
}

struct VariantPath: WireBody {
    let id: VariantID
    static let schema = Schema.object("VariantPath", VariantPath.init, .required("id", \.id, .id()))
}

struct PricePath: WireBody {
    let id: VariantID
    let currency: Currency
    static let schema = Schema.object(
        "PricePath", PricePath.init, .required("id", \.id, .id()), .required("currency", \.currency, .currency))
}

struct ProductTranslationPath: WireBody {
    let id: ProductID
    let language: String
    static let schema = Schema.object(
        "ProductTranslationPath", ProductTranslationPath.init, .required("id", \.id, .id()),
        .required("language", \.language, .language))
}

/// The filters of a product list.
struct ProductListQuery: WireBody {
    let q: String?
    let category: CategoryID?
    let ids: [ProductID]?
    let currency: Currency?
    let priceMin: Int?
    let priceMax: Int?
    let isInStock: Bool?
    let attributes: [String]?
    let status: ProductStatus?
    let sort: ProductQuery.Sort?
    let facets: [String]?

    static let schema = Schema.object(
        "ProductListQuery", ProductListQuery.init,
        .optional("q", \.q, .string(1...200), "Words to search for; beginnings and single typing errors match, too."),
        .optional("category", \.category, .id(), "Only in this category and those below it."),
        .optional("ids", \.ids, .array(of: .id(), countMax: 100), "Only these products."),
        .optional("currency", \.currency, .currency, "Only what has a price in this currency; prices are in it."),
        .optional("price_min", \.priceMin, .integer(0...1_000_000_000_000), "In minor units of `currency`."),
        .optional("price_max", \.priceMax, .integer(0...1_000_000_000_000), "In minor units of `currency`."),
        .optional("in_stock", \.isInStock, .boolean, "Only what can be bought now, or only what cannot."),
        .optional(
            "attributes", \.attributes, .array(of: .attribute, countMax: 20),
            "As `name:value`; values of one name are alternatives, names must all match."),
        .optional("status", \.status, .word, "Others than `active` need the scope write:products."),
        .optional("sort", \.sort, .word, "`relevance` with `q`, else `newest`."),
        .optional("facets", \.facets, .array(of: .attributeName, countMax: 10), "Attributes to count values of."))

    func query(for call: Call) throws -> ProductQuery {
        if let status, status != .active { try call.requires(.writeProducts) }
        var query = ProductQuery(
            status: status ?? .active, text: q, category: category, ids: ids, currency: currency, isInStock: isInStock,
            sort: sort)
        if let currency {
            query.priceMin = try priceMin.map { try Money(minorUnits: Int64($0), currency) }
            query.priceMax = try priceMax.map { try Money(minorUnits: Int64($0), currency) }
        } else if priceMin != nil || priceMax != nil {
            throw CatalogError.priceFilterNeedsCurrency
        }
        for attribute in attributes ?? [] {
            guard let (name, value) = Self.parts(of: attribute) else { continue }
            query.attributes[name, default: []].append(value)
        }
        return query
    }

    /// The name and the value of `name:value`. By scalars, because a colon and a mark that combines with it are one character.
    fileprivate static func parts(of attribute: String) -> (name: String, value: String)? {
        let scalars = attribute.unicodeScalars
        guard let colon = scalars.firstIndex(of: ":") else { return nil }
        let (name, value) = (String(scalars[..<colon]), String(scalars[colon...].dropFirst()))
        return name.isEmpty || value.isEmpty ? nil : (name, value)
    }
}

extension Schema where Value == String {
    /// An attribute, by its name.
    fileprivate static let attributeName = string(
        pattern: #"^[^:,\u0000-\u001f\u007f]+$"#, example: "color", lengths: 1...100
    ) { text in
        !text.isEmpty && !text.unicodeScalars.contains { $0 == ":" || $0 == "," || $0.value < 0x20 || $0.value == 0x7F }
    }

    /// One value of an attribute, to filter by.
    fileprivate static let attribute = string(
        pattern: #"^[^:,\u0000-\u001f\u007f]+:[^,\u0000-\u001f\u007f]+$"#, example: "color:red", lengths: 3...200
    ) { text in
        ProductListQuery.parts(of: text) != nil
            && !text.unicodeScalars.contains { $0 == "," || $0.value < 0x20 || $0.value == 0x7F }
    }
}

// MARK: Products in

struct TextBody: WireBody {
    let title: String
    let description: String?

    static let schema = Schema.object(
        "ProductText", TextBody.init,
        .required("title", \.title, .string(1...300)), .optional("description", \.description, .string(0...20_000)))

    var text: ProductText { ProductText(title: title, description: description) }
}

extension Schema where Value == [String: String] {
    /// Names and values of the client's own.
    static let strings = map(of: .string(1...500), names: .string(1...100), countMax: 50)
}

struct VariantInput: WireBody {
    let sku: String
    let title: String?
    let options: [String: String]
    let barcode: String?
    let weightGrams: Int?
    let tracksInventory: Bool
    let prices: [Money]

    static let schema = Schema.object(
        "VariantInput", VariantInput.init,
        .required("sku", \.sku, .string(1...100), "Unique in the shop; compared exactly."),
        .optional("title", \.title, .string(1...300), "What tells it from the other variants."),
        .standard("options", \.options, .strings, [:], "Such as size and colour."),
        .optional("barcode", \.barcode, .string(1...100)),
        .optional("weight_grams", \.weightGrams, .integer(0...10_000_000)),
        .standard("tracks_inventory", \.tracksInventory, .boolean, true, "Whether stock limits its sale."),
        .standard("prices", \.prices, .array(of: .price, countMax: 50), [], "One for each currency."))

    var draft: VariantDraft {
        VariantDraft(
            sku: sku, title: title, options: options, barcode: barcode, weightGrams: weightGrams,
            tracksInventory: tracksInventory, prices: prices)
    }
}

struct ProductInput: WireBody {
    let handle: String?
    let status: ProductStatus
    let title: String
    let description: String?
    let translations: [String: TextBody]
    let categories: [CategoryID]
    let attributes: [String: String]
    let variants: [VariantInput]

    static let schema = Schema.object(
        "ProductInput", ProductInput.init,
        .optional("handle", \.handle, .handle, "Its name in addresses; made from the title where missing."),
        .standard("status", \.status, .word, .active),
        .required("title", \.title, .string(1...300), "In the shop's own language."),
        .optional("description", \.description, .string(0...20_000)),
        .standard(
            "translations", \.translations, .map(of: TextBody.schema, names: .language, countMax: 50), [:],
            "By language."),
        .standard("categories", \.categories, .array(of: .id(), countMax: 50), []),
        .standard("attributes", \.attributes, .strings, [:], "What people filter by."),
        .required("variants", \.variants, .array(of: VariantInput.schema, countMin: 1, countMax: 250)))

    var draft: ProductDraft {
        ProductDraft(
            handle: handle ?? ProductDraft.handle(for: title), status: status,
            text: ProductText(title: title, description: description), translations: translations.mapValues(\.text),
            categories: categories, attributes: attributes, variants: variants.map(\.draft))
    }
}

struct ProductPatch: WireBody {
    let handle: Patch<String>
    let status: Patch<ProductStatus>
    let title: Patch<String>
    let description: Patch<String>
    let categories: Patch<[CategoryID]>
    let attributes: Patch<[String: Patch<String>]>

    static let schema = Schema.object(
        "ProductPatch", ProductPatch.init,
        .patch("handle", \.handle, .handle), .patch("status", \.status, .word),
        .patch("title", \.title, .string(1...300)),
        .patch("description", \.description, .string(0...20_000), removable: true),
        .patch("categories", \.categories, .array(of: .id(), countMax: 50)),
        .patch(
            "attributes", \.attributes,
            .map(of: .nullable(.string(1...500)), names: .string(1...100), countMax: 50), removable: true,
            "Merged name by name; null removes one."))

    func apply(to product: inout Product) {
        product.handle = handle.applied(to: product.handle)
        product.status = status.applied(to: product.status)
        product.text.title = title.applied(to: product.text.title)
        product.text.description = description.applied(to: product.text.description)
        product.categories = categories.applied(to: product.categories)
        switch attributes {
        case .keep: break
        case .remove: product.attributes = [:]
        case .set(let changes):
            for (name, change) in changes { product.attributes[name] = change.applied(to: product.attributes[name]) }
        }
    }
}

struct VariantPatch: WireBody {
    let sku: Patch<String>
    let title: Patch<String>
    let options: Patch<[String: String]>
    let barcode: Patch<String>
    let weightGrams: Patch<Int>
    let tracksInventory: Patch<Bool>
    let prices: Patch<[Money]>

    static let schema = Schema.object(
        "VariantPatch", VariantPatch.init,
        .patch("sku", \.sku, .string(1...100)), .patch("title", \.title, .string(1...300), removable: true),
        .patch("options", \.options, .strings), .patch("barcode", \.barcode, .string(1...100), removable: true),
        .patch("weight_grams", \.weightGrams, .integer(0...10_000_000), removable: true),
        .patch("tracks_inventory", \.tracksInventory, .boolean),
        .patch("prices", \.prices, .array(of: .price, countMax: 50), "Replaces all prices."))

    func apply(to variant: inout Variant) {
        variant.sku = sku.applied(to: variant.sku)
        variant.title = title.applied(to: variant.title)
        variant.options = options.applied(to: variant.options)
        variant.barcode = barcode.applied(to: variant.barcode)
        variant.weightGrams = weightGrams.applied(to: variant.weightGrams)
        variant.tracksInventory = tracksInventory.applied(to: variant.tracksInventory)
        if case .set(let prices) = prices {
            variant.prices = Dictionary(prices.map { ($0.currency.code, $0) }) { $1 }
        }
    }
}

struct PriceInput: WireBody {
    let amount: Int?
    let decimal: String?

    private static let amountMax = 1_000_000_000_000

    static let schema = Schema.object(
        "PriceInput", PriceInput.init,
        .optional("amount", \.amount, .integer(0...amountMax), "In minor units."),
        .optional("decimal", \.decimal, .decimal(isSigned: false), "In major units, where minor units are too coarse.")
    ).oneWay(of: ["amount"], ["decimal"])

    /// - Throws: ``Problem`` when it is not exactly one sum.
    func price(in currency: Currency) throws -> Money {
        if let amount, decimal == nil { return try Money(minorUnits: Int64(amount), currency) }
        if let decimal, amount == nil, let money = Money(decimal: decimal, currency),
            (0...Self.amountMax).contains(Int(money.minorUnits))
        {
            return money
        }
        throw Problem(
            .invalidBody,
            "Send either amount or decimal, of at most \(Self.amountMax) minor units and three more decimals.")
    }
}

// MARK: Products out

struct VariantBody: WireBody {
    let id: VariantID
    let sku: String
    let title: String?
    let options: [String: String]
    let barcode: String?
    let weightGrams: Int?
    let tracksInventory: Bool
    let isInStock: Bool
    let prices: [Money]

    static let schema = Schema.object(
        "Variant", VariantBody.init,
        .required("id", \.id, .id()), .required("sku", \.sku, .string()), .optional("title", \.title, .string()),
        .required("options", \.options, .strings), .optional("barcode", \.barcode, .string()),
        .optional("weight_grams", \.weightGrams, .count), .required("tracks_inventory", \.tracksInventory, .boolean),
        .required("in_stock", \.isInStock, .boolean), .required("prices", \.prices, .array(of: .money)))
}

extension VariantBody {
    init(_ variant: Variant) {
        self.init(
            id: variant.id, sku: variant.sku, title: variant.title, options: variant.options, barcode: variant.barcode,
            weightGrams: variant.weightGrams, tracksInventory: variant.tracksInventory, isInStock: variant.isInStock,
            prices: variant.prices.values.sorted { $0.currency.code < $1.currency.code })
    }
}

struct ProductBody: WireBody {
    let id: ProductID
    let handle: String
    let status: ProductStatus
    let language: String
    let title: String
    let description: String?
    let categories: [CategoryID]
    let attributes: [String: String]
    let isInStock: Bool
    let prices: [Money]
    let variants: [VariantBody]?
    let createdAt: Timestamp
    let updatedAt: Timestamp

    static let schema = Schema.object(
        "Product", ProductBody.init,
        .required("id", \.id, .id()), .required("handle", \.handle, .string()), .required("status", \.status, .word),
        .required("language", \.language, .string(), "The language of title and description."),
        .required("title", \.title, .string()), .optional("description", \.description, .string(0...20_000)),
        .required("categories", \.categories, .array(of: .id())), .required("attributes", \.attributes, .strings),
        .required("in_stock", \.isInStock, .boolean, "Whether any variant can be bought now."),
        .required("prices", \.prices, .array(of: .money), "The lowest of its variants, in each currency."),
        .optional(
            "variants", \.variants, .array(of: VariantBody.schema), "In lists only with `expand=variants`."),
        .required("created_at", \.createdAt, .timestamp), .required("updated_at", \.updatedAt, .timestamp))
}

extension ProductBody {
    /// The product in the language that fits best; `prices` are the lowest where the variants were not read.
    init(_ product: Product, texts: TextChoice, languages: [String], prices: [Money]? = nil, withVariants: Bool = true)
    {
        let language = texts.language(wanted: languages, available: product.translations.keys)
        let text = product.translations[language] ?? product.text
        self.init(
            id: product.id, handle: product.handle, status: product.status, language: language, title: text.title,
            description: text.description, categories: product.categories.sorted(), attributes: product.attributes,
            isInStock: product.isInStock, prices: prices ?? product.lowestPrices,
            variants: withVariants ? product.variants.map { VariantBody($0) } : nil, createdAt: product.createdAt,
            updatedAt: product.updatedAt)
    }
}
