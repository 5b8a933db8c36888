// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOHTTP1
internal import Synchronization

/// Places a log's documents through a shop's public API, each once, whatever happens in between.
///
/// What the shop has already it is asked for at the start, so that a replay that was interrupted goes on, and one that was
/// finished changes nothing. The document's number is the `external_id` and, with a prefix, the idempotency key.
struct RetailReplay: Sendable {
    let log: RetailLog
    let address: ShopAddress
    let key: String
    /// How much faster than the log's own time; `nil` for as fast as possible.
    let speed: Double?

    /// Documents under way at once.
    private static let connections = 24

    struct Progress: Sendable {
        var done = 0
        var skipped = 0
        var total = 0
    }

    struct Outcome: Sendable {
        let placed: Int
        let skipped: Int
    }

    func run(progress report: @escaping @Sendable (Progress) -> Void) async throws -> Outcome {
        let client = ShopClient(address, key: key)
        let known = try await KnownDocuments.ask(client)
        let warehouse = try await Self.warehouse(client)
        let customers = try await Self.customers(client)
        await client.close()
        let pile = Pile(log.documents)
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.connections {
                group.addTask {
                    let desk = Desk(
                        client: ShopClient(address, key: key), warehouse: warehouse, customers: customers, known: known)
                    while let document = pile.take() {
                        try await wait(for: document, since: start)
                        let isNew = try await desk.place(document)
                        report(pile.count(isNew))
                    }
                    await desk.client.close()
                }
            }
            try await group.waitForAll()
        }
        let progress = pile.progress
        return Outcome(placed: progress.done - progress.skipped, skipped: progress.skipped)
    }

    /// The shop's books after the replay, as its API tells them.
    func ledger() async throws -> RetailLedger {
        let client = ShopClient(address, key: key)
        let reply = try await client.send(.GET, "/v1/ledger?currency=\(RetailLog.currency)")
        await client.close()
        guard reply.isSuccess else { throw Failure(.unavailable, "The ledger cannot be read: \(reply.text)") }
        func sum(_ name: String) throws -> Money {
            guard let value = reply.json[name] else { throw Failure(.corrupt, "The ledger has no \(name).") }
            return try RetailLedger.money(value)
        }
        return RetailLedger(
            sales: try sum("sales").adding(sum("adjustments")), credits: try sum("credits"), net: try sum("net"))
    }

    private func wait(for document: RetailLog.Document, since start: ContinuousClock.Instant) async throws {
        guard let speed, let first = log.documents.first else { return }
        let offset = first.date.duration(to: document.date) / speed
        try await ContinuousClock().sleep(until: start + offset)
    }

    private static func warehouse(_ client: ShopClient) async throws -> String {
        let reply = try await client.send(.GET, "/v1/inventory/locations?limit=100")
        let location = reply.json["items"]?.array?.first { $0["code"]?.string == RetailImport.locationCode }
        guard let id = location?["id"]?.string else {
            throw Failure(
                .misconfigured, "The shop has no warehouse of this retailer. Run vitrine import online-retail first.")
        }
        return id
    }

    /// The shop's customers by the retailer's number.
    private static func customers(_ client: ShopClient) async throws -> [String: String] {
        var customers: [String: String] = [:]
        try await client.forEachItem("/v1/customers?limit=100&fields=id,external_id") { item in
            if let number = item["external_id"]?.string, let id = item["id"]?.string { customers[number] = id }
        }
        return customers
    }
}

/// The documents that nobody has taken yet, and how many are done.
private final class Pile: Sendable {
    private struct State {
        var next = 0
        var progress: RetailReplay.Progress
    }

    private let documents: [RetailLog.Document]
    private let state: Mutex<State>

    init(_ documents: [RetailLog.Document]) {
        self.documents = documents
        state = Mutex(State(progress: .init(total: documents.count)))
    }

    var progress: RetailReplay.Progress { state.withLock { $0.progress } }

    func take() -> RetailLog.Document? {
        state.withLock { state in
            guard state.next < documents.count else { return nil }
            defer { state.next += 1 }
            return documents[state.next]
        }
    }

    func count(_ isNew: Bool) -> RetailReplay.Progress {
        state.withLock { state in
            state.progress.done += 1
            if !isNew { state.progress.skipped += 1 }
            return state.progress
        }
    }
}

/// The sums of a log or of a shop, in pounds.
struct RetailLedger: Equatable, Sendable {
    /// Whatever is no credit: sales, and corrections of bad debts.
    let sales: Money
    let credits: Money
    let net: Money

    init(sales: Money, credits: Money, net: Money) {
        self.sales = sales
        self.credits = credits
        self.net = net
    }

    init(_ log: RetailLog) throws {
        self.init(sales: log.sales, credits: log.credits, net: try log.sales.adding(log.credits))
    }

    static func money(_ json: JSON) throws -> Money {
        let exact = json["decimal"]?.string.flatMap { Money(decimal: $0, RetailLog.currency) }
        if let exact { return exact }
        guard let amount = json["amount"]?.integer else { throw Failure(.corrupt, "This is no money: \(json.text)") }
        return try Money(minorUnits: amount, RetailLog.currency)
    }
}

/// What a shop has of a log already.
struct KnownDocuments: Sendable {
    /// Orders that are complete.
    private var shipped: Set<String> = []
    /// Orders that were placed and not sent off yet, with their identifiers.
    private var unshipped: [String: String] = [:]
    private var returns: Set<String> = []

    static func ask(_ client: ShopClient) async throws -> KnownDocuments {
        var known = KnownDocuments()
        try await client.forEachItem("/v1/orders?limit=100&fields=id,external_id,status") { item in
            guard let number = item["external_id"]?.string, let id = item["id"]?.string else { return }
            if item["status"]?.string == "paid" { known.unshipped[number] = id } else { known.shipped.insert(number) }
        }
        try await client.forEachItem("/v1/returns?limit=100&fields=external_id") { item in
            if let number = item["external_id"]?.string { known.returns.insert(number) }
        }
        return known
    }

    enum State { case missing, done, unshipped(order: String) }

    func state(of document: RetailLog.Document) -> State {
        if let order = unshipped[document.number] { return .unshipped(order: order) }
        return shipped.contains(document.number) || returns.contains(document.number) ? .done : .missing
    }
}

extension ShopClient {
    /// Walks a list from its first page to its last.
    func forEachItem(_ path: String, _ use: (JSON) -> Void) async throws {
        var next: String? = path
        while let page = next {
            let reply = try await send(.GET, page)
            guard reply.isSuccess else {
                throw Failure(.unavailable, "The shop answered \(reply.status): \(reply.text)")
            }
            for item in reply.json["items"]?.array ?? [] { use(item) }
            // Links are absolute; this connection needs their path.
            next = reply.json["next"]?.string.flatMap { link in
                link.range(of: "/v1/").map { String(link[$0.lowerBound...]) }
            }
        }
    }
}
