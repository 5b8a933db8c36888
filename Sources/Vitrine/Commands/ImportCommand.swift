// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Logging
internal import Persistence

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Fill a shop from another system's files.",
        subcommands: [OnlineRetail.self])

    struct OnlineRetail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "online-retail",
            abstract: "Make catalogue, customers and opening stock of the UCI Online Retail log.",
            discussion: """
                FILE is the log as CSV, plain or compressed with zstd. What the shop has already stays as it is, so the
                import can be repeated. `vitrine replay FILE` then places the log's invoices.
                """)

        @Argument(help: "The log.") var file: String

        @OptionGroup var location: LocationOptions

        func run() async throws {
            let configuration = try location.configuration()
            Terminal.bootstrapLogging(configuration.logLevel)
            let log = try RetailLog(path: file)
            Terminal.say("\(Terminal.grouped(log.lineCount)) lines, \(Terminal.grouped(log.documents.count)) documents")
            let shop = try await Shop.open(configuration)
            let report = try await RetailImport(shop: shop, log: log).run { step, share in
                Terminal.progress("\(Terminal.bar(share)) \(step)")
            }
            Terminal.endProgress()
            await shop.database.close()
            Terminal.say(
                """
                imported \(Terminal.grouped(report.products)) products, \(Terminal.grouped(report.customers)) customers, \
                \(Terminal.grouped(report.units)) units of stock
                """)
        }
    }
}
