// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Catalog
internal import Foundation
internal import Identity
internal import Inventory
internal import Kernel
internal import NIOHTTP1
internal import Persistence
internal import ServiceLifecycle
internal import Telemetry
internal import UnixSignals
internal import Web

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Open a sample shop, with simulated shoppers in it.",
        discussion: "The data directory is a fresh one that goes away at the end, unless --data names one to keep.")

    @OptionGroup var location: LocationOptions

    @Option(name: .long, help: "Simulated shoppers at once; 0 for a quiet shop.")
    var shoppers = 12

    @Option(name: .long, help: "End by itself after so many seconds.")
    var seconds: Int?

    func run() async throws {
        var configuration = try location.configuration()
        if location.data == nil { configuration.dataDirectory = Self.freshDirectory() }
        // There is nobody whose address could be taken.
        configuration.identity.isSignUpOpen = ProcessInfo.processInfo.environment["VITRINE_SIGN_UP"] != "closed"
        let path = configuration.dataDirectory
        let signals = try Signals.telemetry(configuration)
        signals.telemetry.bootstrap()
        defer { if location.data == nil { try? FileManager.default.removeItem(atPath: path) } }
        let shop = try await Shop.open(configuration)
        guard let key = try await shop.identity.administratorKeyAtFirstStart() else {
            await shop.database.close()
            throw ValidationError(
                "\(path) holds a shop already. The demo begins with a fresh one; name another directory.")
        }
        Terminal.say("Filling a sample shop in \(path) ...")
        try await SampleShop(shop: shop).fill()
        let password = try await UserCommand.add(Self.owner, "Olive Owner", "owner", to: shop)
        let tally = Tally()
        let observatory = try Observatory.beside(shop, signals) { _ in }
        do {
            try await EmbeddedShop.run(
                shop, signals: signals, observatory: observatory, stoppingOn: [.sigint, .sigterm]
            ) { address in
                try await greet(shop, address, key: key, password: password, isObserved: observatory != nil)
                await withTaskGroup { group in
                    group.addTask { await Shoppers(address: address, key: key, count: shoppers, tally: tally).run() }
                    group.addTask { await Self.report(tally) }
                    // Until the time is over, or Ctrl-C cancels.
                    try? await Task.sleep(for: seconds.map { .seconds($0) } ?? .seconds(1_000_000_000))
                    group.cancelAll()
                }
            }
        } catch let failure as Failure where failure.code == .unavailable {
            // Ctrl-C: the shop was asked to stop, and has.
        }
        await shop.close()
        Terminal.endProgress()
        Terminal.say(tally.line)
        Terminal.say("Vitrine has stopped.")
    }

    private static let owner = "owner@example.com"

    private static func freshDirectory() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("vitrine-demo-\(UUID().uuidString.prefix(8))")
            .path
    }

    private static func report(_ tally: Tally) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            Terminal.progress(tally.line)
        }
    }

    /// What a newcomer would try first; each line works when pasted.
    private func greet(_ shop: Shop, _ address: ShopAddress, key: String, password: String, isObserved: Bool)
        async throws
    {
        let client = ShopClient(address, key: key)
        let product = try await client.send(.GET, "/v1/products?limit=1&in_stock=true&fields=id").json
        await client.close()
        let id = product["items"]?.array?.first?["id"]?.string ?? ""
        let variants = try await shop.database.read { connection in
            try shop.inventory.items(ofProduct: ProductID(unchecked: id), in: connection)
        }
        let sku = variants.first { $0.levels.contains { $0.available > 0 } }?.sku ?? ""
        let base = "http://\(address.host):\(address.port)"
        let bearer = "-H 'Authorization: Bearer \(key)'"
        let order = """
            {"currency":"GBP","lines":[{"sku":"\(sku)","quantity":1}],"email":"you@example.com",\
            "payment":{"card":"sandbox_approve"}}
            """
        let watching = "http://\(address.host):\(shop.configuration.observatory.port)"
        let query = "sum by (http_route) (rate(http_server_request_duration_seconds_count[1m]))"
        let observed =
            isObserved
            ? """
            What it does is seen here; sign in with the key:

              \(watching)/console

            The same is answered as Prometheus, Jaeger and Loki do, to Grafana or to anyone with the key:

              curl -s \(bearer) \(watching)/api/v1/query --data-urlencode 'query=\(query)'


            """ : ""
        Terminal.say(
            """

            Vitrine listens on \(base)
            The administrator's API key, shown only now: \(key)

            Try, in another terminal:

              curl -s \(bearer) '\(base)/v1/products?q=linnen&limit=3'
              curl -s \(bearer) -H 'Accept-Language: de' '\(base)/v1/products/\(id)'
              curl -s \(bearer) '\(base)/v1/inventory/products/\(id)'
              curl -s \(bearer) -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-order' -d '\(order)' \(base)/v1/orders
              curl -s \(bearer) '\(base)/v1/orders?limit=3&fields=number,status,totals.total'

            \(observed)People sign in at \(base)/account, here as \(Self.owner) with the password \(password); apps that they
            let in are in docs/APPS.md.

            Ctrl-C stops.

            """)
    }
}
