// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Console
internal import Foundation
internal import Kernel

struct DashboardsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboards", abstract: "The console's pages as dashboards for Grafana.",
        subcommands: [Export.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a JSON file for each, which Grafana imports or provisions.",
            discussion: "Each asks for its data sources: the observatory, as Prometheus, Loki and Jaeger.")

        @Option(help: "Where to; made where it is not there.")
        var directory = "."

        func run() throws {
            do {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                for dashboard in GrafanaDashboard.all {
                    let path = directory + "/" + dashboard.file
                    try Data(dashboard.json.prettyText.utf8).write(to: URL(filePath: path))
                    Terminal.say(path)
                }
            } catch {
                throw ValidationError("Cannot write to \(directory): \(error.localizedDescription)")
            }
        }
    }
}
