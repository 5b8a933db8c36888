// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Kernel
internal import Logging
internal import Persistence
internal import Synchronization
internal import Web

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Place a retailer's invoices and credit notes through the public API.",
        discussion: """
            Without --url the shop in the data directory is opened for the time of the replay, on a free port. A replay
            that was interrupted goes on where it was; one that was finished changes nothing. It ends with the ledger,
            beside the file's own sums.
            """)

    @Argument(help: "The log, as CSV, plain or compressed with zstd.") var file: String

    @Option(name: .long, help: "How much faster than the log's own time, for example 1000x.")
    var speed: String?

    @Flag(name: .long, help: "Do not wait between documents.")
    var asFastAsPossible = false

    @Option(name: .long, help: "A running shop, for example http://127.0.0.1:8080.")
    var url: String?

    @Option(name: .long, help: "Its API key (VITRINE_API_KEY).")
    var key: String?

    @OptionGroup var location: LocationOptions

    func validate() throws {
        if speed == nil, !asFastAsPossible {
            throw ValidationError("Give --speed, such as 1000x, or --as-fast-as-possible.")
        }
        if speed != nil, factor == nil { throw ValidationError("--speed takes a positive number, such as 1000x.") }
    }

    private var factor: Double? {
        guard let speed, let number = Double(speed.hasSuffix("x") ? String(speed.dropLast()) : speed), number > 0
        else { return nil }
        return number
    }

    func run() async throws {
        var configuration = try location.configuration()
        Terminal.bootstrapLogging(configuration.logLevel)
        let log = try RetailLog(path: file)
        let agrees: Bool
        if let url {
            guard let address = ShopAddress(url: url) else {
                throw ValidationError("--url takes an address such as http://127.0.0.1:8080.")
            }
            guard let key = key ?? Configuration.apiKey() else {
                throw ValidationError("Give the shop's API key with --key or VITRINE_API_KEY.")
            }
            agrees = try await replay(log, at: address, key: key)
        } else {
            configuration.port = 0
            let shop = try await Shop.open(configuration)
            let key = try await EmbeddedShop.temporaryKey(shop, name: "vitrine replay")
            agrees = try await EmbeddedShop.run(shop) { address in try await replay(log, at: address, key: key) }
            await shop.database.close()
        }
        if !agrees { throw ExitCode.failure }
    }

    private func replay(_ log: RetailLog, at address: ShopAddress, key: String) async throws -> Bool {
        let replay = RetailReplay(log: log, address: address, key: key, speed: asFastAsPossible ? nil : factor)
        let start = ContinuousClock.now
        let shown = Mutex(0)
        let outcome = try await replay.run { progress in
            let percent = progress.done * 100 / max(progress.total, 1)
            let isNews = shown.withLock { last in
                defer { last = max(last, percent) }
                return percent > last
            }
            guard isNews else { return }
            let counts = "\(Terminal.grouped(progress.done)) of \(Terminal.grouped(progress.total)) documents"
            Terminal.progress("\(Terminal.bar(Double(percent) / 100)) \(percent) %  \(counts)")
        }
        Terminal.endProgress()
        let seconds = (ContinuousClock.now - start).wholeMilliseconds / 1_000
        Terminal.say(
            "placed \(Terminal.grouped(outcome.placed)), there already \(Terminal.grouped(outcome.skipped)), in \(seconds) s"
        )
        let own = try RetailLedger(log)
        let books = try await replay.ledger()
        for (name, shop, file) in [
            ("sales", books.sales, own.sales), ("credit", books.credits, own.credits), ("net", books.net, own.net),
        ] {
            let name = name.padding(toLength: 8, withPad: " ", startingAt: 0)
            Terminal.say(
                "\(name)\(shop.decimal)  \(shop == file ? "equals the file" : "but the file has \(file.decimal)")")
        }
        return books == own
    }
}
