// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Kernel
internal import Persistence
internal import Web

struct OpenAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi", abstract: "Print the API as an OpenAPI 3.1 document.",
        discussion: "The same document that a running shop serves at /v1/openapi.json.")

    func run() async throws { Terminal.say(try await Self.document().trimmingCharacters(in: .newlines)) }

    /// The document of a shop in memory: it does not depend on data.
    static func document() async throws -> String {
        let configuration = try Configuration(environment: [:])
        let database = Database(engine: try SQLiteEngine(.init(path: "file:openapi?mode=memory&cache=shared")))
        try await Migrator(database: database, migrations: Migrations.all).migrate(clock: .system)
        let shop = try await Shop(configuration, database: database, clock: .system)
        let text = shop.serviceEndpoints.text(describing: shop.sliceEndpoints)
        await database.close()
        return text
    }
}
