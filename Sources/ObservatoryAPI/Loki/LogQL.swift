// SPDX-License-Identifier: Apache-2.0

internal import PromQL
internal import Telemetry
internal import TelemetryStore

/// The part of Loki's query language that Grafana's pages of logs are made with: selectors, filters of lines and labels, and
/// counts over time.
indirect enum LogExpression {
    enum Count: String {
        case countOverTime = "count_over_time"
        /// A second.
        case rate
        case bytesOverTime = "bytes_over_time"
        /// A second.
        case bytesRate = "bytes_rate"
    }

    /// Filters of labels that stand in several places are all in the query's matchers.
    case logs(LogQuery)
    /// Over a time in milliseconds. `labels` are those that are told apart; `nil` tells all streams apart.
    case count(Count, LogQuery, Int64, labels: [String]?)
    /// What a data source asks to see whether anybody is there.
    case number(Double)

    /// - Throws: `APIError` that says where it does not understand.
    init(parsing text: String) throws(APIError) {
        var parser = LogQLParser(text)
        self = try parser.whole()
    }
}

private struct LogQLParser {
    private let text: [Character]
    private var place = 0

    init(_ text: String) { self.text = Array(text) }

    mutating func whole() throws(APIError) -> LogExpression {
        let expression = try sum()
        guard next() == nil else { throw failure("unexpected '\(text[place])'") }
        return expression
    }

    private func failure(_ words: String) -> APIError {
        .badData("parse error at character \(place + 1): \(words)")
    }

    // MARK: Characters

    private mutating func next() -> Character? {
        while place < text.count, text[place].isWhitespace { place += 1 }
        return place < text.count ? text[place] : nil
    }

    private mutating func take(_ token: String) -> Bool {
        guard next() != nil, text[place...].starts(with: token) else { return false }
        place += token.count
        return true
    }

    private mutating func expect(_ token: String) throws(APIError) {
        guard take(token) else { throw failure("expected '\(token)'") }
    }

    private mutating func word() -> String {
        _ = next()
        let start = place
        while place < text.count, text[place].isLetter || text[place].isNumber || "_.:".contains(text[place]) {
            place += 1
        }
        return String(text[start..<place])
    }

    private mutating func name() throws(APIError) -> String {
        let name = word()
        guard !name.isEmpty else { throw failure("expected a name") }
        return name
    }

    private mutating func string() throws(APIError) -> String {
        guard let quote = next(), quote == "\"" || quote == "`" else { throw failure("expected a text in quotes") }
        place += 1
        var value = ""
        while place < text.count, text[place] != quote {
            var character = text[place]
            if quote == "\"", character == "\\", place + 1 < text.count {
                place += 1
                character =
                    switch text[place] {
                    case "n": "\n"
                    case "t": "\t"
                    case "r": "\r"
                    case "\"", "\\": text[place]
                    default: throw failure("unknown escape '\\\(text[place])'")
                    }
            }
            value.append(character)
            place += 1
        }
        guard place < text.count else { throw failure("a text does not end") }
        place += 1
        return value
    }

    // MARK: Expressions

    /// Numbers may be added; logs and counts stand alone.
    private mutating func sum() throws(APIError) -> LogExpression {
        var left = try operand()
        while case .number(let value) = left, take("+") {
            guard case .number(let other) = try operand() else { throw failure("only numbers can be added") }
            left = .number(value + other)
        }
        return left
    }

    private mutating func operand() throws(APIError) -> LogExpression {
        if next() == "{" { return .logs(try selection()) }
        let start = place
        let function = word()
        if let number = Double(function) { return .number(number) }
        switch function {
        case "vector":
            try expect("(")
            guard let number = Double(word()) else { throw failure("expected a number") }
            try expect(")")
            return .number(number)
        case "sum":
            var labels = take("by") ? try labels() : nil
            try expect("(")
            // No sum of sums, and so no depth.
            guard next() != "s", case .count(let count, let query, let range, labels: nil) = try operand() else {
                throw failure("only counts over time can be summed")
            }
            try expect(")")
            if labels == nil, take("by") { labels = try self.labels() }
            return .count(count, query, range, labels: labels ?? [])
        default:
            guard let count = LogExpression.Count(rawValue: function) else {
                place = start
                throw failure(
                    "unknown function '\(function)'; there are sum, count_over_time, rate, bytes_over_time and bytes_rate"
                )
            }
            try expect("(")
            let query = try selection()
            try expect("[")
            let duration = word()
            guard let range = QueryEngine.milliseconds(of: duration), range > 0 else {
                throw failure("'\(duration)' is not a duration")
            }
            try expect("]")
            try expect(")")
            return .count(count, query, range, labels: nil)
        }
    }

    private mutating func labels() throws(APIError) -> [String] {
        try expect("(")
        var labels: [String] = []
        while !take(")") {
            labels.append(try name())
            _ = take(",")
        }
        return labels
    }

    /// A selector and the stages after it.
    private mutating func selection() throws(APIError) -> LogQuery {
        var query = LogQuery()
        try expect("{")
        while !take("}") {
            query.matchers.append(try matcher(try name()))
            guard take(",") || next() == "}" else { throw failure("expected ',' or '}'") }
        }
        while let stage = next() {
            if stage == "|" || stage == "!", let filter = try lineFilter() {
                query.lines.append(filter)
            } else if take("|") {
                try add(stage: try name(), to: &query)
            } else {
                break
            }
        }
        return query
    }

    private mutating func matcher(_ name: String) throws(APIError) -> LabelMatcher {
        for operation in [LabelMatcher.Operation.matches, .notEqual, .matchesNot, .equal] where take(operation.rawValue)
        {
            return LabelMatcher(name, operation, try string())
        }
        throw failure("expected =, !=, =~ or !~ after '\(name)'; numbers are not compared")
    }

    private mutating func lineFilter() throws(APIError) -> LogQuery.LineFilter? {
        for operation in [LogQuery.LineFilter.Operation.contains, .lacks, .matches, .matchesNot]
        where take(operation.rawValue) {
            return LogQuery.LineFilter(operation, try string())
        }
        return nil
    }

    /// Attributes are fields already, so that stages that take lines apart have nothing to do.
    private mutating func add(stage: String, to query: inout LogQuery) throws(APIError) {
        switch stage {
        case "json", "logfmt", "unpack":
            // Names of fields may follow.
            while let next = next(), next != "|", next != "[", next != ")", next != "!" { place += 1 }
        case "drop", "keep":
            repeat { _ = try name() } while take(",")
        case "line_format", "label_format", "decolorize", "pattern", "regexp", "unwrap", "distinct":
            throw failure("there is no stage '\(stage)' here")
        default:
            query.matchers.append(try matcher(stage))
            while take("and") || take(",") { query.matchers.append(try matcher(try name())) }
        }
    }
}
