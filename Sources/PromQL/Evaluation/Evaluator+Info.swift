// SPDX-License-Identifier: Apache-2.0

internal import Patterns
internal import Telemetry

/// `info()` of Prometheus 3: series with what others say of whoever sends them, such as `target_info`, which OpenTelemetry's resources
/// become.
extension Evaluator {
    /// By which a series and what is said of it belong together.
    private static let identifying = ["instance", "job"]
    private static let standardName = "target_info"

    /// Of one sender, in the order in which they come.
    private typealias Known = [[String]: [Row]]

    /// - Parameters:
    ///   - argument: the series.
    ///   - asked: what the labels that are added must be; all labels of `target_info` without.
    ///   - grid: the steps.
    ///   - take: told each series, with labels that may change from step to step.
    /// - Throws: `EvaluationError` where two things are said of one sender at once; what `take` throws.
    func info(_ argument: Expression, about asked: Selector?, _ grid: Grid, _ take: @escaping Take) throws {
        let names = asked?.matchers.filter { $0.name == LabelSet.name } ?? []
        let wanted = asked?.matchers.filter { $0.name != LabelSet.name } ?? []
        let isOfInfo = names.isEmpty ? [LabelMatcher(LabelSet.name, .equal, Self.standardName)] : names
        let tests = try (isOfInfo + wanted).map { try LabelTest($0) }
        let (nameTests, wantedTests) = (tests.prefix(isOfInfo.count), tests.dropFirst(isOfInfo.count))
        var known: Known = [:]
        // By the time of its sample, so that of two at one step the later one counts.
        try select(Selector(matchers: isOfInfo + wanted), grid, readsTimes: true) { row in
            try budget.hold(bytes: row.values.count * 8 + 200)
            known[Self.sender(row.labels), default: []].append(row)
        }
        let isOptional = try wantedTests.allSatisfy { try $0.accepts("") }
        var rows = RowCollector(budget)
        try vector(argument, grid) { row in
            // What is itself such a series stays as it is; not where only labels are asked for, as Prometheus has it.
            let isExempt = asked == nil || !names.isEmpty
            if isExempt, try nameTests.allSatisfy({ try $0.accepts(row.labels.metricName) }) {
                return try rows.add(row)
            }
            let sender = Self.sender(row.labels)
            let about = sender.allSatisfy(\.isEmpty) ? [] : known[sender] ?? []
            for (labels, values) in try Self.enriched(row, by: about, Set(wanted.map(\.name)), isOptional) {
                try rows.add(Row(labels: labels, values: values))
            }
        }
        for row in rows.rows { try take(row) }
    }

    private static func sender(_ labels: LabelSet) -> [String] { identifying.map { labels[$0] } }

    /// The values of a row by the labels that they have at their steps.
    private static func enriched(
        _ row: borrowing Row, by about: [Row], _ wanted: Set<String>, _ isOptional: Bool
    ) throws -> [LabelSet: [Double]] {
        var found: [LabelSet: [Double]] = [:]
        let none = Array(repeating: Row.absent, count: row.values.count)
        for (step, value) in row.values.enumerated() where !Row.isAbsent(value) {
            var (more, isThere) = ([String: String](), false)
            for info in try latest(about, at: step) {
                for label in info.labels where label.name != LabelSet.name && !identifying.contains(label.name) {
                    guard wanted.isEmpty || wanted.contains(label.name) else { continue }
                    isThere = true
                    if let other = more[label.name], other != label.value {
                        throw EvaluationError.invalid("conflicting label: \(label.name)")
                    }
                    more[label.name] = label.value
                }
            }
            guard isThere || isOptional else { continue }
            var labels = row.labels
            // What a series says of itself goes before what is said of it.
            for (name, value) in more where labels[name].isEmpty { labels = labels.with(name, value) }
            found[labels, default: none][step] = value
        }
        return found
    }

    /// Of each metric the series with the latest sample at a step.
    private static func latest(_ about: [Row], at step: Int) throws -> [LabelSet] {
        var best: [String: (labels: LabelSet, time: Double)] = [:]
        for info in about where !Row.isAbsent(info.values[step]) {
            let (name, time) = (info.labels.metricName, info.values[step])
            if let other = best[name] {
                guard other.time != time else {
                    throw EvaluationError.invalid(
                        "found duplicate series for info metric: existing \(other.labels), new \(info.labels)")
                }
                if other.time > time { continue }
            }
            best[name] = (info.labels, time)
        }
        return best.sorted { $0.key < $1.key }.map(\.value.labels)
    }
}

/// Whether a label's value is as a selector asks.
private struct LabelTest {
    private let matcher: LabelMatcher
    private let pattern: Pattern?

    init(_ matcher: LabelMatcher) throws {
        self.matcher = matcher
        let isPattern = matcher.operation == .matches || matcher.operation == .matchesNot
        pattern = isPattern ? try Pattern(matcher.value, .whole) : nil
    }

    func accepts(_ value: String) throws -> Bool {
        let isSame = try pattern?.matches(value) ?? (value == matcher.value)
        return isSame == (matcher.operation == .equal || matcher.operation == .matches)
    }
}
