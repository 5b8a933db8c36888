// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
internal import Inventory
internal import Jobs
internal import Kernel
internal import Persistence

/// Makes catalogue, customers and opening stock of a retailer's log. What is there already stays as it is.
struct RetailImport {
    let shop: Shop
    let log: RetailLog

    private static let actor = "import online-retail"
    private static let chunk = 500
    static let locationCode = "warehouse"

    /// Codes that stand for services, postage and corrections, of which there is no stock.
    static let services: Set = [
        "POST", "DOT", "C2", "M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK",
    ]

    struct Report {
        var products = 0
        var customers = 0
        var units = 0
    }

    func run(progress: (String, Double) -> Void) async throws -> Report {
        var report = Report()
        let articles = RetailArticles(log)
        let customers = Self.customers(of: log)
        let steps = Double(articles.all.count + customers.count)
        for start in stride(from: 0, to: articles.all.count, by: Self.chunk) {
            let part = Array(articles.all[start..<min(start + Self.chunk, articles.all.count)])
            report.products += try await shop.database.write { try importArticles(part, in: $0) }
            progress("products", Double(start) / steps)
        }
        report.units = try await shop.database.write { try importStock(articles.all, in: $0) }
        for start in stride(from: 0, to: customers.count, by: Self.chunk) {
            let part = Array(customers[start..<min(start + Self.chunk, customers.count)])
            report.customers += try await shop.database.write { try importCustomers(part, in: $0) }
            progress("customers", Double(articles.all.count + start) / steps)
        }
        await shop.relay.drain()
        progress("done", 1)
        return report
    }

    private func importArticles(_ articles: [RetailArticles.Article], in transaction: Transaction) throws -> Int {
        let known = try shop.catalog.offers(
            for: Set(articles.map { .sku($0.code) }), in: RetailLog.currency, connection: transaction)
        var count = 0
        for article in articles where known[.sku(article.code)] == nil {
            let draft = ProductDraft(
                handle: article.handle, text: ProductText(title: article.title),
                variants: [
                    VariantDraft(
                        sku: article.code, tracksInventory: !Self.services.contains(article.code),
                        prices: article.price.map { [$0] } ?? [])
                ])
            _ = try shop.catalog.products.create(draft, by: Self.actor, in: transaction)
            count += 1
        }
        return count
    }

    /// Enough of everything that whatever the log sells can be sold, in whatever order: all that ever leaves.
    private func importStock(_ articles: [RetailArticles.Article], in transaction: Transaction) throws -> Int {
        let location: LocationID
        if let known = try shop.inventory.location(code: Self.locationCode, in: transaction) {
            location = known.id
        } else {
            location = .make(at: shop.clock.now())
            try shop.inventory.addLocation(
                Location(id: location, code: Self.locationCode, name: "Warehouse", country: "GB", priority: 1),
                by: Self.actor, in: transaction)
        }
        let leaving = articles.filter { $0.unitsLeaving > 0 && !Self.services.contains($0.code) }
        let offers = try shop.catalog.offers(
            for: Set(leaving.map { .sku($0.code) }), in: RetailLog.currency, connection: transaction)
        let lines = leaving.compactMap { article in
            offers[.sku(article.code)].map { MoveStock.Line(variant: $0.variantID, quantity: article.unitsLeaving) }
        }
        do {
            try shop.inventory.moves.adjust(
                at: location, lines, .received, reference: "opening stock", externalID: "online-retail:opening-stock",
                by: Self.actor, in: transaction)
        } catch InventoryError.externalIDTaken {
            return 0
        }
        return lines.reduce(0) { $0 + $1.quantity }
    }

    private struct Person {
        let number: String
        let country: String?
    }

    private static func customers(of log: RetailLog) -> [Person] {
        var seen: Set<String> = []
        return log.documents.compactMap { document in
            guard let number = document.customer, seen.insert(number).inserted else { return nil }
            return Person(number: number, country: RetailCountries.code(document.country))
        }
    }

    private func importCustomers(_ people: [Person], in transaction: Transaction) throws -> Int {
        var count = 0
        for person in people where try shop.customers.find(externalID: person.number, in: transaction) == nil {
            let draft = CustomerDraft(externalID: person.number, country: person.country)
            _ = try shop.customers.create(draft, by: Self.actor, in: transaction)
            count += 1
        }
        return count
    }
}

/// The articles of a log: what each is called, costs, and how much of it ever leaves.
struct RetailArticles {
    struct Article: Sendable {
        let code: String
        /// The description that most lines have.
        let title: String
        /// The price of its last sale that had one.
        let price: Money?
        let unitsLeaving: Int
        fileprivate(set) var handle: String
    }

    let all: [Article]

    init(_ log: RetailLog) {
        var gathered: [String: Gathered] = [:]
        var order: [String] = []
        for document in log.documents {
            for line in document.lines {
                if gathered[line.code] == nil { order.append(line.code) }
                gathered[line.code, default: Gathered()].add(line, of: document.kind)
            }
        }
        var handles: Set<String> = []
        all = order.compactMap { code in
            guard let facts = gathered[code] else { return nil }
            // Codes that differ only in the case of a letter are different articles, and need different addresses.
            let base = "stock-" + ProductDraft.handle(for: code)
            var handle = base
            var number = 2
            while !handles.insert(handle).inserted {
                handle = "\(base)-\(number)"
                number += 1
            }
            return Article(
                code: code, title: facts.title ?? code, price: facts.price, unitsLeaving: facts.unitsLeaving,
                handle: handle)
        }
    }

    private struct Gathered {
        private var titles: [String: Int] = [:]
        private(set) var price: Money?
        private(set) var unitsLeaving = 0

        var title: String? {
            titles.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        }

        mutating func add(_ line: RetailLog.Line, of kind: RetailLog.Document.Kind) {
            let title = line.description.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            // Notes such as "damaged?" are in small letters; names of articles are not.
            if !title.isEmpty, kind != .writeOff { titles[title, default: 0] += 1 }
            switch kind {
            case .sale:
                if !line.unitPrice.isZero { price = line.unitPrice }
                unitsLeaving += line.quantity
            case .writeOff: unitsLeaving -= line.quantity
            case .creditNote, .badDebt: break
            }
        }
    }
}

/// The log's countries by ISO 3166-1, where they are one.
enum RetailCountries {
    static func code(_ name: String) -> String? { codes[name] }

    private static let codes = [
        "United Kingdom": "GB", "Germany": "DE", "France": "FR", "EIRE": "IE", "Spain": "ES", "Netherlands": "NL",
        "Belgium": "BE", "Switzerland": "CH", "Portugal": "PT", "Australia": "AU", "Norway": "NO", "Italy": "IT",
        "Finland": "FI", "Cyprus": "CY", "Sweden": "SE", "Austria": "AT", "Denmark": "DK", "Japan": "JP",
        "Poland": "PL", "Israel": "IL", "USA": "US", "Hong Kong": "HK", "Singapore": "SG", "Iceland": "IS",
        "Canada": "CA", "Greece": "GR", "Malta": "MT", "United Arab Emirates": "AE", "RSA": "ZA", "Lebanon": "LB",
        "Lithuania": "LT", "Brazil": "BR", "Czech Republic": "CZ", "Bahrain": "BH", "Saudi Arabia": "SA",
    ]
}
