// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Kernel
internal import PromQL
internal import Telemetry
internal import TelemetryStore

struct TelemetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "telemetry", abstract: "Look at what the observatory keeps on disk.",
        subcommands: [Stats.self, Check.self, Export.self])

    struct Place: ParsableArguments {
        @Option(help: "The directory where telemetry is kept (VITRINE_TELEMETRY).")
        var directory: String?

        /// - Throws: `ValidationError` where there is no such directory, so that looking makes none.
        func path() throws -> String {
            let configuration = try Configuration()
            let path = directory ?? configuration.observatory.folder ?? configuration.dataDirectory + "/telemetry"
            guard FileManager.default.fileExists(atPath: path) else {
                throw ValidationError(
                    "There is no directory \(path). Name another with --directory or VITRINE_TELEMETRY.")
            }
            return path
        }
    }

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How much there is of what, and from when. May be asked while the store is in use.")

        @OptionGroup var place: Place

        func run() async throws {
            let inspection = try StoreInspection(of: FileDisk(try place.path()))
            for part in inspection.parts {
                let times = part.times.map {
                    "\(Timestamp(milliseconds: $0.lowerBound)) – \(Timestamp(milliseconds: $0.upperBound))"
                }
                Terminal.say(
                    "\(part.name): \(part.bytes) bytes, \(Self.amount(part)), \(times ?? "")")
            }
            for segment in inspection.segments {
                Terminal.say("\(segment.name): \(segment.bytes) bytes, \(segment.records) records")
            }
            for signal in Signal.allCases {
                let parts = inspection.parts.filter { $0.signal == signal }
                let (bytes, rows) = (parts.reduce(0) { $0 + $1.bytes }, parts.reduce(0) { $0 + $1.rows })
                let ratio = rows == 0 ? "" : String(format: ", %.2f bytes each", Double(bytes) / Double(rows))
                Terminal.say("\(signal.rawValue): \(bytes) bytes in parts, \(rows) \(Self.rows(signal))\(ratio)")
            }
        }

        private static func amount(_ part: StoreInspection.PartReport) -> String {
            let subjects = part.signal == .metrics ? "\(part.subjects) series, " : ""
            return "\(subjects)\(part.rows) \(rows(part.signal))"
        }

        private static func rows(_ signal: Signal) -> String {
            switch signal {
            case .metrics: "samples"
            case .traces: "spans"
            case .logs: "log records"
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read all that is kept and compare it with its checksums. Ends with 1 where something is damaged."
        )

        @OptionGroup var place: Place

        func run() async throws {
            let inspection = try StoreInspection(of: FileDisk(try place.path()))
            for fault in inspection.faults { Terminal.say(fault) }
            for segment in inspection.segments where segment.tornBytes > 0 {
                Terminal.say(
                    "\(segment.name): \(segment.tornBytes) bytes at its end were being written; nobody was told that they were kept"
                )
            }
            Terminal.say(
                "\(inspection.parts.count) parts and \(inspection.segments.count) segments read, \(inspection.faults.count) damaged"
            )
            if !inspection.faults.isEmpty { throw ExitCode(1) }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write samples as OpenMetrics text. Not while the store is in use: ask its address then.")

        @OptionGroup var place: Place

        @Option(help: "Which series, such as 'http_requests_total{job=\"shop\"}'; all by default.")
        var match: String?

        func run() async throws {
            let store = try SignalStore(on: FileDisk(locking: try place.path()))
            let matchers = try match.map { try QueryEngine().parseSelector($0) } ?? []
            var families: [String: [(LabelSet, SampleColumns)]] = [:]
            try store.select(SeriesSelection(matchers, Int64.min / 4...Int64.max / 4)) { labels, samples in
                families[labels.metricName, default: []].append((labels, samples))
            }
            for (name, series) in families.sorted(by: { $0.key < $1.key }) {
                Terminal.say("# TYPE \(name) unknown")
                for (labels, samples) in series.sorted(by: { $0.0 < $1.0 }) {
                    var lines = ""
                    for place in samples.times.indices where !StaleMarker.isStale(samples.values[place]) {
                        let seconds = SampleText.of(Double(samples.times[place]) / 1_000)
                        lines += "\(labels.exposition) \(SampleText.of(samples.values[place])) \(seconds)\n"
                    }
                    Terminal.write(lines)
                }
            }
            Terminal.say("# EOF")
        }
    }
}
