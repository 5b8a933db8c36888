// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import PromQL
import Telemetry
import TestSupport
import Testing

/// The same data in a real Prometheus and in a table, the same questions to both.
struct PrometheusPeerTests {
    private static let queries = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == nil ? 1_500 : 50_000

    @Test(.enabled("apt-get install prometheus") { TestPrometheus.isInstalled })
    func `random queries have the answers of Prometheus`() async throws {
        let table = TableSource()
        var text = ""
        for family in RandomSeries.make(seed: 7) {
            text += "# TYPE \(family.metric) unknown\n"
            for (labels, samples) in family.series {
                table.add(labels, samples)
                for place in samples.times.indices {
                    let list = labels.without(LabelSet.name).labels.map { "\($0.name)=\"\($0.value)\"" }
                    text += "\(family.metric){\(list.joined(separator: ","))} \(SampleText.of(samples.values[place])) "
                    text += "\(Double(samples.times[place]) / 1_000)\n"
                }
            }
        }
        let prometheus = try TestPrometheus(openMetrics: text + "# EOF\n")
        defer { prometheus.stop() }
        var settings = QueryEngine.Settings()
        settings.semantics = .v2
        let engine = QueryEngine(settings)
        var (random, answered, refused) = (RandomQueries(generator: SeededGenerator(seed: 11)), 0, 0)
        for _ in 0..<Self.queries {
            let query = random.vector()
            let (start, step) = (
                RandomSeries.start + 600_000,
                [15_000, 40_000, 17_000].randomElement(using: &random.generator) ?? 15_000
            )
            let theirs = try await Answer(
                prometheus.get(
                    "/api/v1/query_range",
                    [
                        ("query", query), ("start", "\(start / 1_000)"), ("end", "\((start + 600_000) / 1_000)"),
                        ("step", "\(Double(step) / 1_000)"),
                    ]))
            let ours = Answer {
                try engine.range(
                    engine.parse(query), from: start, through: start + 600_000, step: Int64(step), on: table)
            }
            if case .refused = theirs { refused += 1 } else { answered += 1 }
            if let difference = ours.difference(from: theirs, query) {
                Issue.record("\(query) (step \(step)): \(difference)")
            }
        }
        // Most queries have an answer, else this would show nothing.
        #expect(answered > Self.queries / 2, "\(answered) answered, \(refused) refused")
    }
}

/// What a server says to a range query.
enum Answer {
    case matrix([LabelSet: SampleColumns])
    case refused(String)

    init(_ body: JSON) throws {
        guard body["status"]?.string == "success" else {
            self = .refused(body["error"]?.string ?? "without a word")
            return
        }
        var series: [LabelSet: SampleColumns] = [:]
        for result in body["data"]?["result"]?.array ?? [] {
            let labels = LabelSet((result["metric"]?.members ?? []).map { MetricLabel($0.name, $0.value.string ?? "") })
            var samples = SampleColumns()
            for pair in result["values"]?.array ?? [] {
                let time = pair.array?.first.map { Double($0.text) ?? 0 } ?? 0
                samples.append(Int64((time * 1_000).rounded()), Double(pair.array?.last?.string ?? "") ?? .nan)
            }
            series[labels] = samples
        }
        self = .matrix(series)
    }

    init(_ query: () throws -> [QuerySeries]) {
        do {
            self = .matrix(Dictionary(try query().map { ($0.labels, $0.samples) }) { first, _ in first })
        } catch { self = .refused("\(error)") }
    }

    func difference(from other: Answer, _ query: String) -> String? {
        switch (self, other) {
        case (.refused, .refused): return nil
        // Refused for the range as a whole, though no single step has two.
        case (.matrix, .refused("vector cannot contain metrics with the same labelset")): return nil
        case (.matrix, .refused(let why)): return "answered, but Prometheus says: \(why)"
        case (.refused(let why), .matrix): return "refused: \(why)"
        case (.matrix(let ours), .matrix(let theirs)):
            if Set(ours.keys) != Set(theirs.keys) {
                return "series \(ours.keys.sorted().prefix(8)) instead of \(theirs.keys.sorted().prefix(8))"
            }
            for (labels, samples) in ours {
                guard let wanted = theirs[labels], samples.times == wanted.times else {
                    return
                        "\(labels) at \(samples.times.prefix(50)) instead of \(theirs[labels]?.times.prefix(50) ?? [])"
                }
                for place in samples.times.indices {
                    let (value, other) = (samples.values[place], wanted.values[place])
                    if QueryScript.agree(value, other) || abs(value - other) < 1e-8 { continue }
                    // Version 2 takes 0 for the deviation of one value that is no number, version 3 does not.
                    if value.isNaN, other == 0, query.contains("std") { continue }
                    return "\(labels) at \(samples.times[place]): \(value) instead of \(other)"
                }
            }
            return nil
        }
    }
}
