// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

@main
struct VitrineCommand: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "vitrine",
        abstract: "A headless commerce backend that you can see through.",
        discussion: """
            Begin with `vitrine demo`: a sample shop with simulated shoppers on http://127.0.0.1:8080.
            `vitrine serve` opens an empty shop of your own and prints an API key at its first start.

            Settings come from the environment, each with a default; `vitrine serve --help` lists them.
            """,
        version: version,
        subcommands: [
            ServeCommand.self, SandboxCommand.self, DemoCommand.self, UserCommand.self, ImportCommand.self,
            ReplayCommand.self,
            MigrateCommand.self,
            CopyCommand.self, CheckCommand.self, OpenAPICommand.self, SignalsCommand.self, CollectCommand.self,
            ObserveCommand.self, TelemetryCommand.self, DashboardsCommand.self, PagesCommand.self, ChaosCommand.self,
        ])
}
