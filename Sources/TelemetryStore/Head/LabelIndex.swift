// SPDX-License-Identifier: Apache-2.0

internal import Patterns
internal import Telemetry

/// Which series have which labels: sorted numbers of series for each value of each label.
struct LabelIndex: Sendable {
    private var values: [String: [String: [UInt32]]] = [:]
    private(set) var count = 0

    /// Adds the next series; its number is ``count``.
    mutating func add(_ labels: LabelSet) {
        let series = UInt32(count)
        for label in labels.labels { values[label.name, default: [:]][label.value, default: []].append(series) }
        count += 1
    }

    /// How many series have each value of a label.
    func counts(of name: String) -> [String: Int] { (values[name] ?? [:]).mapValues(\.count) }

    /// The series for which all matchers hold, ascending.
    ///
    /// - Throws: `Pattern.PatternError`.
    func series(_ matchers: [LabelMatcher]) throws -> [UInt32] {
        var found: [UInt32]?
        var excluded: [[UInt32]] = []
        for matcher in matchers {
            let test = try ValueTest(matcher)
            if try test.accepts("") {
                // A series without the label fits, too: those that do not fit are fewer to name.
                excluded.append(try union(matcher.name) { try !test.accepts($0) })
            } else {
                let fitting = try fitting(matcher, test)
                found = found.map { Self.intersection($0, fitting) } ?? fitting
                if found?.isEmpty == true { return [] }
            }
        }
        var series = found ?? Array(0..<UInt32(count))
        for list in excluded where !list.isEmpty { series = Self.difference(series, list) }
        return series
    }

    private func fitting(_ matcher: LabelMatcher, _ test: ValueTest) throws -> [UInt32] {
        if case .equal = matcher.operation { return values[matcher.name]?[matcher.value] ?? [] }
        return try union(matcher.name) { try test.accepts($0) }
    }

    private func union(_ name: String, where test: (String) throws -> Bool) rethrows -> [UInt32] {
        var (found, lists): ([UInt32], Int) = ([], 0)
        for (value, series) in values[name] ?? [:] where try test(value) {
            found += series
            lists += 1
        }
        // A series has one value of a label, so that no number comes twice.
        return lists > 1 ? found.sorted() : found
    }

    private static func intersection(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
        var (found, place): ([UInt32], Int) = ([], 0)
        for series in left {
            while place < right.count, right[place] < series { place += 1 }
            if place < right.count, right[place] == series { found.append(series) }
        }
        return found
    }

    private static func difference(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
        var (rest, place): ([UInt32], Int) = ([], 0)
        for series in left {
            while place < right.count, right[place] < series { place += 1 }
            if place == right.count || right[place] != series { rest.append(series) }
        }
        return rest
    }
}
