// SPDX-License-Identifier: Apache-2.0

import Foundation
import PromQL
import Telemetry

@testable import PromQL

/// Runs the test scripts that Prometheus' own engine is tested with: `load`, `eval`, `clear`.
struct QueryScript {
    private var source = TableSource()
    private let engine: QueryEngine
    private(set) var evaluations = 0
    private(set) var failures: [String] = []

    init(_ semantics: Semantics) {
        var settings = QueryEngine.Settings()
        settings.semantics = semantics
        engine = QueryEngine(settings)
    }

    mutating func run(_ script: String) throws {
        var lines = script.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces)
        }[...]
        while let line = lines.popFirst() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            var block: [String] = []
            while let next = lines.first, !next.isEmpty, !line.hasPrefix("clear") {
                lines.removeFirst()
                if !next.hasPrefix("#") { block.append(next) }
            }
            if line == "clear" {
                source = TableSource()
            } else if line.hasPrefix("load ") {
                try load(line, block)
            } else {
                evaluate(line, block)
            }
        }
    }

    private func load(_ line: String, _ block: [String]) throws {
        let step = Lexer.milliseconds(String(line.dropFirst(5))) ?? 0
        for series in block {
            let (labels, rest) = try Self.labels(series)
            var (samples, time) = (SampleColumns(), Int64(0))
            for word in rest.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
                for value in Self.values(String(word)) {
                    if let value { samples.append(time, value) }
                    time += step
                }
            }
            source.add(labels, samples)
        }
    }

    /// `1`, `_`, `stale`, `_x3`, `1x3`, `1+2x3`.
    static func values(_ word: String) -> [Double?] {
        if word == "stale" { return [StaleMarker.value] }
        let parts = word.split(separator: "x")
        let times = parts.count == 2 ? Int(parts[1]) : nil
        guard parts[0] != "_" else { return Array(repeating: nil, count: times ?? 1) }
        guard let times else { return [Lexer.number(word) ?? Double(word)] }
        let text = String(parts[0])
        let sign = text.dropFirst().lastIndex { "+-".contains($0) && true }
        guard let sign else { return Array(repeating: Double(text), count: times + 1) }
        guard let first = Double(text[..<sign]), let by = Double(text[sign...]) else { return [] }
        // Added up like the original, so that rounding is the same.
        var (value, values) = (first, [Double?]())
        for _ in 0...times {
            values.append(value)
            value += by
        }
        return values
    }

    /// A series as scripts write it, and what follows.
    private static func labels(_ line: String) throws -> (LabelSet, String) {
        guard let open = line.firstIndex(of: "{") else {
            let name = line.prefix { !$0.isWhitespace }
            return (LabelSet([MetricLabel(LabelSet.name, String(name))]), String(line.dropFirst(name.count)))
        }
        var (inQuotes, place) = (false, open)
        while line[place] != "}" || inQuotes {
            if line[place] == "\"", line[line.index(before: place)] != "\\" { inQuotes.toggle() }
            place = line.index(after: place)
        }
        let text = String(line[...place])
        var labels: [MetricLabel] = []
        if !text.hasPrefix("{}") {
            let padded = text.hasSuffix("{}") ? String(text.dropLast(2)) : text
            labels = try QueryEngine().parseSelector(padded).map { MetricLabel($0.name, $0.value) }
        }
        return (LabelSet(labels), String(line[line.index(after: place)...]))
    }

    private mutating func evaluate(_ line: String, _ block: [String]) {
        evaluations += 1
        let words = line.split(separator: " ", maxSplits: 4)
        let time = Lexer.milliseconds(String(words[3])) ?? 0
        do {
            let query = try engine.parse(String(words[4]))
            let value = try engine.instant(query, at: time, on: source)
            if words[0] == "eval_fail" { return failures.append("\(line): should fail") }
            try check(value, block, isOrdered: words[0] == "eval_ordered", line)
            guard query.type == .vector || query.type == .scalar, words[0] == "eval" else { return }
            // The middle of a range must be the same.
            let range = try engine.range(query, from: time - 60_000, through: time + 60_000, step: 60_000, on: source)
            let middle = range.compactMap { series in
                series.samples.times.firstIndex(of: time).map {
                    VectorSample(labels: series.labels, value: series.samples.values[$0])
                }
            }
            if query.type == .vector { try check(.vector(middle), block, isOrdered: false, "range of \(line)") }
        } catch {
            if words[0] != "eval_fail" { failures.append("\(line): \(error)") }
        }
    }

    private mutating func check(_ value: QueryValue, _ block: [String], isOrdered: Bool, _ line: String) throws {
        switch value {
        case .scalar(let number):
            let wanted = block.first.flatMap { Lexer.number($0) ?? Double($0) }
            if let wanted, Self.agree(number, wanted) { return }
            failures.append("\(line): \(number) instead of \(block)")
        case .vector(let samples):
            let wanted = try block.map { line in
                let (labels, rest) = try Self.labels(line)
                return (labels, Self.values(rest.trimmingCharacters(in: .whitespaces)).first.flatMap { $0 } ?? .nan)
            }
            let found = Dictionary(samples.map { ($0.labels, $0.value) }) { first, _ in first }
            let agrees =
                samples.count == wanted.count
                && wanted.allSatisfy { labels, value in found[labels].map { Self.agree($0, value) } ?? false }
                && (!isOrdered || samples.map(\.labels) == wanted.map(\.0))
            if !agrees {
                failures.append("\(line):\n    \(samples.map { "\($0.labels) \($0.value)" })\n    instead of \(block)")
            }
        case .matrix, .string: failures.append("\(line): not to be compared")
        }
    }

    static func agree(_ left: Double, _ right: Double) -> Bool {
        if left.isNaN || right.isNaN { return left.isNaN && right.isNaN }
        if left == right { return true }
        return abs(left - right) <= max(1e-12, 1e-6 * max(abs(left), abs(right)))
    }
}
